//! What a call goes over: a connection to each server.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{ErrorKind, RedisError, ServerErrorKind as Server, Value, cmd};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout_at},
};

use super::{Plan, connection::ReconnectingConnection};
use crate::{
    endpoint::Endpoint,
    error::Fault,
    request::{self, Request},
    topology::{self, Discovery, Topology},
};

/// Connections of those who share them.
pub(crate) struct Route {
    plan: Arc<Plan>,
    home: Option<Handle>,
    reads: Mutex<Connections>,
    /// Apart from reads if writes wait for replicas: nothing else may wait behind them.
    writes: Option<Mutex<Connections>>,
}

#[derive(Default)]
struct Connections {
    topology: Arc<Topology>,
    /// To each server of the topology.
    to: Vec<Arc<ReconnectingConnection>>,
    /// To servers beside them to which calls were redirected.
    strays: Vec<Arc<ReconnectingConnection>>,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answers {
    pub(crate) values: Vec<Value>,
    /// Whether the feed receives what changes after it.
    pub(crate) covered: bool,
    /// How many replicas have the write, if that was asked.
    pub(crate) replicas: Option<i64>,
}

/// Where a server sent a call.
struct Redirect {
    address: String,
    from: Endpoint,
    /// Whether the keys are still on their way there.
    asking: bool,
}

impl Route {
    /// `home`: where the connections are, if not on the manager's own thread.
    pub(crate) fn new(plan: &Arc<Plan>, home: Option<Handle>) -> Self {
        let writes = plan.replicas.map(|_| Mutex::default());
        Self { plan: Arc::clone(plan), home, reads: Mutex::default(), writes }
    }

    pub(crate) fn is_connected(&self) -> bool {
        let connections = lock(&self.reads);
        !connections.to.is_empty() && connections.to.iter().all(|it| it.is_connected())
    }

    /// Sends a request to the server in charge and returns its answers, one for each command; an
    /// error of the first is the error of all.
    ///
    /// A write is sent again only after a refusal that proves that it was not done. What has no
    /// answer at the deadline may have been done.
    pub(crate) async fn call(
        &self,
        request: &Request,
        deadline: Instant,
    ) -> Result<Answers, Fault> {
        let discovery = &self.plan.discovery;
        let mut tries = Tries::default();
        let mut redirect = None;
        loop {
            let Some((connection, asking)) = self.towards(request, redirect.take()) else {
                tries.refused = Some(Fault::moving());
                self.refresh(&mut tries, deadline).await?;
                continue;
            };
            let server = &connection.server;
            // From before it is sent: what changes later is received.
            let covered = server.is_covered();
            let current = match connection.current(deadline).await {
                Ok(current) => current,
                Err(fault) => {
                    discovery.look();
                    if !discovery.moves() || !tries.may_connect_elsewhere() {
                        return Err(fault);
                    }
                    tries.refused = Some(fault);
                    self.refresh(&mut tries, deadline).await?;
                    // The same server is no better at once.
                    if discovery.current().has(server) {
                        return Err(tries.into_fault());
                    }
                    continue;
                }
            };
            let sent = self.send(&connection, current.clone(), request, asking);
            let Ok(answer) = timeout_at(deadline, sent).await else {
                // One slow answer on a connection that did well until now is not held against it.
                if !current.is_young() {
                    connection.discard(&current);
                }
                discovery.look();
                return Err(tries.refused.unwrap_or_else(|| Fault::slow(server.address())));
            };
            let fault = match answer {
                Ok((values, replicas)) => {
                    current.answers();
                    return Ok(Answers { values, covered, replicas });
                }
                Err(fault) => fault,
            };
            let Some(error) = fault.error() else { return Err(fault) };
            let verdict = tries.judge(error, request, discovery);
            if verdict.lost {
                connection.discard(&current);
            }
            if verdict.elsewhere {
                discovery.look();
            }
            redirect = to(error, &server.endpoint);
            let Some(pause) = verdict.again.filter(|pause| Instant::now() + *pause < deadline)
            else {
                return Err(fault);
            };
            tries.refused = Some(fault);
            #[expect(
                clippy::disallowed_methods,
                reason = "a server that refused is asked again after a pause"
            )]
            sleep(pause).await;
        }
    }

    /// The places of keys, those of each server together.
    pub(crate) fn by_server(&self, keys: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<usize>> {
        let topology = self.plan.discovery.current();
        let mut places: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (place, key) in keys.enumerate() {
            places.entry(topology.owner(&key)).or_default().push(place);
        }
        places.into_values().collect()
    }

    /// Waits until who is in charge was looked up.
    async fn refresh(&self, tries: &mut Tries, deadline: Instant) -> Result<(), Fault> {
        let found = timeout_at(deadline, self.plan.discovery.refresh()).await;
        let left =
            found.unwrap_or_else(|_| Err(tries.refused.take().unwrap_or_else(Fault::moving)));
        left.map(drop)?;
        #[expect(
            clippy::disallowed_methods,
            reason = "a server that refused is asked again after a pause"
        )]
        sleep(PAUSE).await;
        if Instant::now() < deadline { Ok(()) } else { Err(Fault::moving()) }
    }

    async fn send(
        &self,
        connection: &Arc<ReconnectingConnection>,
        mut current: super::connection::Current,
        request: &Request,
        asking: bool,
    ) -> Result<(Vec<Value>, Option<i64>), Fault> {
        let at = connection.server.address();
        if !asking && current.batch.is_none() {
            let sent = request::send(&mut current.connection, &request.commands).await;
            return sent.map(|values| (values, None)).map_err(|error| Fault::refused(at, error));
        }
        let mut commands = request.commands.clone();
        if asking {
            commands.insert(0, cmd("ASKING"));
        }
        let (values, have) = if let Some(batch) = current.batch {
            let (values, have) = batch.write(commands).await?;
            (values, Some(have))
        } else {
            let sent = request::send_all(&mut current.connection, &commands).await;
            (sent.map_err(|error| Fault::refused(at, error))?, None)
        };
        let mut values = values.into_iter().skip(usize::from(asking));
        let first = values.next().map(Value::extract_error).transpose();
        let first = first.map_err(|error| Fault::refused(at, error))?;
        Ok((first.into_iter().chain(values).collect(), have))
    }

    /// The connection for a request, and whether the server must be asked as one to which the keys
    /// are on their way.
    fn towards(
        &self,
        request: &Request,
        redirect: Option<Redirect>,
    ) -> Option<(Arc<ReconnectingConnection>, bool)> {
        let all = self.writes.as_ref().filter(|_| request.writes).unwrap_or(&self.reads);
        let topology = self.plan.discovery.current();
        let mut connections = lock(all);
        let connect = |server: &Arc<topology::Server>| {
            let (server, home) = (Arc::clone(server), self.home.clone());
            Arc::new(ReconnectingConnection::new(&self.plan, server, home, request.writes))
        };
        let mut left = None;
        if !Arc::ptr_eq(&connections.topology, &topology) {
            let kept = |server: &Arc<topology::Server>| {
                let kept = connections.to.iter().find(|it| Arc::ptr_eq(&it.server, server));
                kept.map_or_else(|| connect(server), Arc::clone)
            };
            let to = topology.servers.iter().map(kept).collect();
            let next = Connections { topology: Arc::clone(&topology), to, strays: Vec::new() };
            left = Some(std::mem::replace(&mut *connections, next));
        }
        let found = match redirect {
            None => match &request.server {
                Some(server) => {
                    topology.servers.iter().position(|it| it.address() == server.address())
                }
                None => topology.owner(&request.key),
            }
            .map(|at| (Arc::clone(&connections.to[at]), false)),
            Some(Redirect { address, from, asking }) => {
                let endpoint = from.redirect(&address)?;
                let known =
                    |it: &&Arc<ReconnectingConnection>| it.server.address() == endpoint.address();
                let known = connections.to.iter().chain(&connections.strays).find(known).cloned();
                let connection = known.unwrap_or_else(|| {
                    let stray = connect(&topology::Server::new(endpoint, false));
                    connections.strays.push(Arc::clone(&stray));
                    stray
                });
                Some((connection, asking))
            }
        };
        drop(connections);
        // What ends with the last call is let go of without the lock.
        drop(left);
        found
    }
}

/// What became of a call so far.
#[derive(Default)]
struct Tries {
    lost_reads: u32,
    redirects: u32,
    connects: u32,
    refused: Option<Fault>,
}

/// What an error says about the call, the connection, and the topology.
struct Verdict {
    /// Nothing was done, so the same may be sent again after a pause.
    again: Option<Duration>,
    /// The connection is of no use any more.
    lost: bool,
    /// Another server may be in charge.
    elsewhere: bool,
}

impl Tries {
    fn may_connect_elsewhere(&mut self) -> bool {
        self.connects += 1;
        self.connects <= 3
    }

    fn into_fault(self) -> Fault {
        self.refused.unwrap_or_else(Fault::moving)
    }

    fn judge(&mut self, error: &RedisError, request: &Request, discovery: &Discovery) -> Verdict {
        let again = Some(PAUSE);
        match error.kind() {
            ErrorKind::Server(Server::Moved | Server::Ask) => {
                self.redirects += 1;
                let again = if self.redirects <= 2 { Some(Duration::ZERO) } else { again };
                let elsewhere = error.kind() == ErrorKind::Server(Server::Moved);
                Verdict { again, lost: false, elsewhere }
            }
            ErrorKind::Server(Server::TryAgain | Server::ClusterDown | Server::MasterDown) => {
                Verdict { again, lost: false, elsewhere: true }
            }
            ErrorKind::Server(Server::ReadOnly) => {
                Verdict { again: again.filter(|_| discovery.moves()), lost: true, elsewhere: true }
            }
            ErrorKind::Io if !error.is_timeout() && !request.writes && self.lost_reads < 2 => {
                self.lost_reads += 1;
                Verdict { again, lost: true, elsewhere: true }
            }
            ErrorKind::Server(_) | ErrorKind::Extension => {
                let lost = error.code() == Some("NOAUTH");
                Verdict { again: None, lost, elsewhere: false }
            }
            _ => Verdict { again: None, lost: true, elsewhere: true },
        }
    }
}

fn to(error: &RedisError, from: &Endpoint) -> Option<Redirect> {
    let (address, _) = error.redirect_node()?;
    let asking = error.kind() == ErrorKind::Server(Server::Ask);
    Some(Redirect { address: address.to_owned(), from: from.clone(), asking })
}

/// Nothing in here panics while it holds the lock, so a poisoned one guards whole data.
fn lock(connections: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Before a refused call is sent again.
const PAUSE: Duration = Duration::from_millis(25);
