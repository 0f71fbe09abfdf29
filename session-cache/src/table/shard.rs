//! One shard: a lock, and what it guards.

use std::sync::Arc;

use session_core::{Record, SessionId, Timestamp, Version};

use super::{
    entries::{Entries, Found},
    hash::IdHashing,
    tickets::{Ticket, Tickets, UnderWay},
    unsettled::Unsettled,
};
use crate::{
    figures::{Counters, Figures},
    flight::{Flight, Loading, Passenger},
    sync::{RwLock, read, write},
};

/// Part of a table. The methods hold the lock for a bounded number of steps, and none of them
/// waits.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Shard {
    // In this order, so that a hit finds its counter and the word of the lock in one cache line.
    pub(crate) counters: Counters,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    entries: Entries,
    tickets: Tickets,
    unsettled: Unsettled,
}

/// How a request that found nothing goes on.
pub(crate) enum Start {
    /// There is something by now.
    Found(Found),
    /// It waits for a load. `joined`: one that began before the request did.
    Wait { passenger: Passenger, joined: bool },
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
        };
        Self { state: RwLock::new(state), counters: Counters::new() }
    }

    /// What is kept under `id`.
    pub(crate) fn find(&self, id: &SessionId) -> Option<Found> {
        read(&self.state).entries.get(id)
    }

    /// Keeps `record`, whatever else goes on.
    pub(super) fn insert(&self, record: &Arc<Record>, since: Timestamp) {
        let evicted = write(&self.state).entries.insert(record, since);
        self.counters.evicted(evicted.len());
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
        load: impl FnOnce(Ticket) -> Loading,
    ) -> Start {
        let mut state = write(&self.state);
        if let Some(found) = state.entries.get(id) {
            if usable(&found) {
                return Start::Found(found);
            }
            state.entries.remove(id);
            self.counters.invalidated(1);
        }
        if let Some(under_way) = state.tickets.load(id) {
            if joinable(under_way.began)
                && let Some(passenger) = under_way.flight.board()
            {
                return Start::Wait { passenger, joined: true };
            }
            // Too old, or abandoned just now: it ends without bringing anything.
            state.tickets.changed(id);
        }
        let ticket = state.tickets.take(id);
        let (flight, passenger) = Flight::new(load(ticket));
        state.tickets.announce(id, UnderWay { flight, began: now });
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
        let mut state = write(&self.state);
        let valid = state.tickets.land(id, ticket);
        let Some(record) = record else { return };
        if valid && !state.unsettled.contains(id, began) && admitted() {
            let evicted = state.entries.insert(record, began);
            drop(state);
            self.counters.evicted(evicted.len());
        }
    }

    /// Takes a ticket for a write.
    pub(crate) fn begin_write(&self, id: &SessionId) -> Ticket {
        write(&self.state).tickets.take(id)
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
        let mut state = write(&self.state);
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
            let evicted = state.entries.insert(&record, began);
            drop(state);
            self.counters.evicted(evicted.len());
        } else {
            let removed = state.entries.remove(id);
            drop(state);
            self.counters.invalidated(usize::from(removed.is_some()));
        }
    }

    /// Replaces the entry that holds just this record by the same record with another deadline.
    pub(crate) fn refresh(&self, old: &Arc<Record>, new: &Arc<Record>, now: Timestamp) {
        let mut state = write(&self.state);
        if state.entries.peek(old.id()).is_some_and(|kept| Arc::ptr_eq(kept, old)) {
            let _evicted = state.entries.insert(new, now);
        }
    }

    /// Drops the entry that holds just this record.
    pub(crate) fn discard(&self, old: &Arc<Record>) {
        let mut state = write(&self.state);
        if state.entries.peek(old.id()).is_some_and(|kept| Arc::ptr_eq(kept, old)) {
            let removed = state.entries.remove(old.id());
            drop(state);
            self.counters.invalidated(usize::from(removed.is_some()));
        }
    }

    /// Forgets `id`, and voids whatever is under way for it.
    pub(crate) fn invalidate(&self, id: &SessionId) {
        let mut state = write(&self.state);
        state.tickets.changed(id);
        let removed = state.entries.remove(id);
        drop(state);
        self.counters.invalidated(usize::from(removed.is_some()));
    }

    /// Forgets everything, and voids whatever is under way.
    pub(super) fn clear(&self) {
        let mut state = write(&self.state);
        state.tickets.all_changed();
        let removed = state.entries.clear();
        drop(state);
        self.counters.invalidated(removed);
    }

    pub(super) fn add_to(&self, figures: &mut Figures) {
        self.counters.add_to(figures);
        let state = read(&self.state);
        figures.entries += state.entries.len() as u64;
        figures.bytes += state.entries.bytes() as u64;
    }
}
