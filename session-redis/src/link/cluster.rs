//! A Cluster: many servers, each in charge of a part of the keys.

use std::{
    io::{self, ErrorKind::ConnectionAborted},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use redis::{
    Client, ConnectionAddr, ConnectionInfo, ErrorKind, ProtocolVersion, RedisError, RedisResult,
    Value, cluster::ClusterClient, cmd,
};
use session_core::Result;
use tokio::{task::JoinSet, time};

use super::{
    connection::Connection,
    source::{client, info, one},
};
use crate::{
    RedisConfig,
    error::{self, Fault},
};

/// The client of a Cluster, and the nodes that may be asked who belongs to it.
pub(crate) struct Cluster {
    client: ClusterClient,
    /// A node as it was configured, to take the login and TLS of the others from.
    pattern: ConnectionInfo,
    /// Nodes to ask: those that were configured, and those that were in charge of keys last time.
    known: Mutex<Vec<Client>>,
    configured: usize,
}

impl Cluster {
    pub(crate) fn new(config: &RedisConfig, urls: &[String]) -> Result<Self> {
        let infos = urls.iter().map(|url| info(config, url)).collect::<Result<Vec<_>>>()?;
        let known =
            infos.iter().map(|info| client(config, info.clone())).collect::<Result<Vec<_>>>()?;
        let Some(first) = known.first() else {
            return Err(error::config("at least one URL of a node of the Cluster is needed"));
        };
        if first.get_connection_info().redis_settings().db() != 0 {
            return Err(error::config("a Cluster has database 0 only"));
        }
        let pattern = first.get_connection_info().clone();
        let builder = ClusterClient::builder(infos)
            // What may be sent again is decided here, where it is known what it was.
            .retries(0)
            .overall_response_timeout(None)
            .response_timeout(config.timeout)
            .connection_timeout(config.connect_timeout)
            .use_protocol(ProtocolVersion::RESP3)
            .tcp_settings(pattern.tcp_settings().clone());
        #[cfg(feature = "tls")]
        let builder = match &config.certificates {
            Some(certificates) => builder.certs(certificates.clone()),
            None => builder,
        };
        let client = builder.build().map_err(|error| Fault::from(error).at_start())?;
        let configured = known.len();
        Ok(Self { client, pattern, known: Mutex::new(known), configured })
    }

    pub(crate) async fn connect(&self) -> RedisResult<Connection> {
        let connection = self.client.get_async_connection().await?;
        Ok(Connection::Cluster(Box::new(connection)))
    }

    /// The servers in charge of keys, as the first node that answers sees them.
    ///
    /// A node that takes its time is not waited for alone: after a while the next one is asked too.
    pub(crate) async fn masters(&self, timeout: Duration) -> RedisResult<Vec<Client>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut left = known.into_iter();
        let mut asked = JoinSet::new();
        let mut failed = None;
        loop {
            let answer = match left.next() {
                Some(node) => {
                    asked.spawn(nodes(node, timeout));
                    match time::timeout(timeout / 8, asked.join_next()).await {
                        Ok(answer) => answer,
                        Err(_) => continue,
                    }
                }
                None => asked.join_next().await,
            };
            let Some(answer) = answer else { break };
            let answer = answer.unwrap_or_else(|_| Err(io::Error::from(ConnectionAborted).into()));
            match answer.and_then(|(node, answer)| self.clients(&node, &answer)) {
                Ok(masters) if !masters.is_empty() => {
                    let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                    known.truncate(self.configured);
                    known.extend(masters.iter().cloned());
                    return Ok(masters);
                }
                Ok(_) => {}
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| {
            RedisError::from((ErrorKind::ClusterConnectionNotFound, "no node is in charge of keys"))
        }))
    }

    /// Clients for the masters that `node` named in `answer`.
    fn clients(&self, node: &Client, answer: &Value) -> RedisResult<Vec<Client>> {
        let mut addresses = masters(answer, node.get_connection_info().addr());
        addresses.sort();
        addresses
            .into_iter()
            .map(|(host, port)| {
                let address = match self.pattern.addr() {
                    ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                        let (insecure, tls_params) = (*insecure, tls_params.clone());
                        ConnectionAddr::TcpTls { host, port, insecure, tls_params }
                    }
                    _ => ConnectionAddr::Tcp(host, port),
                };
                Client::open(self.pattern.clone().set_addr(address))
            })
            .collect()
    }
}

/// Asks a node which nodes there are.
async fn nodes(node: Client, timeout: Duration) -> RedisResult<(Client, Value)> {
    let answer = match one(&node, timeout, |_| Ok::<(), ()>(())).await? {
        Connection::One(mut connection) => {
            connection.set_response_timeout(timeout);
            connection.send_packed_command(cmd("CLUSTER").arg("NODES")).await?.extract_error()?
        }
        Connection::Cluster(_) => Value::Nil,
    };
    Ok((node, answer))
}

/// The masters in the answer to `CLUSTER NODES`, one node a line: id, address, flags, and from the
/// ninth word on its slots. Those without slots count, since keys may be on their way to them;
/// those that failed count only if nobody has taken over their slots.
fn masters(answer: &Value, asked: &ConnectionAddr) -> Vec<(String, u16)> {
    let text = match answer {
        Value::BulkString(text) => std::str::from_utf8(text).unwrap_or_default(),
        Value::VerbatimString { text, .. } => text,
        _ => "",
    };
    let master = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        let flags: Vec<_> = words.get(2)?.split(',').collect();
        let gone = ["fail", "handshake", "noaddr"].iter().any(|flag| flags.contains(flag));
        if !flags.contains(&"master") || gone && words.len() < 9 {
            return None;
        }
        // `ip:port@bus,hostname,...`; a certificate is of the name.
        let (address, rest) = words.get(1)?.split_once('@')?;
        let (host, port) = address.rsplit_once(':')?;
        let hostname = rest.split(',').nth(1).filter(|name| !name.is_empty());
        let host = match (hostname, asked) {
            (Some(name), ConnectionAddr::TcpTls { .. }) => name,
            // A node that does not know its own address is where it was asked.
            (_, ConnectionAddr::Tcp(asked, _) | ConnectionAddr::TcpTls { host: asked, .. })
                if host.is_empty() =>
            {
                asked
            }
            _ => host,
        };
        Some((host.to_owned(), port.parse().ok()?))
    };
    text.lines().filter_map(master).collect()
}
