//! The thread on which a manager talks to its servers.

use std::thread;

use session_core::Result;
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

use crate::error::{self, Fault};

/// A thread with a runtime of its own.
///
/// Connections outlive the runtime of whoever made them, calls may come from any runtime or none,
/// and a handler that blocks its thread delays no heartbeat. The thread ends with the engine.
#[derive(Debug)]
pub(crate) struct Engine {
    handle: Handle,
    _running: oneshot::Sender<()>,
}

impl Engine {
    pub(crate) fn start() -> Result<Self> {
        let refused = |_| error::unavailable("the system refused a thread for the manager");
        let runtime = Builder::new_current_thread().enable_all().build().map_err(refused)?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel::<()>();
        thread::Builder::new()
            .name("session-redis".into())
            // Ends when the other end of the channel is dropped.
            .spawn(move || drop(runtime.block_on(ended)))
            .map_err(refused)?;
        Ok(Self { handle, _running: running })
    }

    /// Runs `work` on the thread. Dropping the returned future does not end it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.handle.spawn(work).await.unwrap_or_else(|_| Err(Fault::Ended.into()))
    }

    /// Runs `work` on the thread, whatever becomes of it.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(work));
    }
}
