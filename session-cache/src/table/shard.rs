//! One shard: a lock, and what it guards.

use std::sync::Arc;

use session_core::{Record, SessionId, Timestamp, Version};

use super::{
    entries::{Entries, Evicted, Found},
    hash::{Hash, IdHashing},
    tickets::{Ticket, Tickets, UnderWay},
    unsettled::Unsettled,
};
use crate::{
    figures::Figures,
    flight::{Call, Flight, Passenger},
    sync::{Mutex, lock},
};

/// Part of a table. The methods hold the lock for a bounded number of steps, and none of them
/// waits.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Shard {
    // Not a lock for many readers: a hit holds it so briefly that letting others in beside it gains
    // less than the second counter costs that it would have to keep.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    entries: Entries,
    tickets: Tickets,
    unsettled: Unsettled,
    /// But for what is held now.
    figures: Figures,
}

/// How a request that found nothing goes on.
pub(crate) enum Start {
    /// There is something by now.
    Found(Found),
    /// It waits for a load. `joined`: one that began before the request did.
    Wait { passenger: Passenger<Option<Arc<Record>>>, joined: bool },
}

/// What a write did, as its ticket is given back.
pub(crate) enum Written<'a> {
    /// The parent stored this record.
    Put(&'a Arc<Record>),
    /// The parent moved the deadline of this version.
    Touched(Version, Timestamp),
    /// The record is gone, or is another one than was thought.
    Outdated,
    /// Nobody knows; it may still happen, until then.
    Unknown(Timestamp),
}

impl Shard {
    pub(super) fn new(
        max_entries: usize,
        max_bytes: usize,
        epoch: Timestamp,
        hashing: &IdHashing,
    ) -> Self {
        let state = State {
            entries: Entries::new(max_entries, max_bytes, epoch, hashing.clone()),
            tickets: Tickets::new(hashing.clone()),
            unsettled: Unsettled::new(hashing.clone()),
            figures: Figures::default(),
        };
        Self { state: Mutex::new(state) }
    }

    /// What is kept under `id` and is `usable`: it counts as a hit, all else as a miss.
    #[inline]
    pub(super) fn find(
        &self,
        id: &SessionId,
        hash: Hash,
        usable: impl FnOnce(&Found) -> bool,
    ) -> Option<Found> {
        let found = self.recall(id, hash, usable);
        if found.is_none() {
            // A second turn of the lock, which is nothing beside the store that is asked next.
            lock(&self.state).figures.misses += 1;
        }
        found
    }

    /// As [`find`](Self::find), but not finding it is not counted.
    #[inline]
    pub(super) fn recall(
        &self,
        id: &SessionId,
        hash: Hash,
        usable: impl FnOnce(&Found) -> bool,
    ) -> Option<Found> {
        let mut state = lock(&self.state);
        let found = state.entries.get(id, hash).filter(usable)?;
        state.figures.hits += 1;
        Some(found)
    }

    /// Counts what was taken for a hit as a miss after all.
    pub(crate) fn was_a_miss(&self) {
        let mut state = lock(&self.state);
        state.figures.hits -= 1;
        state.figures.misses += 1;
    }

    /// Keeps `record`, whatever else goes on.
    pub(super) fn insert(&self, record: &Arc<Record>, hash: Hash, since: Timestamp) {
        // Before the lock, so that what leaves is dropped after it.
        let mut evicted = Evicted::default();
        lock(&self.state).insert(record, hash, since, &mut evicted);
    }

    /// Finds what is kept under `id`, or joins the load under way, or begins one.
    ///
    /// An entry that is not `usable` is dropped, and a load that is not `joinable` is left to those
    /// who wait for it already.
    pub(crate) fn start(
        &self,
        id: &SessionId,
        now: Timestamp,
        usable: impl FnOnce(&Found) -> bool,
        joinable: impl FnOnce(Timestamp) -> bool,
        load: impl FnOnce(Ticket) -> Call<Option<Arc<Record>>>,
    ) -> Start {
        let mut state = lock(&self.state);
        if let Some(found) = state.entries.look(id) {
            if usable(&found) {
                return Start::Found(found);
            }
            state.remove(id);
        }
        if let Some(under_way) = state.tickets.load(id)
            && joinable(under_way.began)
            && let Some(passenger) = under_way.flight.board()
        {
            return Start::Wait { passenger, joined: true };
        }
        state.figures.loads += 1;
        let ticket = state.tickets.take(id);
        let (flight, passenger) = Flight::new(load(ticket));
        state.tickets.announce(id, UnderWay { flight, began: now, ticket });
        Start::Wait { passenger, joined: false }
    }

    /// Ends a load with the record it brought, if it brought one to keep.
    pub(crate) fn land(
        &self,
        id: &SessionId,
        ticket: Ticket,
        record: Option<&Arc<Record>>,
        began: Timestamp,
        admitted: impl FnOnce() -> bool,
    ) {
        let mut evicted = Evicted::default();
        let mut state = lock(&self.state);
        let valid = state.tickets.land(id, ticket);
        let Some(record) = record else { return };
        if valid && !state.unsettled.contains(id, began) && admitted() {
            let hash = state.entries.hash(id);
            state.insert(record, hash, began, &mut evicted);
        }
    }

    /// Takes a ticket for a write.
    pub(crate) fn begin_write(&self, id: &SessionId) -> Ticket {
        lock(&self.state).tickets.take(id)
    }

    /// Ends a write.
    pub(crate) fn end_write(
        &self,
        id: &SessionId,
        ticket: Ticket,
        written: &Written<'_>,
        began: Timestamp,
        admitted: impl FnOnce(&Record) -> bool,
    ) {
        let mut evicted = Evicted::default();
        let mut state = lock(&self.state);
        let valid = state.tickets.give_back(id, ticket);
        state.tickets.changed(id);
        let current = match written {
            Written::Put(record) => Some(Arc::clone(record)),
            Written::Touched(version, expires_at) => state
                .entries
                .peek(id)
                .filter(|record| record.version() == *version)
                .map(|record| Arc::new(record.with_expires_at(*expires_at))),
            Written::Outdated => None,
            Written::Unknown(until) => {
                state.unsettled.insert(id, *until, began);
                None
            }
        };
        let current = current
            .filter(|record| valid && !state.unsettled.contains(id, began) && admitted(record));
        if let Some(record) = current {
            let hash = state.entries.hash(id);
            state.insert(&record, hash, began, &mut evicted);
        } else {
            let removed = state.remove(id);
            drop(state);
            drop(removed);
        }
    }

    /// Replaces the entry that holds just this record by the same record with another deadline.
    pub(crate) fn refresh(&self, old: &Arc<Record>, new: &Arc<Record>, now: Timestamp) {
        let mut evicted = Evicted::default();
        let mut state = lock(&self.state);
        if state.entries.peek(old.id()).is_some_and(|kept| Arc::ptr_eq(kept, old)) {
            let hash = state.entries.hash(old.id());
            state.insert(new, hash, now, &mut evicted);
        }
    }

    /// Drops the entry that holds just this record.
    pub(crate) fn discard(&self, old: &Arc<Record>) {
        let mut state = lock(&self.state);
        if state.entries.peek(old.id()).is_some_and(|kept| Arc::ptr_eq(kept, old)) {
            let removed = state.remove(old.id());
            drop(state);
            drop(removed);
        }
    }

    /// Forgets `id`, and voids whatever is under way for it.
    pub(crate) fn invalidate(&self, id: &SessionId) {
        let mut state = lock(&self.state);
        state.tickets.changed(id);
        let removed = state.remove(id);
        drop(state);
        drop(removed);
    }

    /// Forgets everything, and voids whatever is under way.
    pub(super) fn clear(&self) {
        let mut state = lock(&self.state);
        state.tickets.all_changed();
        let removed = state.entries.clear();
        state.figures.invalidations += removed.len() as u64;
        drop(state);
        drop(removed);
    }

    pub(super) fn add_to(&self, figures: &mut Figures) {
        let state = lock(&self.state);
        figures.entries += state.entries.len() as u64;
        figures.bytes += state.entries.bytes() as u64;
        figures.add_counts(&state.figures);
    }
}

impl State {
    /// Keeps a record. What leaves for it is to be dropped without the lock.
    fn insert(
        &mut self,
        record: &Arc<Record>,
        hash: Hash,
        since: Timestamp,
        evicted: &mut Evicted,
    ) {
        self.entries.insert(record, hash, since, evicted);
        self.figures.evictions += evicted.number;
    }

    /// Forgets an entry, which is to be dropped without the lock.
    fn remove(&mut self, id: &SessionId) -> Option<Arc<Record>> {
        let removed = self.entries.remove(id);
        self.figures.invalidations += u64::from(removed.is_some());
        removed
    }
}
