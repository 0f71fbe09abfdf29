//! What is known from the parent's feed of changes.

use std::{sync::Arc, time::Duration};

use session_core::{Clock, SessionId, Timestamp, WatchChanges};

use crate::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
        lock,
    },
    table::RecordTable,
};

/// Keeps a table in step with a feed of changes.
#[derive(Debug)]
pub(crate) struct Feed {
    table: Arc<RecordTable>,
    clock: Arc<dyn Clock>,
    heartbeat: Duration,
    /// The last millisecond at which the feed counts as whole if nothing more is heard: later the
    /// cache rests until the next sign of life. 0: it is broken.
    whole_until: AtomicU64,
    /// Held while the state of the feed is changed.
    turning: Mutex<()>,
}

const BROKEN: u64 = 0;

impl Feed {
    /// A feed nothing was heard of yet.
    pub(crate) fn new(table: Arc<RecordTable>, clock: Arc<dyn Clock>, heartbeat: Duration) -> Self {
        let whole_until = AtomicU64::new(BROKEN);
        Self { table, clock, heartbeat, whole_until, turning: Mutex::new(()) }
    }

    /// Whether the table may be used now. Takes no lock.
    pub(crate) fn is_whole(&self, now: Timestamp) -> bool {
        let until = self.whole_until.load(Ordering::SeqCst);
        until != BROKEN && now.as_millis() <= until
    }

    /// Whether the table holds what it will, though it may have to rest now.
    pub(crate) fn is_unbroken(&self) -> bool {
        self.whole_until.load(Ordering::SeqCst) != BROKEN
    }
}

impl WatchChanges for Feed {
    fn changed(&self, id: &SessionId) {
        self.table.shard(id).invalidate(id);
    }

    fn alive(&self) {
        let _turn = lock(&self.turning);
        let now = self.clock.now();
        // After a silence the cache is used as it is: nothing was lost, or the feed would have
        // broken first.
        if self.whole_until.load(Ordering::SeqCst) == BROKEN {
            // What was read while changes may have been missed must not be used, and what is being
            // read must not come in.
            self.table.clear();
            tracing::info!("the feed of changes is whole: the cache is used");
        }
        let until = now.saturating_add(self.heartbeat).as_millis().max(BROKEN + 1);
        self.whole_until.store(until, Ordering::SeqCst);
    }

    fn broken(&self) {
        let _turn = lock(&self.turning);
        self.whole_until.store(BROKEN, Ordering::SeqCst);
        self.table.clear();
        tracing::warn!("the feed of changes broke: every request goes to the store");
    }
}
