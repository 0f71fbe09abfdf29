//! What is remembered of files that were read, so that looking again is one call.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use session_core::{Probe, SessionId};

use crate::{
    dates,
    syscalls::{Moment, Stat},
};

/// So many files are remembered by each of the tables.
const MOST: usize = 1_024;
const TABLES: usize = 64;

/// What files held when they were read.
pub(super) struct Seen {
    tables: Box<[Mutex<HashMap<SessionId, Known>>]>,
}

/// The state of a file, and what it holds as long as it is in it.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) probe: Probe,
    inode: (u64, u64),
    changed: Moment,
    modified: Moment,
}

impl Known {
    pub(super) fn is(&self, stat: &Stat) -> bool {
        (self.inode, self.changed, self.modified) == (stat.inode, stat.changed, stat.modified)
    }
}

impl Seen {
    pub(super) fn new() -> Self {
        Self { tables: (0..TABLES).map(|_| Mutex::default()).collect() }
    }

    pub(super) fn get(&self, id: &SessionId) -> Option<Known> {
        self.table(id).get(id).copied()
    }

    /// The file of `id` held this, and was in this state after it was read.
    pub(super) fn insert(&self, id: &SessionId, probe: Probe, stat: &Stat) {
        let mut table = self.table(id);
        if !dates::tells(&probe, stat) {
            table.remove(id);
            return;
        }
        // All at once instead of one by one: what it costs is one more read of each.
        if table.len() >= MOST && !table.contains_key(id) {
            table.clear();
        }
        let Stat { inode, changed, modified, .. } = *stat;
        table.insert(*id, Known { probe, inode, changed, modified });
    }

    pub(super) fn remove(&self, id: &SessionId) {
        self.table(id).remove(id);
    }

    fn table(&self, id: &SessionId) -> MutexGuard<'_, HashMap<SessionId, Known>> {
        // The bytes of an id are random.
        let at = usize::from(id.as_bytes()[14]) % self.tables.len();
        self.tables[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seen(..)")
    }
}
