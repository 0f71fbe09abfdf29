//! The thread that sweeps in the background.
//!
//! A thread of its own, because sweeping must not depend on requests, and because a task would end
//! with the runtime it was started on: a manager may be made before there is one, and outlive it.

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use session_core::{Error, ErrorKind, Result};

use crate::{
    SweepProgress,
    store::{Pass, Store},
};

/// Between two steps the disk belongs to others.
const BREATH: Duration = Duration::from_millis(10);

/// Sweeps until it is dropped; dropping waits for the file it is at.
#[derive(Debug)]
pub(crate) struct Sweeper {
    /// The thread ends when this is gone.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    pub(crate) fn start(store: Arc<Store>, interval: Duration) -> Result<Self> {
        let (end, ended) = mpsc::channel();
        let sweeps = move || {
            loop {
                sweep(&store, interval, &ended);
                if is_over(&ended, interval) {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("session-fs-sweep".to_owned()).spawn(sweeps);
        let thread = thread.map_err(|error| {
            Error::new(ErrorKind::Unavailable, "fs", "no thread could be started to sweep")
                .with_source(error)
        })?;
        Ok(Self { end: Some(end), thread: Some(thread) })
    }
}

/// Waits for `time`, or less if the sweeper is dropped; tells whether it is.
fn is_over(ended: &Receiver<()>, time: Duration) -> bool {
    ended.recv_timeout(time) == Err(RecvTimeoutError::Disconnected)
}

fn sweep(store: &Store, interval: Duration, ended: &Receiver<()>) {
    let Some(_lead) = store.lead_sweep() else { return };
    if store.swept_within(interval / 2) {
        return;
    }
    let (mut pass, mut progress) = (Pass::new(), SweepProgress::default());
    loop {
        let stop = || is_over(ended, Duration::ZERO);
        match store.sweep_step(&mut pass, &mut progress, &stop) {
            Ok(true) if is_over(ended, BREATH) => return,
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                tracing::warn!(%error, "the background sweep stopped early; it is tried again");
                return;
            }
        }
    }
    if progress.unreadable_folders > 0 {
        tracing::warn!(
            folders = progress.unreadable_folders,
            "the sweep could not read some folders: look at their permissions and at the disk"
        );
    }
    tracing::debug!(
        scanned = progress.scanned,
        removed = progress.removed,
        bytes = progress.bytes,
        left = progress.left,
        damaged = progress.damaged,
        unreadable = progress.unreadable,
        "swept"
    );
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that sweeps panicked");
        }
    }
}
