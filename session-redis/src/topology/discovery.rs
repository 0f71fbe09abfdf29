//! The one task that looks up who is in charge, for everybody.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, watch},
    time::sleep,
};

use super::{Seeds, Server, Topology, lookup::Found};
use crate::{endpoint::Endpoint, error::Fault, feed::Watchers};

/// Knows the servers, and finds out anew on demand.
///
/// The look-ups are of one task on the thread of the engine: no worker that is held up, and no call
/// that is dropped or not polled, holds up those of others.
pub(crate) struct Discovery {
    seeds: Seeds,
    state: watch::Sender<State>,
    wanted: Notify,
    watchers: Arc<Watchers>,
}

#[derive(Default)]
struct State {
    topology: Arc<Topology>,
    /// How many look-ups have ended.
    looked: u64,
    failed: Option<Fault>,
}

impl Discovery {
    pub(crate) fn new(seeds: Seeds, watchers: Arc<Watchers>) -> Self {
        let discovery =
            Self { seeds, state: watch::Sender::default(), wanted: Notify::new(), watchers };
        if let Seeds::Server(endpoint) = &discovery.seeds {
            discovery.learn(Found { servers: vec![endpoint.clone()], slots: Arc::default() });
        }
        discovery
    }

    /// Whether another server may be in charge a moment later.
    pub(crate) fn moves(&self) -> bool {
        !matches!(self.seeds, Seeds::Server(_))
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.seeds, Seeds::Cluster(_))
    }

    /// The servers that were named themselves.
    pub(crate) fn nodes(&self) -> &[Endpoint] {
        match &self.seeds {
            Seeds::Cluster(nodes) => nodes,
            Seeds::Server(node) => std::slice::from_ref(node),
            Seeds::Sentinels { .. } => &[],
        }
    }

    /// What is known now.
    pub(crate) fn current(&self) -> Arc<Topology> {
        Arc::clone(&self.state.borrow().topology)
    }

    /// Has the task look, and does not wait for it.
    pub(crate) fn look(&self) {
        if self.moves() {
            self.wanted.notify_one();
        }
    }

    /// What the next look-up to end finds.
    pub(crate) async fn refresh(&self) -> Result<Arc<Topology>, Fault> {
        let mut state = self.state.subscribe();
        let looked = state.borrow().looked;
        if self.moves() {
            self.wanted.notify_one();
            // The sender is this.
            let _ = state.wait_for(|state| state.looked > looked).await;
        }
        let state = state.borrow();
        state.failed.clone().map_or_else(|| Ok(Arc::clone(&state.topology)), Err)
    }

    /// The task.
    pub(crate) async fn run(&self) {
        let mut epoch = 0;
        loop {
            self.wanted.notified().await;
            let failed = match self.seeds.look_up(&self.current(), &mut epoch).await {
                Ok(found) => {
                    self.learn(found);
                    None
                }
                Err(fault) => {
                    // A Cluster that was made anew counts from the beginning.
                    epoch = 0;
                    Some(fault)
                }
            };
            self.state.send_modify(|state| {
                state.looked += 1;
                state.failed = failed;
            });
            #[expect(
                clippy::disallowed_methods,
                reason = "who is in charge is not looked up without a pause"
            )]
            sleep(PAUSE).await;
        }
    }

    /// Puts what was found in the place of what was known.
    ///
    /// What is cached of a server that was watched and is in charge no more is dropped before any
    /// call goes to its successor.
    fn learn(&self, found: Found) {
        let known = self.current();
        let servers: Vec<_> = found
            .servers
            .into_iter()
            .map(|endpoint| match known.find(endpoint.address()) {
                Some(server) => Arc::clone(server),
                None => Server::new(endpoint, false),
            })
            .collect();
        let next = Topology { servers, slots: found.slots };
        let same_servers = known.servers.len() == next.servers.len()
            && known.servers.iter().all(|server| next.has(server));
        if same_servers && known.slots == next.slots {
            return;
        }
        if known.loses_cover(&next) {
            self.watchers.broken();
        }
        tracing::debug!(servers = next.servers.len(), "other servers are in charge");
        self.state.send_modify(|state| state.topology = Arc::new(next));
        self.watchers.stir();
    }

    /// Puts a server that the feed watches in the place of the same one that it did not. Calls then
    /// connect to it anew: a connection from before may lead elsewhere.
    pub(crate) fn cover(&self, server: &Arc<Server>) -> Option<Arc<Server>> {
        let known = self.current();
        if !known.has(server) {
            return None;
        }
        let covered = Server::new(server.endpoint.clone(), true);
        let replaced =
            |it: &Arc<Server>| Arc::clone(if Arc::ptr_eq(it, server) { &covered } else { it });
        let servers = known.servers.iter().map(replaced).collect();
        let next = Topology { servers, slots: Arc::clone(&known.slots) };
        self.state.send_modify(|state| state.topology = Arc::new(next));
        Some(covered)
    }
}

impl Topology {
    /// Whether keys that were watched are not, or lost their history, in `next`.
    fn loses_cover(&self, next: &Self) -> bool {
        self.servers.iter().any(|server| server.is_covered() && !next.has(server))
            || self.slots.iter().zip(next.slots.iter()).any(|(was, is)| {
                let was = self.servers.get(usize::from(*was));
                let is = next.servers.get(usize::from(*is));
                was.is_some_and(|it| it.is_covered()) && !is.is_some_and(|it| it.is_covered())
            })
    }
}

/// Between two look-ups.
const PAUSE: Duration = Duration::from_millis(25);
