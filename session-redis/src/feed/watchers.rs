//! Those who are notified.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use session_core::{SessionId, WatchChanges};
use tokio::sync::Notify;

/// The watchers of a feed.
///
/// [`alive`](Self::alive) and [`broken`](Self::broken) are called on the thread of the engine
/// alone, so neither overtakes the other.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    state: Mutex<State>,
    count: AtomicUsize,
    stirred: Notify,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    watchers: BTreeMap<u64, Arc<dyn WatchChanges>>,
    whole: bool,
}

impl Watchers {
    pub(super) fn add(&self, watcher: Arc<dyn WatchChanges>) -> u64 {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.watchers.insert(number, watcher);
        self.count.store(state.watchers.len(), Ordering::SeqCst);
        drop(state);
        self.stir();
        number
    }

    pub(super) fn remove(&self, number: u64) {
        let mut state = self.state();
        let watcher = state.watchers.remove(&number);
        self.count.store(state.watchers.len(), Ordering::SeqCst);
        drop(state);
        // Dropped with the lock released: it may be anything.
        drop(watcher);
        self.stir();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::SeqCst) == 0
    }

    /// Wakes the task that serves the watchers: something is not as it was.
    pub(crate) fn stir(&self) {
        self.stirred.notify_one();
    }

    pub(super) async fn stirred(&self) {
        self.stirred.notified().await;
    }

    pub(crate) fn changed(&self, id: &SessionId) {
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

    /// Says that the feed broke, once for each time that it was whole.
    pub(crate) fn broken(&self) {
        if std::mem::replace(&mut self.state().whole, false) {
            for watcher in self.watchers() {
                watcher.broken();
            }
        }
    }

    fn watchers(&self) -> Vec<Arc<dyn WatchChanges>> {
        if self.is_empty() {
            return Vec::new();
        }
        self.state().watchers.values().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
