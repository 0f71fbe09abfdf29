//! The entries of one shard, and who of them leaves.

use std::{fmt, mem, sync::Arc};

use hashbrown::HashTable;
use session_core::{Record, SessionId, Timestamp};

use super::{
    cost::Cost,
    ghosts::Ghosts,
    hash::{Hash, IdHashing},
    queue::{self, Queue},
    since::Since,
};

/// What is kept of a record, and since when it is known to be current.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) record: Arc<Record>,
    pub(crate) since: Since,
}

/// Bounded storage of records: S3-FIFO in a hash table.
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
/// A hit reads two places in memory: the slot, which holds all but the id, and the record, which
/// holds the id and which the request reads anyway.
///
/// # Source
///
/// Yang, Zhang, Qiu, Yue, Vinayak: "FIFO queues are all you need for cache eviction", SOSP 2023.
pub(super) struct Entries {
    slots: HashTable<Slot>,
    queues: Queues,
    ghosts: Ghosts,
    hashing: IdHashing,
    /// Whether anything had to leave yet. Until then newcomers enter the main queue, which then
    /// fills the table but for the small one.
    filled: bool,
    /// What times are counted from.
    epoch: Timestamp,
    bytes: usize,
    most: usize,
    max_bytes: usize,
}

/// What the table holds for each entry, beside a byte of its own.
pub(super) struct Slot {
    record: Arc<Record>,
    hash: Hash,
    /// Where the entry stands in its queue.
    number: u32,
    since: Since,
    cost: Cost,
    place: Place,
    /// How often the entry was asked for since it was last looked at for eviction, up to
    /// [`MOST_MARKS`].
    marks: u8,
}

struct Queues {
    small: Queue,
    main: Queue,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Place {
    Small,
    Main,
}

/// What was replaced, and what left to make room: to be dropped without the lock.
#[derive(Default)]
pub(super) struct Evicted {
    first: Option<Arc<Record>>,
    rest: Vec<Arc<Record>>,
    /// How many left to make room.
    pub(super) number: u64,
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
        let max_entries = max_entries.min(queue::LONGEST);
        Self {
            slots: HashTable::new(),
            queues: Queues::new(),
            ghosts: Ghosts::new(max_entries.min(max_bytes / Cost::LEAST)),
            hashing,
            filled: false,
            epoch,
            bytes: 0,
            most: max_entries,
            max_bytes,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// What finds `id` here.
    pub(super) fn hash(&self, id: &SessionId) -> Hash {
        self.hashing.of(id)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is kept under `id`, which is marked as asked for.
    #[inline]
    pub(super) fn get(&mut self, id: &SessionId) -> Option<Found> {
        let hash = self.hash(id);
        let slot = self.slots.find_mut(hash.whole(), |slot| slot.is_of(id, hash))?;
        // Not written when nothing changes: the line stays clean.
        if slot.marks < MOST_MARKS {
            slot.marks += 1;
        }
        Some(Found { record: Arc::clone(&slot.record), since: slot.since })
    }

    /// What is kept under `id`, which is not marked again: the request asked for it before.
    pub(super) fn look(&self, id: &SessionId) -> Option<Found> {
        let hash = self.hash(id);
        let slot = self.slots.find(hash.whole(), |slot| slot.is_of(id, hash))?;
        Some(Found { record: Arc::clone(&slot.record), since: slot.since })
    }

    /// What is kept under `id`, for those who look and do not use.
    pub(super) fn peek(&self, id: &SessionId) -> Option<&Arc<Record>> {
        let hash = self.hash(id);
        self.slots.find(hash.whole(), |slot| slot.is_of(id, hash)).map(|slot| &slot.record)
    }

    /// Keeps `record` under its own id, in place of what was there. What leaves for it goes to
    /// `evicted`.
    pub(super) fn insert(
        &mut self,
        record: &Arc<Record>,
        hash: Hash,
        since: Timestamp,
        evicted: &mut Evicted,
    ) {
        let cost = Cost::of(record);
        if self.most == 0 || cost.bytes() > self.max_bytes {
            evicted.first = self.remove(record.id());
            return;
        }
        let since = Since::of(since, self.epoch);
        let kept = self.slots.find_mut(hash.whole(), |slot| slot.is_of(record.id(), hash));
        if let Some(slot) = kept {
            self.bytes = self.bytes - slot.cost.bytes() + cost.bytes();
            slot.cost = cost;
            slot.since = since;
            // It was just used, so if it grew, others leave first.
            slot.marks = MOST_MARKS;
            evicted.first = Some(mem::replace(&mut slot.record, Arc::clone(record)));
            self.make_room(self.most, 0, evicted);
            return;
        }
        self.make_room(self.most - 1, cost.bytes(), evicted);
        self.filled |= evicted.number > 0;
        let place = if !self.filled || self.ghosts.take(hash) { Place::Main } else { Place::Small };
        let number = self.queues.of(place).push(hash.short());
        let record = Arc::clone(record);
        let slot = Slot { record, hash, number, since, cost, place, marks: 0 };
        self.slots.insert_unique(hash.whole(), slot, |slot| slot.hash.whole());
        self.bytes += cost.bytes();
    }

    pub(super) fn remove(&mut self, id: &SessionId) -> Option<Arc<Record>> {
        let hash = self.hash(id);
        let found = self.slots.find_entry(hash.whole(), |slot| slot.is_of(id, hash)).ok()?;
        let (slot, _) = found.remove();
        self.bytes -= slot.cost.bytes();
        self.queues.of(slot.place).left();
        self.queues.close_holes(slot.place, &mut self.slots);
        Some(slot.record)
    }

    /// Forgets everything, which is to be dropped without the lock.
    pub(super) fn clear(&mut self) -> HashTable<Slot> {
        self.queues = Queues::new();
        self.filled = false;
        self.bytes = 0;
        mem::take(&mut self.slots)
    }

    /// Lets entries leave until no more than `most` are there and there is room for so many more
    /// bytes.
    fn make_room(&mut self, most: usize, bytes: usize, evicted: &mut Evicted) {
        while self.len() > most || self.bytes + bytes > self.max_bytes {
            let Some(record) = self.evict() else { break };
            evicted.push(record);
        }
    }

    /// Lets the entry leave whose turn it is. Amortised one step: an entry that stays a round was
    /// asked for since the last, and a hole was an entry.
    fn evict(&mut self) -> Option<Arc<Record>> {
        loop {
            let small_may_be = (self.len() / SMALL_PART).max(1);
            let from_small = self.queues.small.len() >= small_may_be || self.queues.main.len() == 0;
            let place = if from_small { Place::Small } else { Place::Main };
            let (number, hash) = self.queues.of(place).pop()?;
            let hash = Hash::from_short(hash);
            let turn = self.slots.find_entry(hash.whole(), |slot| slot.stands_at(place, number));
            let Ok(mut turn) = turn else { continue };
            self.queues.of(place).left();
            let slot = turn.get_mut();
            let stays = if from_small { slot.marks >= PROMOTED_AT } else { slot.marks > 0 };
            if !stays {
                let (slot, _) = turn.remove();
                self.bytes -= slot.cost.bytes();
                self.ghosts.insert(hash);
                return Some(slot.record);
            }
            slot.marks = if from_small { 0 } else { slot.marks - 1 };
            slot.place = Place::Main;
            slot.number = self.queues.main.push(hash.short());
        }
    }
}

impl Slot {
    /// The hash is compared first: it is at hand, and the id is with the record.
    #[inline]
    fn is_of(&self, id: &SessionId, hash: Hash) -> bool {
        self.hash == hash && self.record.id() == id
    }

    fn stands_at(&self, place: Place, number: u32) -> bool {
        self.number == number && self.place == place
    }
}

impl Queues {
    const fn new() -> Self {
        Self { small: Queue::new(), main: Queue::new() }
    }

    fn of(&mut self, place: Place) -> &mut Queue {
        match place {
            Place::Small => &mut self.small,
            Place::Main => &mut self.main,
        }
    }

    fn close_holes(&mut self, place: Place, slots: &mut HashTable<Slot>) {
        self.of(place).close_holes(|hash, from, to| {
            let hash = Hash::from_short(hash).whole();
            let slot = slots.find_mut(hash, |slot| slot.stands_at(place, from));
            slot.map(|slot| slot.number = to).is_some()
        });
    }
}

impl Evicted {
    fn push(&mut self, record: Arc<Record>) {
        self.number += 1;
        match self.first {
            None => self.first = Some(record),
            Some(_) => self.rest.push(record),
        }
    }
}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").field("len", &self.len()).finish_non_exhaustive()
    }
}
