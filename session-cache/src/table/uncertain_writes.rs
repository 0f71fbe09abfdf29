//! Writes that may still take place.

use std::{collections::HashMap, fmt};

use session_core::{SessionId, Timestamp, Version};

use super::IdHashing;

/// The ids of writes of which it is not known whether they took place, or will.
///
/// A write whose answer was an error, or whose request was dropped, may reach the store at any
/// later time. It names the version that it replaces, and must fail once the store has held a later
/// one. So its id stays uncertain until a later version was stored or read, until the record is
/// found gone, or until it has expired, and no timer decides. A removal that names no version
/// may hit any.
pub(super) struct UncertainWrites {
    ids: HashMap<SessionId, Uncertain, IdHashing>,
    most: usize,
    /// Whether there were too many to remember. Every id counts then.
    overflowed: bool,
}

struct Uncertain {
    /// The latest version that one of the writes may replace.
    version: Version,
    /// The record has expired by then, whatever of these writes takes place.
    expires_at: Timestamp,
}

impl UncertainWrites {
    pub(super) fn new(most: usize, hashing: IdHashing) -> Self {
        Self { ids: HashMap::with_hasher(hashing), most, overflowed: false }
    }

    /// Whether a write of `id` may still take place.
    #[inline]
    pub(super) fn contains(&self, id: &SessionId) -> bool {
        self.overflowed || (!self.ids.is_empty() && self.ids.contains_key(id))
    }

    /// Remembers a write that may replace `version` of a record, or let it expire at `asked`.
    ///
    /// `expires_at` is when the record expires now, if that is known.
    pub(super) fn insert(
        &mut self,
        id: &SessionId,
        version: Version,
        asked: Timestamp,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        if let Some(known) = self.ids.get_mut(id) {
            known.version = known.version.max(version);
            known.expires_at = known.expires_at.max(asked);
            return;
        }
        if self.overflowed {
            return;
        }
        if self.ids.len() >= self.most {
            self.ids.retain(|_, uncertain| now < uncertain.expires_at);
            // Not a few places at a time: each look for them passes all ids.
            if self.ids.len() > self.most / 2 {
                self.overflowed = true;
                self.ids = HashMap::with_hasher(self.ids.hasher().clone());
                tracing::warn!(
                    "too many writes of the store have an unknown end: until this process \
                     restarts, a part of the cache asks the store at every hit"
                );
                return;
            }
        }
        let expires_at = expires_at.map_or(Timestamp::MAX, |known| known.max(asked));
        self.ids.insert(*id, Uncertain { version, expires_at });
    }

    /// The store holds, or has held, this version, with this deadline.
    pub(super) fn stored(&mut self, id: &SessionId, version: Version, expires_at: Timestamp) {
        if self.ids.is_empty() {
            return;
        }
        let Some(known) = self.ids.get_mut(id) else { return };
        if version > known.version {
            self.ids.remove(id);
        } else {
            known.expires_at = known.expires_at.max(expires_at);
        }
    }

    /// The store holds no record of `id`, and none of these writes creates one.
    pub(super) fn gone(&mut self, id: &SessionId) {
        self.ids.remove(id);
    }
}

impl fmt::Debug for UncertainWrites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UncertainWrites").field("len", &self.ids.len()).finish_non_exhaustive()
    }
}
