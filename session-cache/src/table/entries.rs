//! The entries of one shard.

use std::{fmt, mem, sync::Arc};

use quick_cache::{Lifecycle, OptionsBuilder, Weighter, unsync::Cache};
use session_core::{Record, SessionId, Timestamp};

use super::{IdHashing, since::Since};

/// A record, and since when it is known to be current.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) record: Arc<Record>,
    pub(crate) since: Since,
    /// What the entry takes, in bytes.
    cost: u32,
}

/// Bounded storage of records: a cache of the field, as it is used by one thread at a time.
pub(super) struct Entries {
    cache: Cache<SessionId, Found, Weight, IdHashing, Evict>,
    bounds: Bounds,
    hashing: IdHashing,
    /// What times are counted from.
    epoch: Timestamp,
    bytes: usize,
}

/// What was replaced, what left to make room, and what did not fit: to be dropped without the lock.
pub(super) type Evicted = Vec<Found>;

/// How much a shard may hold.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) entries: usize,
    pub(super) bytes: usize,
}

/// The larger of what an entry takes and of its part of the bytes, so that one bound keeps both.
struct Weight {
    /// So much that one entry more than is allowed would not fit.
    least: u64,
}

/// Hands out what leaves.
struct Evict;

/// The part of the weight that frequently used entries may take, and how many of the ids that left
/// are remembered, as a part of the entries. Chosen by the frozen traces of `examples/hit_ratio`:
/// with the crate's own 0.97 and 0.5, the sessions of users who come back after lunch are evicted
/// more often.
const HOT: f64 = 0.9;
const GHOSTS: f64 = 0.4;

/// The part of the table that belongs to one entry: its place of 56 bytes in the slab, two fifths
/// of one for ids that left, and their places of five bytes in a hash table that has just doubled.
const ENTRY: usize = (size_of::<Found>() + size_of::<SessionId>() + 24) * 7 / 5 + 17;

/// Room for so many entries is reserved at the start, so that the slab does not grow by doubling
/// and leave a part of itself unused. What is reserved takes memory only once it is used.
const RESERVED: usize = 1 << 20;

impl Entries {
    pub(super) fn new(bounds: Bounds, epoch: Timestamp, hashing: IdHashing) -> Self {
        Self { cache: bounds.cache(&hashing), bounds, hashing, epoch, bytes: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.cache.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The entry of `id`, which is marked as used.
    #[inline]
    pub(super) fn get(&self, id: &SessionId) -> Option<Found> {
        self.cache.get(id).cloned()
    }

    /// The entry of `id`, which is not marked.
    pub(super) fn peek(&self, id: &SessionId) -> Option<&Found> {
        self.cache.peek(id)
    }

    /// Keeps `record` under its own id, in place of what was there. Returns how many others left to
    /// make room.
    pub(super) fn insert(
        &mut self,
        record: &Arc<Record>,
        since: Timestamp,
        evicted: &mut Evicted,
    ) -> u64 {
        let cost = u32::try_from(ENTRY + record.memory_len()).unwrap_or(u32::MAX);
        let since = Since::of(since, self.epoch);
        let entry = Found { record: Arc::clone(record), since, cost };
        self.bytes += entry.bytes();
        self.cache.insert_with_lifecycle(*record.id(), entry, evicted);
        self.bytes -= evicted.iter().map(Found::bytes).sum::<usize>();
        evicted.iter().filter(|left| left.record.id() != record.id()).count() as u64
    }

    pub(super) fn remove(&mut self, id: &SessionId) -> Option<Found> {
        let (_, removed) = self.cache.remove(id)?;
        self.bytes -= removed.bytes();
        Some(removed)
    }

    /// Forgets everything, which is to be dropped without the lock.
    pub(super) fn clear(&mut self) -> Self {
        let empty = Self::new(self.bounds, self.epoch, self.hashing.clone());
        mem::replace(self, empty)
    }
}

impl Found {
    fn bytes(&self) -> usize {
        self.cost as usize
    }
}

impl Bounds {
    #[expect(clippy::expect_used, reason = "building options fails only without a capacity")]
    fn cache(self, hashing: &IdHashing) -> Cache<SessionId, Found, Weight, IdHashing, Evict> {
        // Sums of weights stay far below what 64 bits hold.
        let bytes = if self.entries == 0 { 0 } else { self.bytes.min(1 << 48) };
        let entries = self.entries.min(bytes / (ENTRY + Record::HEADER_BYTES));
        let least = bytes as u64 / (self.entries as u64 + 1) + 1;
        let options = OptionsBuilder::new()
            .estimated_items_capacity(entries)
            .weight_capacity(bytes as u64)
            .hot_allocation(HOT)
            .ghost_allocation(GHOSTS)
            .build()
            .expect("both capacities are set");
        let mut cache = Cache::with_options(options, Weight { least }, hashing.clone(), Evict);
        cache.reserve(entries.min(RESERVED));
        cache
    }
}

impl Weighter<SessionId, Found> for Weight {
    fn weight(&self, _: &SessionId, entry: &Found) -> u64 {
        self.least.max(entry.cost.into())
    }
}

impl Lifecycle<SessionId, Found> for Evict {
    type RequestState = Evicted;

    fn on_evict(&self, evicted: &mut Evicted, _: SessionId, entry: Found) {
        evicted.push(entry);
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").field("len", &self.len()).finish_non_exhaustive()
    }
}
