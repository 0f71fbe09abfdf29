//! What was done to one session, and what a read may therefore show.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use session_core::SessionId;

/// A session, with every change of it.
pub(crate) struct Session {
    pub(crate) id: SessionId,
    changes: Mutex<Vec<Change>>,
}

#[derive(Clone, Copy)]
struct Change {
    /// The version that was put; 0: removed.
    version: u64,
    answered: Option<Instant>,
}

/// What is wrong with a read.
pub(crate) enum Verdict {
    Fresh,
    /// The change it does not show was answered so long before it began.
    Stale(Duration),
    /// It shows what was never there.
    Wrong,
}

impl Session {
    pub(crate) fn new(id: SessionId) -> Self {
        Self { id, changes: Mutex::default() }
    }

    /// Notes a change that is about to be asked for.
    pub(crate) fn begins(&self, version: u64) {
        self.changes().push(Change { version, answered: None });
    }

    /// Notes that the last change was answered.
    pub(crate) fn ends(&self) {
        if let Some(change) = self.changes().last_mut() {
            change.answered = Some(Instant::now());
        }
    }

    /// The version that was answered last; 0: it is not there.
    pub(crate) fn version(&self) -> u64 {
        let changes = self.changes();
        changes.iter().rev().find(|it| it.answered.is_some()).map_or(0, |it| it.version)
    }

    /// Judges a read that began at `began` and showed `version`.
    pub(crate) fn judge(&self, version: u64, began: Instant) -> Verdict {
        let changes = self.changes();
        let shown = match changes.iter().rposition(|change| change.version == version) {
            Some(at) => at + 1,
            // Before the first change there is nothing.
            None if version == 0 => 0,
            None => return Verdict::Wrong,
        };
        let missed = changes.get(shown).and_then(|next| next.answered);
        match missed.and_then(|answered| began.checked_duration_since(answered)) {
            Some(behind) if !behind.is_zero() => Verdict::Stale(behind),
            _ => Verdict::Fresh,
        }
    }

    fn changes(&self) -> MutexGuard<'_, Vec<Change>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
