//! The thread that sweeps in the background.
//!
//! A thread of its own, because sweeping must not depend on requests, and because a task would end
//! with the runtime it was started on: a manager may be made before there is one, and outlive it.

use std::{
    fmt,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
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
pub(crate) struct Sweeper {
    ending: Arc<Ending>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Ending {
    begun: AtomicBool,
    lock: Mutex<()>,
    told: Condvar,
}

impl Sweeper {
    pub(crate) fn start(store: Arc<Store>, interval: Duration) -> Result<Self> {
        let ending = Arc::new(Ending::default());
        let told = Arc::clone(&ending);
        let thread = thread::Builder::new()
            .name("session-fs-sweep".to_owned())
            .spawn(move || {
                loop {
                    sweep(&store, interval, &told);
                    if told.within(interval) {
                        return;
                    }
                }
            })
            .map_err(|error| {
                Error::new(ErrorKind::Unavailable, "fs", "no thread could be started to sweep")
                    .with_source(error)
            })?;
        Ok(Self { ending, thread: Some(thread) })
    }
}

fn sweep(store: &Store, interval: Duration, ending: &Ending) {
    let Some(_lead) = store.lead_sweep() else { return };
    if store.swept_within(interval / 2) {
        return;
    }
    let (mut pass, mut progress) = (Pass::new(), SweepProgress::default());
    loop {
        match store.sweep_step(&mut pass, &mut progress, &|| ending.has_begun()) {
            Ok(true) if ending.within(BREATH) => return,
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
        self.ending.begin();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that sweeps panicked");
        }
    }
}

impl fmt::Debug for Sweeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sweeper(..)")
    }
}

impl Ending {
    fn begin(&self) {
        let _guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.begun.store(true, Ordering::Relaxed);
        self.told.notify_all();
    }

    fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Waits for `time`, or less if the end begins; tells whether it has.
    fn within(&self, time: Duration) -> bool {
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.told.wait_timeout_while(guard, time, |()| !self.has_begun()));
        self.has_begun()
    }
}
