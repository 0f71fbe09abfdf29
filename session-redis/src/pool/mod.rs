//! Who shares connections with whom.

mod batch;
mod connection;
mod route;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{
    runtime::{Handle, Id, RuntimeFlavor},
    sync::oneshot,
};

pub(crate) use self::{
    batch::Replicas,
    route::{Answers, Route},
};
use crate::topology::Discovery;

/// One route for everybody, whose connections are on the manager's own thread, and if that is
/// wished one for each runtime of one thread that calls.
pub(crate) struct ConnectionPool {
    shared: Arc<Route>,
    plan: Arc<Plan>,
    workers: Arc<Mutex<Workers>>,
}

/// What every route is made from.
pub(crate) struct Plan {
    pub(crate) discovery: Arc<Discovery>,
    pub(crate) keep_alive: Duration,
    /// Whether writes wait for replicas.
    pub(crate) replicas: Option<Replicas>,
    /// Whether each runtime of one thread has connections of its own.
    pub(crate) per_worker: bool,
}

type Workers = HashMap<Id, Worker>;

/// A runtime of one thread.
struct Worker {
    route: Arc<Route>,
    /// Ends the task that tells of the runtime's end.
    _known: oneshot::Sender<()>,
}

/// Dropped with the runtime it was sent to: nobody calls from there any more.
struct Leave {
    workers: Weak<Mutex<Workers>>,
    id: Id,
}

impl ConnectionPool {
    pub(crate) fn new(plan: Plan) -> Self {
        let plan = Arc::new(plan);
        Self { shared: Arc::new(Route::new(&plan, None)), plan, workers: Arc::default() }
    }

    /// The route for a call from where this is called.
    pub(crate) fn here(&self) -> Arc<Route> {
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

    fn of(&self, home: &Handle) -> Arc<Route> {
        if let Some(worker) = lock(&self.workers).get(&home.id()) {
            return Arc::clone(&worker.route);
        }
        let (known, forgotten) = oneshot::channel::<()>();
        let route = Arc::new(Route::new(&self.plan, Some(home.clone())));
        let worker = Worker { route: Arc::clone(&route), _known: known };
        lock(&self.workers).insert(home.id(), worker);
        let leave = Leave { workers: Arc::downgrade(&self.workers), id: home.id() };
        // Not under the lock: a runtime that is ending drops the task at once.
        drop(home.spawn(async move {
            let _leave = leave;
            drop(forgotten.await);
        }));
        route
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

impl fmt::Debug for ConnectionPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = self.shared.is_connected();
        f.debug_struct("ConnectionPool").field("connected", &connected).finish_non_exhaustive()
    }
}

/// Nothing in here panics while it holds the lock, so a poisoned one guards whole data.
fn lock(workers: &Mutex<Workers>) -> MutexGuard<'_, Workers> {
    workers.lock().unwrap_or_else(PoisonError::into_inner)
}
