//! What is remembered of files that were looked at, so that looking again is one call.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use session_core::{Probe, SessionId, Timestamp};

use crate::syscalls::{Moment, Stat};

/// For how long after a look the kernel is trusted to have the name and the state of a file at
/// hand: it keeps those that are asked for again.
const AT_HAND: Duration = Duration::from_secs(10);

/// So many files are remembered by each of the tables.
const MOST: usize = 1_024;
const TABLES: usize = 64;

/// What files held when they were looked at.
pub(super) struct Seen {
    tables: Box<[Mutex<HashMap<SessionId, File>>]>,
}

#[derive(Clone, Copy)]
struct File {
    probe: Probe,
    state: State,
    looked: Timestamp,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    /// It was read while it may have been written to.
    Read,
    /// It held just this under its lock, and was dated long enough before that every later change
    /// is dated otherwise.
    Settled { inode: (u64, u64), changed: Moment },
}

/// What is known of a file before it is looked at.
pub(super) enum Known {
    Nothing,
    /// It was read before, and held this.
    Read(Probe),
    /// If its state is still so, it holds this.
    Settled(Expected),
}

/// A state, and what the file holds as long as it is in it.
pub(super) struct Expected {
    pub(super) probe: Probe,
    inode: (u64, u64),
    changed: Moment,
}

impl Expected {
    pub(super) fn is(&self, stat: &Stat) -> bool {
        self.inode == stat.inode && self.changed == stat.changed
    }
}

impl Seen {
    pub(super) fn new() -> Self {
        Self { tables: (0..TABLES).map(|_| Mutex::default()).collect() }
    }

    /// What is known of the file of `id`, for a look at `now`.
    pub(super) fn known(&self, id: &SessionId, now: Timestamp) -> Known {
        let table = self.table(id);
        let Some(file) = table.get(id) else { return Known::Nothing };
        match file.state {
            State::Settled { inode, changed } if now < file.looked.saturating_add(AT_HAND) => {
                Known::Settled(Expected { probe: file.probe, inode, changed })
            }
            State::Read | State::Settled { .. } => Known::Read(file.probe),
        }
    }

    /// A look found what was expected.
    pub(super) fn again(&self, id: &SessionId, now: Timestamp) {
        if let Some(file) = self.table(id).get_mut(id) {
            file.looked = now;
        }
    }

    /// The file was read, and held this.
    pub(super) fn read(&self, id: &SessionId, probe: Probe, now: Timestamp) {
        self.insert(id, File { probe, state: State::Read, looked: now });
    }

    /// The file held this under its lock, in a state that no later change leaves as it is.
    pub(super) fn settled(&self, id: &SessionId, probe: Probe, stat: &Stat, now: Timestamp) {
        let state = State::Settled { inode: stat.inode, changed: stat.changed };
        self.insert(id, File { probe, state, looked: now });
    }

    pub(super) fn forget(&self, id: &SessionId) {
        self.table(id).remove(id);
    }

    fn insert(&self, id: &SessionId, file: File) {
        let mut table = self.table(id);
        // All at once instead of one by one: what it costs is one more look at each.
        if table.len() >= MOST && !table.contains_key(id) {
            table.clear();
        }
        table.insert(*id, file);
    }

    fn table(&self, id: &SessionId) -> MutexGuard<'_, HashMap<SessionId, File>> {
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
