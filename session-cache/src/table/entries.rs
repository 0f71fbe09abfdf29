//! The entries of one shard and the order in which they leave.

#![expect(
    clippy::cast_possible_truncation,
    reason = "positions stay below `NONE`, which the number of entries is limited to; a print is part of a hash"
)]

use std::{fmt, sync::Arc};

use indexmap::IndexMap;
use session_core::{Record, SessionId, Timestamp};

use super::{
    ghosts::Ghosts,
    hash::IdHashing,
    queue::{Linked, Links, NONE, Queue},
};
use crate::sync::atomic::{AtomicU8, Ordering};

/// What is kept of a record, and since when it is known to be current.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) record: Arc<Record>,
    pub(crate) since: Since,
}

/// Bounded storage of records: S3-FIFO on an [`IndexMap`].
///
/// A newcomer enters the small queue. Who is asked for there moves to the main queue when its turn
/// to leave comes; who is not, leaves. Who is asked for in the main queue goes round again. Whoever
/// leaves is remembered for a while, and enters the main queue at once if it comes back. So a hit
/// only marks, and a flood of one-time visitors passes through the small queue.
///
/// What differs from the paper was chosen by the frozen traces of `examples/hit_ratio`: those who
/// leave the main queue are remembered too, since users come back after lunch; an entry is marked
/// twice at most, since a session that was busy and ended must go soon; and the small queue is a
/// twelfth.
///
/// # Source
///
/// Yang, Zhang, Qiu, Yue, Vinayak: "FIFO queues are all you need for cache eviction", SOSP 2023.
pub(super) struct Entries {
    map: Slots,
    small: Queue,
    main: Queue,
    ghosts: Ghosts,
    /// Whether anything had to leave yet. Until then newcomers enter the main queue, which then
    /// fills the table but for the small one.
    filled: bool,
    /// What times are counted from.
    epoch: Timestamp,
    bytes: usize,
    most: usize,
    max_bytes: usize,
}

struct Slots(IndexMap<SessionId, Slot, IdHashing>);

struct Slot {
    record: Arc<Record>,
    links: Links,
    since: Since,
    cost: Cost,
    queue: Place,
    /// How often the entry was asked for since it was last looked at for eviction, up to
    /// [`MOST_MARKS`].
    marks: AtomicU8,
}

/// A point in time in four bytes: parts of 16 milliseconds since the table was made, rounded down.
/// After two years without a restart it stands still, so that entries look older than they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since(u32);

#[derive(Clone, Copy, Eq, PartialEq)]
enum Place {
    Small,
    Main,
}

/// What left to make room, and what was replaced: to be dropped without the lock.
#[derive(Default)]
pub(super) struct Evicted {
    replaced: Option<Arc<Record>>,
    first: Option<Arc<Record>>,
    rest: Vec<Arc<Record>>,
}

const MOST_MARKS: u8 = 2;
/// How many marks lead from the small queue to the main one.
const PROMOTED_AT: u8 = 1;
/// The small queue is this part of all entries.
const SMALL_PART: usize = 12;

impl Entries {
    pub(super) fn new(
        max_entries: usize,
        max_bytes: usize,
        epoch: Timestamp,
        hashing: IdHashing,
    ) -> Self {
        let max_entries = max_entries.min(NONE as usize - 1);
        let by_bytes = max_bytes / SMALLEST;
        Self {
            map: Slots(IndexMap::with_hasher(hashing)),
            small: Queue::new(),
            main: Queue::new(),
            ghosts: Ghosts::new(max_entries.min(by_bytes)),
            filled: false,
            epoch,
            bytes: 0,
            most: max_entries,
            max_bytes,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.map.0.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is kept under `id`, which is marked as asked for.
    pub(super) fn get(&self, id: &SessionId) -> Option<Found> {
        let slot = self.map.0.get(id)?;
        let marks = slot.marks.load(Ordering::Relaxed);
        if marks < MOST_MARKS {
            slot.marks.store(marks + 1, Ordering::Relaxed);
        }
        Some(Found { record: Arc::clone(&slot.record), since: slot.since })
    }

    /// What is kept under `id`, for those who look and do not use.
    pub(super) fn peek(&self, id: &SessionId) -> Option<&Arc<Record>> {
        self.map.0.get(id).map(|slot| &slot.record)
    }

    /// Keeps `record` under its own id, in place of what was there.
    pub(super) fn insert(&mut self, record: &Arc<Record>, since: Timestamp) -> Evicted {
        let mut evicted = Evicted::default();
        let cost = Cost::of(record);
        if self.most == 0 || cost.bytes() > self.max_bytes {
            evicted.replaced = self.remove(record.id());
            return evicted;
        }
        let since = Since::of(since, self.epoch);
        if let Some(slot) = self.map.0.get_mut(record.id()) {
            self.bytes = self.bytes - slot.cost.bytes() + cost.bytes();
            slot.cost = cost;
            slot.since = since;
            // It was just used, so if it grew, others leave first.
            slot.marks = AtomicU8::new(MOST_MARKS);
            evicted.replaced = Some(std::mem::replace(&mut slot.record, Arc::clone(record)));
            while self.bytes > self.max_bytes {
                let Some(at) = self.leaving() else { break };
                evicted.push(self.take_out(at));
            }
            return evicted;
        }
        // The last to leave hands its position over.
        let mut free = None;
        while self.len() - usize::from(free.is_some()) >= self.most
            || self.bytes + cost.bytes() > self.max_bytes
        {
            if let Some(at) = free.take() {
                evicted.push(self.forget(at));
            }
            let Some(at) = self.leaving() else { break };
            self.leave(at);
            free = Some(at);
        }
        let print = print_of(self.map.0.hasher().of(record.id()));
        self.filled |= free.is_some();
        let place =
            if !self.filled || self.ghosts.take(print) { Place::Main } else { Place::Small };
        let slot = Slot {
            record: Arc::clone(record),
            links: Links { before: NONE, after: NONE },
            since,
            cost,
            queue: place,
            marks: AtomicU8::new(0),
        };
        let at = match free {
            Some(at) => {
                // The id is not in the table, so the key is replaced and nothing else happens.
                let _left = self.map.0.replace_index(at as usize, *record.id());
                let left = std::mem::replace(&mut self.map.0[at as usize], slot);
                evicted.push(Some(left.record));
                at
            }
            None => self.map.push(*record.id(), slot),
        };
        match place {
            Place::Small => self.small.push(&mut self.map, at),
            Place::Main => self.main.push(&mut self.map, at),
        }
        self.bytes += cost.bytes();
        evicted
    }

    pub(super) fn remove(&mut self, id: &SessionId) -> Option<Arc<Record>> {
        let at = self.map.0.get_index_of(id)?;
        self.take_out(at as u32)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) -> usize {
        let dropped = self.len();
        self.map.0 = IndexMap::with_hasher(self.map.0.hasher().clone());
        self.small = Queue::new();
        self.main = Queue::new();
        self.filled = false;
        self.bytes = 0;
        dropped
    }

    /// Finds who is to leave next. Amortised one step: an entry that stays a round was asked for
    /// since the last.
    fn leaving(&mut self) -> Option<u32> {
        loop {
            let small_may_be = (self.len() / SMALL_PART).max(1);
            let from_small = self.small.len() >= small_may_be || self.main.len() == 0;
            let queue = if from_small { &self.small } else { &self.main };
            let at = queue.oldest()?;
            let (id, slot) = self.map.0.get_index(at as usize)?;
            let marks = slot.marks.load(Ordering::Relaxed);
            let stays = if from_small { marks >= PROMOTED_AT } else { marks > 0 };
            if !stays {
                self.ghosts.insert(print_of(self.map.0.hasher().of(id)));
                return Some(at);
            }
            slot.marks.store(if from_small { 0 } else { marks - 1 }, Ordering::Relaxed);
            let from = if from_small { &mut self.small } else { &mut self.main };
            from.unlink(&mut self.map, at);
            self.map.0[at as usize].queue = Place::Main;
            self.main.push(&mut self.map, at);
        }
    }

    /// Takes an entry out.
    fn take_out(&mut self, at: u32) -> Option<Arc<Record>> {
        self.leave(at);
        self.forget(at)
    }

    /// Takes an entry out of its queue and of the count of bytes; it still holds its position.
    fn leave(&mut self, at: u32) {
        if let Some((_, slot)) = self.map.0.get_index(at as usize) {
            self.bytes -= slot.cost.bytes();
            match slot.queue {
                Place::Small => self.small.unlink(&mut self.map, at),
                Place::Main => self.main.unlink(&mut self.map, at),
            }
        }
    }

    /// Gives up the position of an entry that has left; the entry at the last position takes it.
    fn forget(&mut self, at: u32) -> Option<Arc<Record>> {
        let (_, slot) = self.map.0.swap_remove_index(at as usize)?;
        if let Some((_, moved)) = self.map.0.get_index(at as usize) {
            match moved.queue {
                Place::Small => self.small.moved(&mut self.map, at),
                Place::Main => self.main.moved(&mut self.map, at),
            }
        }
        Some(slot.record)
    }
}

impl Slots {
    /// Adds an entry at the last position. The vector grows by half, so that less of it is empty
    /// than if it doubled.
    fn push(&mut self, id: SessionId, slot: Slot) -> u32 {
        let at = self.0.len();
        if at == self.0.capacity() {
            self.0.reserve_exact((at / 2).max(8));
        }
        self.0.insert(id, slot);
        at as u32
    }
}

impl Since {
    /// A part is so many milliseconds, as a power of two.
    const PART: u32 = 4;

    fn of(time: Timestamp, epoch: Timestamp) -> Self {
        let parts = time.as_millis().saturating_sub(epoch.as_millis()) >> Self::PART;
        Self(u32::try_from(parts).unwrap_or(u32::MAX))
    }

    /// The time, of which up to a part was cut off.
    pub(crate) fn after(self, epoch: Timestamp) -> Timestamp {
        let millis = u64::from(self.0) << Self::PART;
        Timestamp::from_millis(epoch.as_millis().saturating_add(millis))
    }
}

impl Linked for Slots {
    fn links(&mut self, at: u32) -> &mut Links {
        &mut self.0[at as usize].links
    }
}

impl Evicted {
    fn push(&mut self, record: Option<Arc<Record>>) {
        match self.first {
            None => self.first = record,
            Some(_) => self.rest.extend(record),
        }
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Bits of a hash that choose neither the shard nor the tag in the index.
fn print_of(hash: u64) -> u32 {
    (hash >> 16) as u32
}

/// What an entry takes, the record with its opened form and its part of the table: in units of 64
/// bytes, rounded up.
#[derive(Clone, Copy)]
struct Cost(u16);

impl Cost {
    const UNIT: usize = 64;

    /// The largest record there can be takes a little more than half of what can be said.
    fn of(record: &Record) -> Self {
        let units = (record.memory_len() + ENTRY).div_ceil(Self::UNIT);
        Self(u16::try_from(units).unwrap_or(u16::MAX))
    }

    fn bytes(self) -> usize {
        usize::from(self.0) * Self::UNIT
    }
}

/// The part of the table that belongs to one entry, at the worst fill of its parts: the entry
/// itself in a vector that grew by half, its position twice over and a byte beside it in the hash
/// index, and the memory of one that left.
const ENTRY: usize = BUCKET + BUCKET / 2 + 2 * (size_of::<usize>() + 1) + 2 * size_of::<u32>();
const BUCKET: usize = size_of::<u64>() + size_of::<SessionId>() + size_of::<Slot>();
/// No record costs less: a header alone is larger.
const SMALLEST: usize = ENTRY + Record::HEADER_BYTES;
