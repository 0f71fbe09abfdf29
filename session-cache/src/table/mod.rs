//! The table: records by id, bounded, in shards.

mod entries;
mod shard;
mod since;
mod tickets;
mod uncertain_writes;

use std::{fmt, hash::BuildHasher as _, sync::Arc, thread};

use quick_cache::DefaultHashBuilder;
use session_core::{Record, SessionId, Timestamp};

use self::entries::Bounds;
pub(crate) use self::{
    entries::Found,
    shard::{Loaded, Shard, Start, Written},
    tickets::Ticket,
};
use crate::Figures;

/// Spreads ids over shards and in them, keyed at random.
pub(crate) type IdHashing = DefaultHashBuilder;

/// Records by id, bounded by entries and by bytes: what a
/// [`CachingSessionManager`](crate::CachingSessionManager) keeps its records in.
///
/// Knows nothing of parents, deadlines and coherence. Public so that it can be measured beside
/// other tables; an application wants the manager.
///
/// # Examples
///
/// ```
/// use session_cache::RecordTable;
///
/// let table = RecordTable::new(10_000, 64 << 20);
/// assert_eq!(table.figures().entries, 0);
/// ```
pub struct RecordTable {
    shards: Box<[Shard]>,
    hashing: IdHashing,
    epoch: Timestamp,
}

impl RecordTable {
    /// A table for at most `capacity` records that take at most `max_bytes` bytes.
    pub fn new(capacity: usize, max_bytes: usize) -> Self {
        Self::since(Timestamp::EPOCH, capacity, max_bytes)
    }

    /// A table that counts times from `epoch`.
    pub(crate) fn since(epoch: Timestamp, capacity: usize, max_bytes: usize) -> Self {
        let hashing = IdHashing::default();
        let shards = shards(capacity, max_bytes);
        let shards = (0..shards)
            .map(|at| {
                let entries = capacity / shards + usize::from(at < capacity % shards);
                let uncertain = if entries == 0 { 0 } else { MOST_UNCERTAIN / shards };
                let bounds = Bounds { entries, bytes: max_bytes / shards };
                Shard::new(bounds, uncertain, epoch, &hashing)
            })
            .collect();
        Self { shards, hashing, epoch }
    }

    /// The record kept under `id`. It counts as used.
    #[inline]
    pub fn get(&self, id: &SessionId) -> Option<Arc<Record>> {
        self.shard(id).get(id)
    }

    /// Keeps `record` under its own id; others may have to leave, and it may itself before long.
    pub fn insert(&self, record: &Arc<Record>) {
        self.shard(record.id()).insert(record, Timestamp::EPOCH);
    }

    /// Forgets what is kept under `id`.
    pub fn remove(&self, id: &SessionId) {
        self.shard(id).invalidate(id);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.shards.iter().for_each(Shard::clear);
    }

    /// What the table did, and what it holds.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        self.shards.iter().for_each(|shard| shard.add_to(&mut figures));
        figures
    }

    /// Since when an entry is known to be current.
    pub(crate) fn since_when(&self, found: &Found) -> Timestamp {
        found.since.after(self.epoch)
    }

    /// The part that holds `id`.
    #[inline]
    pub(crate) fn shard(&self, id: &SessionId) -> &Shard {
        // Of the bits that the hash table of the shard uses least.
        let hash = self.hashing.hash_one(id) >> 32;
        &self.shards[hash as usize & (self.shards.len() - 1)]
    }
}

impl fmt::Debug for RecordTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordTable").field("figures", &self.figures()).finish_non_exhaustive()
    }
}

/// A shard has no fewer entries than this, so that chance does not fill one while another has room.
const LEAST_ENTRIES: usize = 512;
/// Nor fewer bytes than this: several of the largest records.
const LEAST_BYTES: usize = 8 * Record::MAX_BYTES;

/// As many ids of uncertain writes are remembered, in all shards together.
const MOST_UNCERTAIN: usize = 1 << 15;

/// How many shards, a power of two.
fn shards(capacity: usize, max_bytes: usize) -> usize {
    let threads = thread::available_parallelism().map_or(4, usize::from);
    let wanted = (threads * 8).next_power_of_two();
    let most = (capacity / LEAST_ENTRIES).min(max_bytes / LEAST_BYTES).max(1);
    wanted.min(1 << most.ilog2())
}
