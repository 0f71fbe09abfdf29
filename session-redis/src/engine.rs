//! The thread on which a manager talks to its servers.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    thread,
};

use session_core::Result;
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

use crate::error;

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
        let refused = |error| {
            error::unavailable(format!("the system refused a thread for the manager: {error}"))
        };
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

    /// Runs `work` where it is polled, with the timers of the thread; what it spawns goes there.
    ///
    /// So a call hops to the thread that has the connection and back, and not once more.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|context| {
            let _entered = self.handle.enter();
            work.as_mut().poll(context)
        })
        .await
    }

    /// Keeps a task running on the thread: one that panicked is begun again.
    pub(crate) fn keep<F>(&self, begin: impl Fn() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(self.handle.spawn(async move {
            while tokio::spawn(begin()).await.is_err() {
                tracing::error!("a task of the manager panicked and is begun again");
            }
        }));
    }
}
