//! Asking who is in charge.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use redis::{ErrorKind, RedisError, Value};
use session_core::Result;
use tokio::{task::JoinSet, time::timeout};

use super::{SLOTS, Slots, Topology, UNSERVED};
use crate::{
    RedisConfig,
    config::Place,
    endpoint::Endpoint,
    error::{self, Fault},
    request::{self, field, text},
};

/// Who knows the servers.
pub(crate) enum Seeds {
    Server(Endpoint),
    Cluster(Vec<Endpoint>),
    Sentinels {
        sentinels: Vec<Endpoint>,
        master: String,
        /// A server with the login of those they watch.
        pattern: Endpoint,
    },
}

/// What was found.
pub(super) struct Found {
    /// In the order of their addresses.
    pub(super) servers: Vec<Endpoint>,
    pub(super) slots: Slots,
}

impl Seeds {
    /// Checks what is configured; connects to nothing.
    pub(crate) fn new(config: &RedisConfig) -> Result<Self> {
        match &config.place {
            Place::Server(url) => Endpoint::new(config, url).map(Self::Server),
            Place::Cluster(urls) => {
                let nodes = urls.iter().map(|url| Endpoint::new(config, url));
                let nodes = nodes.collect::<Result<Vec<_>>>()?;
                if nodes.is_empty() {
                    return Err(error::config("a Cluster needs at least one URL of a node"));
                }
                if nodes.iter().any(|node| node.info().redis_settings().db() != 0) {
                    return Err(error::config("a Cluster has database 0 only"));
                }
                Ok(Self::Cluster(nodes))
            }
            Place::Sentinel { sentinels, master } => {
                let both = sentinels.iter().map(|url| Endpoint::sentinel(config, url));
                let (sentinels, patterns): (Vec<_>, Vec<_>) =
                    both.collect::<Result<Vec<_>>>()?.into_iter().unzip();
                let Some(pattern) = patterns.into_iter().next() else {
                    return Err(error::config("at least one URL of a Sentinel is needed"));
                };
                Ok(Self::Sentinels { sentinels, master: master.clone(), pattern })
            }
        }
    }

    /// Asks all who may know, side by side: the first valid answer counts.
    pub(super) async fn look_up(&self, known: &Topology, epoch: &mut u64) -> Result<Found, Fault> {
        match self {
            Self::Server(endpoint) => {
                Ok(Found { servers: vec![endpoint.clone()], slots: Arc::default() })
            }
            Self::Cluster(seeds) => {
                let more = known.servers.iter().map(|server| &server.endpoint);
                let more =
                    more.filter(|it| seeds.iter().all(|seed| seed.address() != it.address()));
                let seen = *epoch;
                let asked = seeds.iter().chain(more).map(|node| shards(node.clone(), seen));
                let (found, at) = first_valid(asked).await?;
                *epoch = at;
                Ok(found)
            }
            Self::Sentinels { sentinels, master, pattern } => {
                let asked = sentinels
                    .iter()
                    .map(|sentinel| named(sentinel.clone(), master.clone(), pattern.clone()));
                let server = first_valid(asked).await?;
                Ok(Found { servers: vec![server], slots: Arc::default() })
            }
        }
    }
}

/// The first that succeeds. If none does, a refusal says more than a silence.
async fn first_valid<T: Send + 'static>(
    asked: impl Iterator<Item = impl Future<Output = Result<T, Fault>> + Send + 'static>,
) -> Result<T, Fault> {
    let mut asked: JoinSet<_> = asked.collect();
    let mut failed: Option<Fault> = None;
    while let Some(answer) = asked.join_next().await {
        match answer {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(fault)) if failed.is_none() || fault.is_refusal() => failed = Some(fault),
            _ => {}
        }
    }
    Err(failed.unwrap_or_else(Fault::moving))
}

/// Asks one server over a connection of its own.
async fn ask(
    endpoint: &Endpoint,
    commands: &[redis::Cmd],
    patience: Duration,
) -> Result<Vec<Value>, Fault> {
    let at = endpoint.address();
    let asked = async {
        let mut connection = endpoint.connect(|_| Ok::<(), ()>(())).await?;
        request::send(&mut connection, commands).await.map_err(|error| Fault::refused(at, error))
    };
    timeout(patience, asked).await.unwrap_or_else(|_| Err(Fault::slow(at)))
}

/// The master that a Sentinel names, if it says itself that it is one.
async fn named(sentinel: Endpoint, master: String, pattern: Endpoint) -> Result<Endpoint, Fault> {
    let command = request::command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &master]);
    let at = sentinel.address();
    let answers =
        ask(&sentinel, &[command], sentinel.patience()).await.map_err(|fault| {
            match fault.error() {
                Some(error) if error.to_string().contains("unknown command") => Fault::known(
                    at,
                    "a server is there, but no Sentinel: Sentinels have a port of \
                                  their own, 26379 unless set",
                    None,
                ),
                _ => fault,
            }
        })?;
    let address = match answers.first() {
        Some(Value::Array(address)) => address.iter().map(text).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    let Some([host, port]) = address.as_deref() else {
        let unknown = (ErrorKind::MasterNameNotFoundBySentinel, "no such name");
        return Err(Fault::refused(at, RedisError::from(unknown)));
    };
    let server = pattern.at(host, port.parse().unwrap_or_default())?;
    let greeting = timeout(server.patience(), server.greet(|_| Ok::<(), ()>(()))).await;
    let (_, hello) = greeting.unwrap_or_else(|_| Err(Fault::slow(server.address())))?;
    if hello.is_master { Ok(server) } else { Err(Fault::changed(server.address())) }
}

/// The masters of a Cluster, as one node sees them, and the epoch it has heard of. One that has
/// heard less than `seen` was away meanwhile, and does not count.
async fn shards(node: Endpoint, seen: u64) -> Result<(Found, u64), Fault> {
    let commands =
        [request::command(&["CLUSTER", "SHARDS"]), request::command(&["CLUSTER", "INFO"])];
    let at = node.address();
    let answers =
        ask(&node, &commands, node.patience()).await.map_err(|fault| match fault.error() {
            Some(error) if error.to_string().contains("cluster support disabled") => {
                Fault::known(at, "the server is in no Cluster: use `RedisConfig::new`", None)
            }
            _ => fault,
        })?;
    let [Value::Array(shards), info] = &answers[..] else { return Err(Fault::moving()) };
    let epoch = text(info).and_then(|info| {
        info.lines().find_map(|line| line.strip_prefix("cluster_current_epoch:")?.parse().ok())
    });
    let mut masters = BTreeMap::new();
    for shard in shards {
        let slots = field(shard, "slots").map(ranges).unwrap_or_default();
        let Some(Value::Array(nodes)) = field(shard, "nodes") else { continue };
        let masters_here = || nodes.iter().filter(|node| said(node, "role") == Some("master"));
        let is_online = |node: &&Value| said(node, "health") == Some("online");
        // A master that failed stays beside the replica that took its place.
        let Some(master) = masters_here().find(is_online).or_else(|| masters_here().next()) else {
            continue;
        };
        // One that failed counts only if nobody has taken over its keys. Those without keys count,
        // since keys may be on their way to them.
        if slots.is_empty() && !is_online(&master) {
            continue;
        }
        let port = if node.uses_tls() { "tls-port" } else { "port" };
        let Some(Value::Int(port)) = field(master, port) else { continue };
        let host = said(master, "endpoint").filter(|host| !["", "?"].contains(host));
        let host = host.unwrap_or_else(|| node.host());
        let endpoint = node.at(host, u16::try_from(*port).unwrap_or_default())?;
        masters.insert(endpoint.address().to_string(), (endpoint, slots));
    }
    let mut map = vec![UNSERVED; usize::from(SLOTS)];
    let mut servers = Vec::new();
    for (place, (endpoint, slots)) in (0..).zip(masters.into_values()) {
        for (first, last) in slots {
            map.get_mut(first..=last).into_iter().flatten().for_each(|slot| *slot = place);
        }
        servers.push(endpoint);
    }
    if epoch.is_none_or(|epoch| epoch < seen) || map.iter().all(|place| *place == UNSERVED) {
        return Err(Fault::moving());
    }
    Ok((Found { servers, slots: map.into() }, epoch.unwrap_or_default()))
}

fn said<'a>(node: &'a Value, name: &str) -> Option<&'a str> {
    field(node, name).and_then(text)
}

/// Pairs of numbers.
fn ranges(slots: &Value) -> Vec<(usize, usize)> {
    let Value::Array(numbers) = slots else { return Vec::new() };
    let number = |value: &Value| match value {
        Value::Int(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    let pairs = numbers.chunks_exact(2);
    pairs.filter_map(|pair| Some((number(&pair[0])?, number(&pair[1])?))).collect()
}
