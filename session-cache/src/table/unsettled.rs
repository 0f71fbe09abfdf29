//! Writes that may still happen.

use std::{collections::HashMap, fmt};

use session_core::{SessionId, Timestamp};

use super::hash::IdHashing;

/// The ids of writes of which it is not known whether they took place, or will.
///
/// A write whose answer was an error, or that nobody waits for any more, may reach the store late.
/// A record of that id read before then must not be kept as the current one.
pub(super) struct Unsettled {
    until: HashMap<SessionId, Timestamp, IdHashing>,
    /// Until when every id counts as unsettled, because there were too many to remember.
    all_until: Timestamp,
}

/// More ids than this in one shard, and all of them count.
const MOST: usize = 512;

impl Unsettled {
    pub(super) fn new(hashing: IdHashing) -> Self {
        Self { until: HashMap::with_hasher(hashing), all_until: Timestamp::EPOCH }
    }

    pub(super) fn insert(&mut self, id: &SessionId, until: Timestamp, now: Timestamp) {
        if self.until.len() >= MOST {
            self.until.retain(|_, until| now < *until);
        }
        if self.until.len() >= MOST {
            self.all_until = self.all_until.max(until);
            // Those that were remembered end no later than this one.
            self.until.clear();
        } else {
            self.until.insert(*id, until);
        }
    }

    pub(super) fn contains(&mut self, id: &SessionId, now: Timestamp) -> bool {
        if now < self.all_until {
            return true;
        }
        match self.until.get(id) {
            None => false,
            Some(until) if now < *until => true,
            Some(_) => {
                self.until.remove(id);
                false
            }
        }
    }
}

impl fmt::Debug for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsettled").field("len", &self.until.len()).finish_non_exhaustive()
    }
}
