//! Connections over which the servers say what they changed, for as long as there are watchers.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{Cmd, PushInfo, PushKind, Value, aio::MultiplexedConnection};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use super::{Feed, Watchers};
use crate::{
    error::Fault,
    names::Names,
    request::{self, Hello, command, text},
    topology::{Discovery, Server, Topology},
};

/// Watches every server that can be reached. What is read from another is cached by nobody, so a
/// server that is dead costs the keys of the others nothing.
pub(super) struct TrackingSession<'a> {
    feed: &'a Feed,
    nodes: Vec<Node>,
    attempts: JoinSet<(Arc<Server>, Result<Node, Fault>)>,
    /// The servers of the attempts.
    tried: Vec<Arc<Server>>,
    /// The servers there were when they were tried last.
    seen: Arc<Topology>,
    /// When servers that are not watched are tried next, and how long after that.
    next_try: Instant,
    pause: Duration,
    /// Whether it was logged that a server is not watched.
    warned: bool,
    /// Whether who is in charge must be asked before the feed counts as whole again.
    doubted: bool,
}

/// A server that is watched.
struct Node {
    server: Arc<Server>,
    connection: MultiplexedConnection,
    /// Whether the connection ended.
    lost: Arc<AtomicBool>,
    silent_since: Option<Instant>,
    /// What the server said of its Cluster; empty without one.
    membership: Vec<String>,
}

/// What a server answered in time.
struct Beat {
    is_master: bool,
    membership: Vec<String>,
}

impl<'a> TrackingSession<'a> {
    pub(super) fn new(feed: &'a Feed) -> Self {
        Self {
            feed,
            nodes: Vec::new(),
            attempts: JoinSet::new(),
            tried: Vec::new(),
            seen: Arc::default(),
            next_try: Instant::now(),
            pause: SHORTEST_PAUSE,
            warned: false,
            doubted: false,
        }
    }

    pub(super) async fn last(mut self) {
        let (watchers, heartbeat) = (&self.feed.watchers, self.feed.heartbeat);
        while !watchers.is_empty() {
            self.part();
            let waits_for_a_try = self.join();
            let asked = Instant::now();
            let whole = self.beat().await;
            // A thread that is held up looks for the answers first, and at the clock after it.
            if whole && asked.elapsed() <= heartbeat / 2 && !self.nodes.iter().any(Node::is_lost) {
                watchers.alive();
            }
            let next = asked + heartbeat / 4;
            let next = if waits_for_a_try { next.min(self.next_try) } else { next };
            // Either way it is time to look again.
            let _ = timeout_at(next, watchers.stirred()).await;
        }
    }

    /// Leaves servers that are gone, or in charge no more.
    fn part(&mut self) {
        let known = self.feed.discovery.current();
        let gone = |node: &Node| node.is_lost() || !known.has(&node.server);
        if self.nodes.iter().any(gone) {
            self.feed.watchers.broken();
            self.nodes.iter().filter(|node| gone(node)).for_each(|node| node.server.uncover());
            self.nodes.retain(|node| !gone(node));
            self.feed.discovery.look();
        }
    }

    /// Takes in those that have joined, and asks the others to: whether some have to be asked
    /// again later.
    fn join(&mut self) -> bool {
        let discovery = &self.feed.discovery;
        while let Some(ended) = self.attempts.try_join_next() {
            let Ok((server, joined)) = ended else { continue };
            self.tried.retain(|it| !Arc::ptr_eq(it, &server));
            match joined {
                Ok(mut node) => {
                    let Some(covered) = discovery.cover(&node.server) else { continue };
                    node.server = covered;
                    self.nodes.push(node);
                    self.pause = SHORTEST_PAUSE;
                }
                Err(fault) => self.warn(&fault),
            }
        }
        if self.attempts.is_empty() {
            self.tried.clear();
        }
        let known = discovery.current();
        if !Arc::ptr_eq(&known, &self.seen) {
            self.seen = Arc::clone(&known);
            self.next_try = Instant::now();
        }
        let tried = &self.tried;
        let mut left = known.servers.iter().filter(|server| {
            !server.is_covered() && !tried.iter().any(|it| Arc::ptr_eq(it, server))
        });
        let mut next = left.next().cloned();
        if next.is_none() && !known.servers.is_empty() {
            self.warned &= !tried.is_empty();
            return false;
        }
        if Instant::now() < self.next_try {
            return true;
        }
        self.next_try = Instant::now() + jittered(self.pause);
        self.pause = (self.pause * 2).min(self.feed.heartbeat / 2).max(SHORTEST_PAUSE);
        if known.servers.is_empty() {
            discovery.look();
        }
        let mut begun = Vec::new();
        while let Some(server) = next {
            begun.push(server);
            next = left.next().cloned();
        }
        for server in begun {
            let (names, cluster) = (self.feed.names.clone(), known.is_cluster());
            let (discovery, watchers) = (Arc::clone(discovery), Arc::clone(&self.feed.watchers));
            self.tried.push(Arc::clone(&server));
            self.attempts.spawn(async move {
                let joined = Node::begin(&server, &names, cluster, &watchers, &discovery).await;
                watchers.stir();
                (server, joined)
            });
        }
        known.servers.is_empty()
    }

    fn warn(&mut self, fault: &Fault) {
        let error = session_core::Error::from(fault.clone());
        if std::mem::replace(&mut self.warned, true) {
            tracing::debug!(%error, "a server is not watched yet");
        } else {
            tracing::warn!(%error, "a server is not watched: caches keep nothing of it until it is");
        }
        self.feed.discovery.look();
    }

    /// Asks every server, side by side, whether it is still in charge, and of the same keys:
    /// whether all are.
    async fn beat(&mut self) -> bool {
        let heartbeat = self.feed.heartbeat;
        let beats: Vec<_> = self
            .nodes
            .iter()
            .map(|node| {
                tokio::spawn(timeout(
                    heartbeat / 2,
                    beat(node.connection.clone(), !node.membership.is_empty()),
                ))
            })
            .collect();
        let mut membership_changed = false;
        for (node, beat) in self.nodes.iter_mut().zip(beats) {
            match beat.await {
                Ok(Ok(Some(beat))) if beat.is_master => {
                    // A primary that was away still calls itself one.
                    self.doubted |= node.silent_since.take().is_some();
                    membership_changed |= node.membership != beat.membership;
                    node.membership = beat.membership;
                }
                Ok(Err(_)) => {
                    let since = *node.silent_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > 3 * heartbeat {
                        tracing::debug!(server = %node.server.address(), "a server is silent");
                        node.lost.store(true, Ordering::SeqCst);
                    }
                }
                _ => node.lost.store(true, Ordering::SeqCst),
            }
        }
        self.doubted |= membership_changed;
        if self.nodes.iter().any(|node| node.silent_since.is_some() || node.is_lost()) {
            self.feed.discovery.look();
            return false;
        }
        if self.doubted {
            let asked = timeout(heartbeat / 2, self.feed.discovery.refresh()).await;
            self.doubted = !asked.is_ok_and(|found| found.is_ok());
            let known = self.feed.discovery.current();
            self.doubted |= !self.nodes.iter().all(|node| known.has(&node.server));
        }
        !self.doubted && !self.nodes.is_empty()
    }
}

impl Drop for TrackingSession<'_> {
    fn drop(&mut self) {
        self.feed.watchers.broken();
        self.nodes.iter().for_each(|node| node.server.uncover());
    }
}

impl Node {
    /// Connects to a server, asks it to say what it changes, and makes sure that it is in charge
    /// after that.
    async fn begin(
        server: &Arc<Server>,
        names: &Names,
        cluster: bool,
        watchers: &Arc<Watchers>,
        discovery: &Discovery,
    ) -> Result<Self, Fault> {
        let lost = Arc::new(AtomicBool::new(false));
        let told = {
            let (names, watchers, lost) = (names.clone(), Arc::clone(watchers), Arc::clone(&lost));
            move |push: PushInfo| {
                hear(&push, &names, &watchers, &lost);
                Ok::<(), ()>(())
            }
        };
        let at = server.address();
        let refused = |error| Fault::refused(at, error);
        let connecting = async {
            let mut connection = server.endpoint.connect(told).await?;
            let commands = [
                command(&["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", names.records()]),
                command(&["CLIENT", "SETNAME", &names.feed()]),
            ];
            for answer in request::send(&mut connection, &commands).await.map_err(refused)? {
                answer.extract_error().map_err(refused)?;
            }
            let beat = beat(connection.clone(), cluster).await;
            Ok((connection, beat.filter(|beat| beat.is_master)))
        };
        let connected = timeout(server.endpoint.patience(), connecting).await;
        let (connection, beat) = connected.unwrap_or_else(|_| Err(Fault::slow(at)))?;
        let Some(Beat { membership, .. }) = beat else { return Err(Fault::changed(at)) };
        // Who was in charge before it was asked may not be any more. From here on a change shows in
        // what it answers.
        if !discovery.refresh().await?.has(server) {
            return Err(Fault::changed(at));
        }
        let server = Arc::clone(server);
        Ok(Self { server, connection, lost, silent_since: None, membership })
    }

    fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }
}

/// Passes on what a server says.
fn hear(push: &PushInfo, names: &Names, watchers: &Watchers, lost: &AtomicBool) {
    match push.kind {
        PushKind::Disconnection => {
            lost.store(true, Ordering::SeqCst);
            watchers.broken();
            watchers.stir();
        }
        PushKind::Invalidate => match push.data.first() {
            Some(Value::Array(keys)) => {
                for key in keys {
                    if let Value::BulkString(key) = key
                        && let Some(id) = names.session(key)
                    {
                        watchers.changed(&id);
                    }
                }
            }
            // The whole database was emptied: everything changed, and nothing was missed.
            _ => watchers.broken(),
        },
        _ => {}
    }
}

async fn beat(mut connection: MultiplexedConnection, cluster: bool) -> Option<Beat> {
    let mut commands: Vec<Cmd> = vec![command(&["HELLO"])];
    if cluster {
        commands.push(command(&["CLUSTER", "INFO"]));
    }
    let answers = request::send(&mut connection, &commands).await.ok()?;
    let is_master = Hello::read(answers.first()?).is_master;
    let membership = answers.get(1).and_then(text).map(membership).unwrap_or_default();
    (membership.is_empty() != cluster).then_some(Beat { is_master, membership })
}

/// The lines of `CLUSTER INFO` one of which changes whenever a server that is not watched takes
/// over keys, or might. A slot that goes from one master to another need not show: both are
/// watched.
fn membership(info: &str) -> Vec<String> {
    let starts =
        ["cluster_current_epoch:", "cluster_known_nodes:", "cluster_size:", "cluster_state:"];
    let counts = |line: &&str| starts.iter().any(|start| line.starts_with(start));
    info.lines().filter(counts).map(str::to_owned).collect()
}

/// Half to all of a pause, so that the processes of a fleet do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let random = u32::try_from(RandomState::new().hash_one(0) % 512).unwrap_or_default();
    pause / 2 + pause * random / 1_024
}

/// Before a server that did not join is tried again.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
