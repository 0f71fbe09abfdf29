//! Which server is in charge of which keys.

mod discovery;
mod lookup;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

pub(crate) use self::{discovery::Discovery, lookup::Seeds};
use crate::endpoint::Endpoint;

/// The servers that take writes, at one time.
#[derive(Debug, Default)]
pub(crate) struct Topology {
    /// In the order of their addresses.
    pub(crate) servers: Vec<Arc<Server>>,
    slots: Slots,
}

/// For each slot of a Cluster the place of its server in the list; empty if there is one for all.
pub(crate) type Slots = Arc<[u16]>;

/// A server for as long as it is the same: one that is found anew is another value, so connections
/// to the earlier one are of no use for it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) endpoint: Endpoint,
    /// Whether the feed receives its invalidations.
    covered: AtomicBool,
}

impl Server {
    pub(crate) fn new(endpoint: Endpoint, covered: bool) -> Arc<Self> {
        Arc::new(Self { endpoint, covered: AtomicBool::new(covered) })
    }

    pub(crate) fn address(&self) -> &Arc<str> {
        self.endpoint.address()
    }

    pub(crate) fn is_covered(&self) -> bool {
        self.covered.load(Ordering::SeqCst)
    }

    pub(crate) fn uncover(&self) {
        self.covered.store(false, Ordering::SeqCst);
    }
}

impl Topology {
    /// The place of the server in charge of a key.
    pub(crate) fn owner(&self, key: &[u8]) -> Option<usize> {
        if self.slots.is_empty() {
            return (!self.servers.is_empty()).then_some(0);
        }
        // No key of ours has the braces by which keys are kept together.
        let slot = crc16::State::<crc16::XMODEM>::calculate(key) % SLOTS;
        let place = usize::from(self.slots[usize::from(slot)]);
        (place < self.servers.len()).then_some(place)
    }

    pub(crate) fn is_cluster(&self) -> bool {
        !self.slots.is_empty()
    }

    pub(crate) fn find(&self, address: &str) -> Option<&Arc<Server>> {
        self.servers.iter().find(|server| &**server.address() == address)
    }

    /// Whether this very server is one of them.
    pub(crate) fn has(&self, server: &Arc<Server>) -> bool {
        self.servers.iter().any(|it| Arc::ptr_eq(it, server))
    }
}

/// How many parts the keys of a Cluster fall into.
const SLOTS: u16 = 16_384;

/// In [`Slots`]: nobody is in charge.
const UNSERVED: u16 = u16::MAX;
