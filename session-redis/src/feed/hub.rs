//! Those who are told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use session_core::{SessionId, WatchChanges};
use tokio::sync::Notify;

/// The watchers of a feed.
///
/// All but [`add`](Self::add) and [`remove`](Self::remove) is called on the thread of the engine
/// alone, so nothing is told out of its order.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
    stirred: Notify,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    watchers: BTreeMap<u64, Arc<dyn WatchChanges>>,
    /// Whether a task serves the watchers.
    served: bool,
    whole: bool,
}

impl Hub {
    /// Adds a watcher: its number, and whether a task must begin to serve it.
    pub(super) fn add(&self, watcher: Arc<dyn WatchChanges>) -> (u64, bool) {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.watchers.insert(number, watcher);
        let begins = !std::mem::replace(&mut state.served, true);
        (number, begins)
    }

    pub(super) fn remove(&self, number: u64) {
        let watcher = self.state().watchers.remove(&number);
        // Dropped with the lock released: it may be anything.
        drop(watcher);
        self.stir();
    }

    /// Whether nobody is left; then nobody is served any more.
    pub(super) fn ends(&self) -> bool {
        let mut state = self.state();
        let ends = state.watchers.is_empty();
        if ends {
            state.served = false;
        }
        ends
    }

    pub(super) fn is_deserted(&self) -> bool {
        self.state().watchers.is_empty()
    }

    /// Wakes the task that serves the watchers: something is not as it was.
    pub(super) fn stir(&self) {
        self.stirred.notify_one();
    }

    pub(super) async fn stirred(&self) {
        self.stirred.notified().await;
    }

    pub(super) fn changed(&self, id: &SessionId) {
        for watcher in self.watchers() {
            watcher.changed(id);
        }
    }

    pub(super) fn alive(&self) {
        self.state().whole = true;
        for watcher in self.watchers() {
            watcher.alive();
        }
    }

    /// Tells that the feed broke, once for each time that it was whole.
    pub(super) fn broken(&self) {
        if std::mem::replace(&mut self.state().whole, false) {
            for watcher in self.watchers() {
                watcher.broken();
            }
        }
    }

    fn watchers(&self) -> Vec<Arc<dyn WatchChanges>> {
        self.state().watchers.values().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
