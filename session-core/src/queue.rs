//! Saves of one session, one after the other.

use async_lock::{Mutex, MutexGuard};

use crate::SessionId;

/// Locks by session: within a process, saves of one session wait for each other instead of meeting
/// as conflicts in the store.
///
/// Sessions share a fixed number of locks, so that nothing has to be made and cleared away for each
/// save. Two sessions that share one wait for each other now and then; nobody can choose to, since
/// sids are random.
#[derive(Debug)]
pub(crate) struct Queue(Box<[Mutex<()>]>);

const LOCKS: usize = 1024;

impl Queue {
    pub(crate) fn new() -> Self {
        Self((0..LOCKS).map(|_| Mutex::new(())).collect())
    }

    pub(crate) async fn enter(&self, id: &SessionId) -> MutexGuard<'_, ()> {
        let [a, b, ..] = *id.as_bytes();
        self.0[usize::from(u16::from_le_bytes([a, b])) % LOCKS].lock().await
    }
}
