//! The loads and writes under way.

use std::{collections::HashMap, fmt, sync::Arc};

use session_core::{Record, SessionId, Timestamp};

use super::IdHashing;
use crate::shared_call::SharedCall;

/// The loads and writes under way in one shard.
///
/// A load or a write takes a ticket before it asks the parent, and gives it back with its record. A
/// change of the id voids all tickets given out before it, so a record that was read before a
/// change cannot enter the table after it.
pub(super) struct Tickets {
    busy: HashMap<SessionId, Busy, IdHashing>,
}

struct Busy {
    /// Goes up with every change of the id.
    changes: u64,
    /// How many tickets were given out.
    given: u64,
    /// How many of them were not returned yet.
    holders: usize,
    /// The load that new requests may wait for.
    load: Option<UnderWay>,
}

pub(super) struct UnderWay {
    pub(super) call: Arc<SharedCall<Option<Arc<Record>>>>,
    pub(super) began: Timestamp,
    pub(super) ticket: Ticket,
}

/// Proves, when a load or a write has ended, whether its id has changed since it began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ticket {
    /// How many changes of the id there were when it was given out.
    changes: u64,
    number: u64,
}

impl Tickets {
    pub(super) fn new(hashing: IdHashing) -> Self {
        Self { busy: HashMap::with_hasher(hashing) }
    }

    /// The load under way that began after the last change of the id.
    pub(super) fn load(&self, id: &SessionId) -> Option<&UnderWay> {
        self.busy.get(id)?.load.as_ref()
    }

    /// Gives out a ticket for `id`.
    pub(super) fn take(&mut self, id: &SessionId) -> Ticket {
        let free = Busy { changes: 0, given: 0, holders: 0, load: None };
        let busy = self.busy.entry(*id).or_insert(free);
        busy.holders += 1;
        busy.given += 1;
        Ticket { changes: busy.changes, number: busy.given }
    }

    /// Lets requests from now on wait for `load`, whose ticket was taken just now.
    pub(super) fn announce(&mut self, id: &SessionId, load: UnderWay) {
        if let Some(busy) = self.busy.get_mut(id) {
            busy.load = Some(load);
        }
    }

    /// Takes back the ticket of a write, and returns whether it was still valid.
    pub(super) fn give_back(&mut self, id: &SessionId, ticket: Ticket) -> bool {
        let Some(busy) = self.busy.get_mut(id) else { return false };
        let valid = busy.changes == ticket.changes;
        busy.holders -= 1;
        if busy.holders == 0 {
            self.busy.remove(id);
        }
        valid
    }

    /// Takes back the ticket of a load, which no request may join any more, and returns whether it
    /// was still valid.
    pub(super) fn end_load(&mut self, id: &SessionId, ticket: Ticket) -> bool {
        if let Some(busy) = self.busy.get_mut(id) {
            busy.load.take_if(|load| load.ticket == ticket);
        }
        self.give_back(id, ticket)
    }

    /// Voids all tickets for `id`.
    pub(super) fn changed(&mut self, id: &SessionId) {
        if let Some(busy) = self.busy.get_mut(id) {
            busy.change();
        }
    }

    /// Voids all tickets.
    pub(super) fn all_changed(&mut self) {
        self.busy.values_mut().for_each(Busy::change);
    }
}

impl Busy {
    fn change(&mut self) {
        self.changes += 1;
        self.load = None;
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").field("busy", &self.busy.len()).finish_non_exhaustive()
    }
}
