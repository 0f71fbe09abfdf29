//! Who shares connections with whom.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::{
    runtime::{Handle, Id, RuntimeFlavor},
    sync::oneshot,
};

use super::{Plan, Way};

/// One way for everybody, whose connections are on the manager's own thread, and if that is wished
/// one for each runtime of one thread that calls.
pub(crate) struct Ways {
    shared: Arc<Way>,
    plan: Plan,
    workers: Arc<Mutex<Workers>>,
}

type Workers = HashMap<Id, Worker>;

/// A runtime of one thread.
struct Worker {
    way: Arc<Way>,
    /// Ends the task that tells of the runtime's end.
    _known: oneshot::Sender<()>,
}

/// Dropped with the runtime it was sent to: nobody calls from there any more.
struct Leave {
    workers: Weak<Mutex<Workers>>,
    id: Id,
}

impl Ways {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { shared: Arc::new(Way::new(&plan, None)), plan, workers: Arc::default() }
    }

    /// The way for everybody.
    pub(crate) fn shared(&self) -> &Arc<Way> {
        &self.shared
    }

    /// The way for a call from where this is called.
    pub(crate) fn here(&self) -> Arc<Way> {
        match Handle::try_current() {
            Ok(home)
                if self.plan.per_worker
                    && home.runtime_flavor() == RuntimeFlavor::CurrentThread =>
            {
                self.of(&home)
            }
            _ => Arc::clone(&self.shared),
        }
    }

    /// Lets the calls that come connect to who is in charge now, wherever they come from.
    pub(crate) fn begin_anew(&self) {
        self.shared.begin_anew();
        let workers: Vec<_> =
            lock(&self.workers).values().map(|worker| Arc::clone(&worker.way)).collect();
        for way in workers {
            way.begin_anew();
        }
    }

    fn of(&self, home: &Handle) -> Arc<Way> {
        if let Some(worker) = lock(&self.workers).get(&home.id()) {
            return Arc::clone(&worker.way);
        }
        let (known, forgotten) = oneshot::channel::<()>();
        let way = Arc::new(Way::new(&self.plan, Some(home)));
        let worker = Worker { way: Arc::clone(&way), _known: known };
        lock(&self.workers).insert(home.id(), worker);
        let leave = Leave { workers: Arc::downgrade(&self.workers), id: home.id() };
        // Not under the lock: a runtime that is ending drops the task at once.
        drop(home.spawn(async move {
            let _leave = leave;
            drop(forgotten.await);
        }));
        way
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if let Some(workers) = self.workers.upgrade() {
            let left = lock(&workers).remove(&self.id);
            // The connections end without the lock.
            drop(left);
        }
    }
}

impl fmt::Debug for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ways").field("shared", &self.shared).finish_non_exhaustive()
    }
}

/// Nothing in here panics while it holds the lock, so a poisoned one guards whole data.
fn lock(workers: &Mutex<Workers>) -> MutexGuard<'_, Workers> {
    workers.lock().unwrap_or_else(PoisonError::into_inner)
}
