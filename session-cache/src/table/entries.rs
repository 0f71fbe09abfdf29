//! The entries of one shard and the order in which they leave.

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
    pub(crate) since: Timestamp,
}

/// Bounded storage of records: S3-FIFO on an [`IndexMap`].
///
/// A newcomer enters the small queue. Who is asked for there moves to the main queue when its turn to leave comes; who is not, leaves.
/// Who is asked for in the main queue goes round again. Whoever leaves is remembered for a while, and enters the main queue at once if it
/// comes back. So a hit only marks, and a flood of one-time visitors passes through the small queue.
///
/// What differs from the paper was chosen by the frozen traces of `examples/hit_ratio`: those who leave the main queue are remembered
/// too, since users come back after lunch; an entry is marked twice at most, since a session that was busy and ended must go soon; and
/// the small queue is a twelfth.
///
/// # Source
///
/// Yang, Zhang, Qiu, Yue, Vinayak: "FIFO queues are all you need for cache eviction", SOSP 2023.
pub(super) struct Entries {
    slots: Slots,
    small: Queue,
    main: Queue,
    ghosts: Ghosts,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
}

struct Slots(IndexMap<SessionId, Slot, IdHashing>);

struct Slot {
    record: Arc<Record>,
    since: Timestamp,
    links: Links,
    queue: Place,
    /// How often the entry was asked for since it was last looked at for eviction, up to [`MOST_MARKS`].
    marks: AtomicU8,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Place {
    Small,
    Main,
}

/// What left to make room. It is dropped after the lock.
#[derive(Default)]
pub(super) struct Evicted {
    first: Option<Arc<Record>>,
    rest: Vec<Arc<Record>>,
}

const MOST_MARKS: u8 = 2;
/// How many marks lead from the small queue to the main one.
const PROMOTED_AT: u8 = 1;
/// The small queue is this part of all entries.
const SMALL_PART: usize = 12;

impl Entries {
    pub(super) fn new(max_entries: usize, max_bytes: usize, hashing: IdHashing) -> Self {
        let max_entries = max_entries.min(NONE as usize - 1);
        let by_bytes = max_bytes / SMALLEST;
        Self {
            slots: Slots(IndexMap::with_hasher(hashing)),
            small: Queue::new(),
            main: Queue::new(),
            ghosts: Ghosts::new(max_entries.min(by_bytes)),
            bytes: 0,
            max_entries,
            max_bytes,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.0.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is kept under `id`, which is marked as asked for.
    pub(super) fn get(&self, id: &SessionId) -> Option<Found> {
        let slot = self.slots.0.get(id)?;
        let marks = slot.marks.load(Ordering::Relaxed);
        if marks < MOST_MARKS {
            slot.marks.store(marks + 1, Ordering::Relaxed);
        }
        Some(Found { record: Arc::clone(&slot.record), since: slot.since })
    }

    /// What is kept under `id`, for those who look and do not use.
    pub(super) fn peek(&self, id: &SessionId) -> Option<&Arc<Record>> {
        self.slots.0.get(id).map(|slot| &slot.record)
    }

    /// Keeps `record` under its own id, in place of what was there.
    pub(super) fn insert(&mut self, record: &Arc<Record>, since: Timestamp) -> Evicted {
        let mut evicted = Evicted::default();
        let cost = cost(record);
        if self.max_entries == 0 || cost > self.max_bytes {
            self.remove(record.id());
            return evicted;
        }
        if let Some(slot) = self.slots.0.get_mut(record.id()) {
            self.bytes = self.bytes - self::cost(&slot.record) + cost;
            slot.record = Arc::clone(record);
            slot.since = since;
            // It may have grown. It was just used, so others leave first.
            slot.marks = AtomicU8::new(MOST_MARKS);
            while self.bytes > self.max_bytes {
                self.evict(&mut evicted);
            }
            return evicted;
        }
        while self.len() >= self.max_entries || self.bytes + cost > self.max_bytes {
            self.evict(&mut evicted);
        }
        let place = if self.ghosts.take(self.slots.0.hasher().of(record.id())) {
            Place::Main
        } else {
            Place::Small
        };
        let at = self.len() as u32;
        let slot = Slot {
            record: Arc::clone(record),
            since,
            links: Links { before: NONE, after: NONE },
            queue: place,
            marks: AtomicU8::new(0),
        };
        self.slots.0.insert(*record.id(), slot);
        match place {
            Place::Small => self.small.push(&mut self.slots, at),
            Place::Main => self.main.push(&mut self.slots, at),
        }
        self.bytes += cost;
        evicted
    }

    pub(super) fn remove(&mut self, id: &SessionId) -> Option<Arc<Record>> {
        let at = self.slots.0.get_index_of(id)?;
        self.take_out(at as u32)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) -> usize {
        let dropped = self.len();
        self.slots.0 = IndexMap::with_hasher(self.slots.0.hasher().clone());
        self.small = Queue::new();
        self.main = Queue::new();
        self.bytes = 0;
        dropped
    }

    /// Makes one entry leave. Amortised one step: an entry that stays a round was asked for since the last.
    fn evict(&mut self, evicted: &mut Evicted) {
        loop {
            let small_may_be = (self.len() / SMALL_PART).max(1);
            let from_small = self.small.len() >= small_may_be || self.main.len() == 0;
            let queue = if from_small { &self.small } else { &self.main };
            let Some(at) = queue.oldest() else { return };
            let Some((id, slot)) = self.slots.0.get_index(at as usize) else { return };
            let marks = slot.marks.load(Ordering::Relaxed);
            let stays = if from_small { marks >= PROMOTED_AT } else { marks > 0 };
            if stays {
                slot.marks.store(if from_small { 0 } else { marks - 1 }, Ordering::Relaxed);
                let from = if from_small { &mut self.small } else { &mut self.main };
                from.unlink(&mut self.slots, at);
                self.slots.0[at as usize].queue = Place::Main;
                self.main.push(&mut self.slots, at);
                continue;
            }
            let hash = self.slots.0.hasher().of(id);
            self.ghosts.insert(hash);
            if let Some(record) = self.take_out(at) {
                evicted.push(record);
            }
            return;
        }
    }

    /// Takes out the entry at a position; the last one takes its place.
    fn take_out(&mut self, at: u32) -> Option<Arc<Record>> {
        let queue = self.slots.0.get_index(at as usize)?.1.queue;
        match queue {
            Place::Small => self.small.unlink(&mut self.slots, at),
            Place::Main => self.main.unlink(&mut self.slots, at),
        }
        let (_, slot) = self.slots.0.swap_remove_index(at as usize)?;
        if let Some((_, moved)) = self.slots.0.get_index(at as usize) {
            match moved.queue {
                Place::Small => self.small.moved(&mut self.slots, at),
                Place::Main => self.main.moved(&mut self.slots, at),
            }
        }
        self.bytes -= cost(&slot.record);
        Some(slot.record)
    }
}

impl Linked for Slots {
    fn links(&mut self, at: u32) -> &mut Links {
        &mut self.0[at as usize].links
    }
}

impl Evicted {
    fn push(&mut self, record: Arc<Record>) {
        match self.first {
            None => self.first = Some(record),
            Some(_) => self.rest.push(record),
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

/// What an entry takes: the record with its opened form, and its part of the table.
pub(super) fn cost(record: &Record) -> usize {
    record.memory_len() + ENTRY
}

/// The part of the table that belongs to one entry, at the worst fill of its parts: the entry itself in a vector that grew by half,
/// its position twice over and a byte beside it in the hash index, and the memory of one that left.
const ENTRY: usize = BUCKET + BUCKET / 2 + 2 * (size_of::<usize>() + 1) + 2 * size_of::<u32>();
const BUCKET: usize = size_of::<u64>() + size_of::<SessionId>() + size_of::<Slot>();
/// No record costs less: a header alone is larger.
const SMALLEST: usize = ENTRY + Record::HEADER_BYTES;
