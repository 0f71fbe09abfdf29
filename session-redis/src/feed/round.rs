//! One whole stretch of the feed: connections to all servers, until one of them is lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use redis::{Client, Cmd, PushInfo, PushKind, Value, cmd};
use session_core::{Error, Result};
use tokio::time::{Instant, timeout, timeout_at};

use super::hub::Hub;
use crate::{
    error::{self, Fault},
    link::{Connection, Request, Source, Target, addresses, one},
    names::Names,
};

/// Connections over which every server tells its changes.
pub(super) struct Round {
    nodes: Vec<Node>,
    /// Whether one of the connections ended.
    lost: Arc<AtomicBool>,
    hub: Arc<Hub>,
    beat: Request,
}

struct Node {
    connection: Connection,
    /// What the server said of its Cluster; empty without one.
    cluster: Vec<String>,
}

impl Round {
    /// Connects to all servers and asks each to tell.
    pub(super) async fn begin(
        source: &Source,
        names: &Names,
        connect_timeout: Duration,
        hub: &Arc<Hub>,
    ) -> Result<Self> {
        let connecting = async {
            let masters = source.masters(connect_timeout).await.map_err(Fault::from)?;
            let lost = Arc::new(AtomicBool::new(false));
            let mut nodes = Vec::with_capacity(masters.len());
            for master in &masters {
                nodes.push(Node::begin(master, names, connect_timeout, hub, &lost).await?);
            }
            let beat = beat(source.is_cluster());
            let mut round = Self { nodes, lost, hub: Arc::clone(hub), beat };
            round.ask().await?;
            // Who was in charge before all were told to tell may not be any more. From here on a
            // change shows in what the servers answer.
            let now = source.masters(connect_timeout).await.map_err(Fault::from)?;
            if addresses(&now) != addresses(&masters) {
                return Err(changed());
            }
            Ok(round)
        };
        timeout(4 * connect_timeout, connecting).await.map_err(|_| Error::from(Fault::Slow))?
    }

    /// Tells that the feed is whole for as long as it is.
    pub(super) async fn last(&mut self, heartbeat: Duration) {
        while !self.lost.load(Ordering::SeqCst) && !self.hub.is_deserted() {
            let asked = Instant::now();
            match timeout(heartbeat / 2, self.ask()).await {
                // A thread that is held up looks for the answer first, and at the clock after it.
                Ok(Ok(())) if asked.elapsed() <= heartbeat / 2 => {}
                Ok(Err(error)) => return tracing::debug!(%error, "the feed of changes ends"),
                _ => return tracing::debug!("the feed of changes ends: a server is silent"),
            }
            // What ended while the last answer was on its way has been told already.
            if self.lost.load(Ordering::SeqCst) {
                return;
            }
            self.hub.alive();
            let next = asked + heartbeat / 4;
            while let Ok(()) = timeout_at(next, self.hub.stirred()).await {
                if self.lost.load(Ordering::SeqCst) || self.hub.is_deserted() {
                    return;
                }
            }
        }
    }

    /// Asks every server whether it is still in charge, and of the same keys.
    async fn ask(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            let answers = node.connection.send(&self.beat).await.map_err(Fault::from)?;
            let mut answers = answers.into_iter();
            if answers.next().as_ref().and_then(role) != Some("master") {
                return Err(changed());
            }
            let Some(cluster) = answers.next() else { continue };
            let cluster = membership(&cluster).ok_or_else(error::unexpected)?;
            if node.cluster.is_empty() {
                node.cluster = cluster;
            } else if node.cluster != cluster {
                return Err(changed());
            }
        }
        Ok(())
    }
}

impl Node {
    async fn begin(
        client: &Client,
        names: &Names,
        connect_timeout: Duration,
        hub: &Arc<Hub>,
        lost: &Arc<AtomicBool>,
    ) -> Result<Self> {
        let (of, hub, lost) = (names.clone(), Arc::clone(hub), Arc::clone(lost));
        let told = move |push: PushInfo| {
            hear(&push, &of, &hub, &lost);
            Ok::<(), ()>(())
        };
        let mut connection = one(client, connect_timeout, told)
            .await
            .map_err(|error| Error::from(Fault::from(error)))?;
        let mut name = cmd("CLIENT");
        name.arg("SETNAME").arg(names.feed());
        let mut tracking = cmd("CLIENT");
        tracking.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(names.records());
        let request = request(vec![name, tracking]);
        for answer in connection.send(&request).await.map_err(Fault::from)? {
            answer.extract_error().map_err(Fault::from)?;
        }
        Ok(Self { connection, cluster: Vec::new() })
    }
}

/// Passes on what a server tells.
fn hear(push: &PushInfo, names: &Names, hub: &Hub, lost: &AtomicBool) {
    match push.kind {
        PushKind::Disconnection => {
            lost.store(true, Ordering::SeqCst);
            hub.broken();
            hub.stir();
        }
        PushKind::Invalidate => match push.data.first() {
            Some(Value::Array(keys)) => {
                for key in keys {
                    if let Value::BulkString(key) = key
                        && let Some(id) = names.session(key)
                    {
                        hub.changed(&id);
                    }
                }
            }
            // The whole database was emptied: everything changed, and nothing was missed.
            _ => hub.broken(),
        },
        _ => {}
    }
}

fn beat(cluster: bool) -> Request {
    let mut commands = vec![cmd("HELLO")];
    if cluster {
        let mut info = cmd("CLUSTER");
        info.arg("INFO");
        commands.push(info);
    }
    request(commands)
}

fn request(commands: Vec<Cmd>) -> Request {
    Request { target: Target { key: Vec::new() }, commands, writes: false }
}

/// What a server says it is.
fn role(hello: &Value) -> Option<&str> {
    let Value::Map(fields) = hello else { return None };
    fields.iter().find_map(|(name, value)| (text(name)? == "role").then(|| text(value))?)
}

/// The lines of `CLUSTER INFO` one of which changes whenever a server that is not listened to takes
/// over keys, or might. A slot that goes from one master to another need not show: both tell of
/// their changes.
fn membership(info: &Value) -> Option<Vec<String>> {
    let lines = text(info)?.lines().filter(|line| {
        ["cluster_current_epoch:", "cluster_known_nodes:", "cluster_size:", "cluster_state:"]
            .iter()
            .any(|start| line.starts_with(start))
    });
    Some(lines.map(str::to_owned).collect())
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}

fn changed() -> Error {
    error::unavailable("other servers are in charge than a moment ago")
}
