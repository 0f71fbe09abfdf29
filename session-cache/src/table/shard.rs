//! One shard: a lock, and what it guards.

use std::sync::Arc;

use session_core::{Record, SessionId, Timestamp, Version};

use super::{
    IdHashing,
    entries::{Bounds, Entries, Evicted, Found},
    tickets::{Ticket, Tickets, UnderWay},
    uncertain_writes::UncertainWrites,
};
use crate::{
    figures::Figures,
    shared_call::{Call, SharedCall, Waiter},
    sync::{Mutex, lock},
};

/// Part of a table. The methods hold the lock for a bounded number of steps, and none of them
/// waits.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Shard {
    // Not a lock for many readers: a hit holds it so briefly that letting others in beside it gains
    // less than the second counter costs that it would have to keep.
    state: Mutex<ShardState>,
}

#[derive(Debug)]
struct ShardState {
    entries: Entries,
    tickets: Tickets,
    uncertain: UncertainWrites,
    /// But for what is held now.
    figures: Figures,
}

/// How a request for a record begins.
pub(crate) enum Start {
    /// With an entry.
    Hit(Arc<Record>),
    /// With a load that began before the request did.
    Join(Waiter<Option<Arc<Record>>>),
    /// With a load of its own.
    Begin(Waiter<Option<Arc<Record>>>),
}

/// How a load ended.
#[derive(Clone, Copy)]
pub(crate) enum Loaded<'a> {
    /// With a live record.
    Record(&'a Arc<Record>),
    /// The parent has no live record.
    Absent,
    /// With an error, or it was dropped.
    Failed,
}

/// What a write did, as its ticket is given back.
pub(crate) enum Written<'a> {
    /// The parent stored this record.
    Put(&'a Arc<Record>),
    /// The parent moved the deadline of this version.
    Touched(Version, Timestamp),
    /// The parent holds another record than the caller thought.
    Conflict,
    /// The parent holds no live record.
    Gone,
    /// It may still replace this version, or let it expire then.
    Uncertain(Version, Timestamp),
}

impl Shard {
    pub(super) fn new(
        bounds: Bounds,
        max_uncertain: usize,
        epoch: Timestamp,
        hashing: &IdHashing,
    ) -> Self {
        let state = ShardState {
            entries: Entries::new(bounds, epoch, hashing.clone()),
            tickets: Tickets::new(hashing.clone()),
            uncertain: UncertainWrites::new(max_uncertain, hashing.clone()),
            figures: Figures::default(),
        };
        Self { state: Mutex::new(state) }
    }

    /// The record kept under `id`: a hit or a miss.
    pub(super) fn get(&self, id: &SessionId) -> Option<Arc<Record>> {
        let mut state = lock(&self.state);
        let found = state.entries.get(id);
        let counter =
            if found.is_some() { &mut state.figures.hits } else { &mut state.figures.misses };
        *counter += 1;
        found.map(|found| found.record)
    }

    /// The entry of `id`, if it is `usable` and no late write can have changed it. It counts as a
    /// hit, and finding none as nothing.
    #[inline]
    pub(crate) fn recall(
        &self,
        id: &SessionId,
        usable: impl FnOnce(&Found) -> bool,
    ) -> Option<Arc<Record>> {
        let mut state = lock(&self.state);
        let found = state.entries.get(id).filter(usable)?;
        if state.uncertain.contains(id) {
            return None;
        }
        state.figures.hits += 1;
        Some(found.record)
    }

    /// Begins a request: finds the entry of `id`, or joins the load under way, or begins one. Also
    /// returns whether a write of `id` may still take place.
    ///
    /// An entry that is not `usable` stays until the load has ended, and a load that is not
    /// `joinable` is left to its waiters. Only the `first` look of a request is counted, and marks
    /// the entry as used.
    #[inline]
    pub(crate) fn start(
        &self,
        id: &SessionId,
        first: bool,
        now: Timestamp,
        usable: impl FnOnce(&Found) -> bool,
        joinable: impl FnOnce(Timestamp) -> bool,
        load: impl FnOnce(Ticket) -> Call<Option<Arc<Record>>>,
    ) -> (Start, bool) {
        let mut state = lock(&self.state);
        let uncertain = state.uncertain.contains(id);
        let entries = &state.entries;
        let found = if first { entries.get(id) } else { entries.peek(id).cloned() };
        if let Some(found) = found.filter(usable) {
            state.figures.hits += u64::from(first);
            return (Start::Hit(found.record), uncertain);
        }
        state.figures.misses += u64::from(first);
        (state.load(id, now, joinable, load), uncertain)
    }

    /// Counts what was taken for a hit as a miss after all.
    pub(crate) fn was_a_miss(&self) {
        let mut state = lock(&self.state);
        state.figures.hits -= 1;
        state.figures.misses += 1;
    }

    /// Keeps `record`, whatever else goes on.
    pub(super) fn insert(&self, record: &Arc<Record>, since: Timestamp) {
        // Before the lock, so that what leaves is dropped after it.
        let mut evicted = Evicted::default();
        lock(&self.state).insert(record, since, &mut evicted);
    }

    /// Ends a load, and keeps its record if nothing has changed since it began.
    pub(crate) fn end_load(
        &self,
        id: &SessionId,
        ticket: Ticket,
        loaded: Loaded<'_>,
        began: Timestamp,
        admitted: impl FnOnce() -> bool,
    ) {
        let mut evicted = Evicted::default();
        let mut state = lock(&self.state);
        let valid = state.tickets.end_load(id, ticket);
        match loaded {
            Loaded::Record(record) => {
                state.uncertain.stored(id, record.version(), record.expires_at());
                if valid && admitted() {
                    state.insert(record, began, &mut evicted);
                }
            }
            Loaded::Absent if valid => {
                state.uncertain.gone(id);
                // Dropped after the lock.
                let gone = state.remove(id);
                drop(state);
                drop(gone);
            }
            Loaded::Absent | Loaded::Failed => {}
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
            Written::Put(record) => {
                state.uncertain.stored(id, record.version(), record.expires_at());
                Some(Arc::clone(record))
            }
            Written::Touched(version, expires_at) => {
                state.uncertain.stored(id, *version, *expires_at);
                state
                    .entries
                    .peek(id)
                    .filter(|found| found.record.version() == *version)
                    .map(|found| Arc::new(found.record.with_expires_at(*expires_at)))
            }
            Written::Uncertain(version, asked) => {
                let known = state.entries.peek(id).map(|found| found.record.expires_at());
                state.uncertain.insert(id, *version, *asked, known, began);
                None
            }
            Written::Gone => {
                if valid {
                    state.uncertain.gone(id);
                }
                None
            }
            Written::Conflict => None,
        };
        if let Some(record) = current.filter(|record| valid && admitted(record)) {
            state.insert(&record, began, &mut evicted);
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
        if state.holds(old) {
            state.uncertain.stored(old.id(), new.version(), new.expires_at());
            state.insert(new, now, &mut evicted);
        }
    }

    /// Drops the entry that holds just this record; with `gone`, because the parent has none.
    pub(crate) fn discard(&self, old: &Arc<Record>, gone: bool) {
        let mut state = lock(&self.state);
        if state.holds(old) {
            if gone {
                state.uncertain.gone(old.id());
            }
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

impl ShardState {
    /// Joins the load under way, or begins one.
    fn load(
        &mut self,
        id: &SessionId,
        now: Timestamp,
        joinable: impl FnOnce(Timestamp) -> bool,
        load: impl FnOnce(Ticket) -> Call<Option<Arc<Record>>>,
    ) -> Start {
        if let Some(under_way) = self.tickets.load(id)
            && joinable(under_way.began)
            && let Some(waiter) = under_way.call.join()
        {
            return Start::Join(waiter);
        }
        self.figures.loads += 1;
        let ticket = self.tickets.take(id);
        let (call, waiter) = SharedCall::new(load(ticket));
        self.tickets.announce(id, UnderWay { call, began: now, ticket });
        Start::Begin(waiter)
    }

    /// Keeps a record. What leaves for it is to be dropped without the lock.
    fn insert(&mut self, record: &Arc<Record>, since: Timestamp, evicted: &mut Evicted) {
        self.figures.evictions += self.entries.insert(record, since, evicted);
    }

    /// Whether the entry holds just this record.
    fn holds(&self, record: &Arc<Record>) -> bool {
        self.entries.peek(record.id()).is_some_and(|found| Arc::ptr_eq(&found.record, record))
    }

    /// Forgets an entry, which is to be dropped without the lock.
    fn remove(&mut self, id: &SessionId) -> Option<Found> {
        let removed = self.entries.remove(id);
        self.figures.invalidations += u64::from(removed.is_some());
        removed
    }
}
