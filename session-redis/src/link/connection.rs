//! One connection, to one server or to a Cluster.

use redis::{Cmd, Pipeline, RedisResult, Value, aio::MultiplexedConnection};
#[cfg(feature = "cluster")]
use redis::{
    cluster_async::ClusterConnection,
    cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr},
    cmd,
};

/// Commands for one server, sent together.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) target: Target,
    pub(crate) commands: Vec<Cmd>,
    /// Whether the server's answer matters more than its arrival: then it is never sent twice.
    pub(crate) writes: bool,
}

/// Who is asked, where there are several: the server in charge of this key.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) key: Vec<u8>,
}

impl Request {
    pub(crate) fn read(target: Target, command: Cmd) -> Self {
        Self { target, commands: vec![command], writes: false }
    }
}

/// A connection; its clones are the same one.
#[derive(Clone)]
pub(crate) enum Connection {
    One(MultiplexedConnection),
    #[cfg(feature = "cluster")]
    Cluster(Box<ClusterConnection>),
}

impl Connection {
    /// Sends the commands and returns as many answers. An error of the first is the error of all;
    /// those of the others are among the answers, since the first has been done by then.
    pub(crate) async fn send(&mut self, request: &Request) -> RedisResult<Vec<Value>> {
        let answers = match self {
            Self::One(connection) => match &request.commands[..] {
                [command] => vec![connection.send_packed_command(command).await?],
                commands => {
                    let pipeline = pipeline(commands);
                    connection.send_packed_commands(&pipeline, 0, commands.len()).await?
                }
            },
            #[cfg(feature = "cluster")]
            Self::Cluster(connection) => route(connection, request).await?,
        };
        let mut answers = answers.into_iter();
        let first = answers.next().map(Value::extract_error).transpose()?;
        Ok(first.into_iter().chain(answers).collect())
    }
}

fn pipeline(commands: &[Cmd]) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(commands.len());
    for command in commands {
        pipeline.add_command(command.clone());
    }
    pipeline
}

#[cfg(feature = "cluster")]
async fn route(connection: &mut ClusterConnection, request: &Request) -> RedisResult<Vec<Value>> {
    let route = Route::with_key(&request.target.key, SlotAddr::Master);
    let route = SingleNodeRoutingInfo::SpecificNode(route);
    let sent = match &request.commands[..] {
        [command] => {
            let route = RoutingInfo::SingleNode(route);
            connection.route_command(command.clone(), route).await.map(|answer| vec![answer])
        }
        commands => connection.route_pipeline(pipeline(commands), 0, commands.len(), route).await,
    };
    // The client follows nothing by itself, since it cannot tell a refusal from a lost answer, and
    // would send a write again after both. A key on its way to another server is asked for there.
    match sent {
        Err(error) if error.kind() == redis::ServerErrorKind::Ask.into() => {
            let Some((host, port)) = error.redirect_node().and_then(|(node, _)| address(node))
            else {
                return Err(error);
            };
            let mut asking = vec![cmd("ASKING")];
            asking.extend_from_slice(&request.commands);
            let there = SingleNodeRoutingInfo::ByAddress { host, port };
            connection.route_pipeline(pipeline(&asking), 1, request.commands.len(), there).await
        }
        sent => sent,
    }
}

#[cfg(feature = "cluster")]
fn address(node: &str) -> Option<(String, u16)> {
    let (host, port) = node.rsplit_once(':')?;
    Some((host.to_owned(), port.parse().ok()?))
}
