//! What is tried when a manager is made, so that what is missing shows before the first visitor.

use std::sync::Arc;

use redis::{Cmd, ErrorKind as Kind, RedisError, ServerErrorKind, Value};
use session_core::{ErrorKind, PrincipalTag, Result, SessionId};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    RedisConfig,
    endpoint::Endpoint,
    error::{self, Fault, OLD, REPLICA},
    names::Names,
    request::{self, Hello, command, text},
    script::Script,
    store::Store,
    topology::Discovery,
};

/// Tries all servers side by side. One that cannot be reached is no reason not to start while
/// another one can.
pub(crate) async fn check(
    config: &RedisConfig,
    discovery: &Discovery,
    store: &Store,
) -> Result<()> {
    let found = timeout(2 * store.timeout, discovery.refresh()).await;
    // Where no server is found, the nodes that were named can say why.
    let (endpoints, mut failed) = match found.unwrap_or_else(|_| Err(Fault::moving())) {
        Ok(topology) => (topology.servers.iter().map(|it| it.endpoint.clone()).collect(), None),
        Err(fault) => (discovery.nodes().to_vec(), Some(fault)),
    };
    let lost = failed.is_some();
    let mut trials = JoinSet::new();
    for endpoint in endpoints {
        let (names, in_cluster) = (store.names.clone(), discovery.is_cluster());
        let trial = Trial { endpoint, names, in_cluster, waits: config.replicas > 0 };
        trials.spawn(async move {
            let at = Arc::clone(trial.endpoint.address());
            let patience = trial.endpoint.patience();
            timeout(patience, trial.run()).await.unwrap_or_else(|_| Err(Fault::slow(&at)))
        });
    }
    let mut reached = false;
    while let Some(tried) = trials.join_next().await {
        match tried {
            Ok(Ok(report)) => {
                reached = !lost;
                report.into_result()?;
            }
            Ok(Err(fault)) => failed = failed.or(Some(fault)),
            Err(_) => {}
        }
    }
    match failed {
        Some(fault) if reached => {
            let error = session_core::Error::from(fault);
            tracing::warn!(%error, "a server of the Cluster cannot be tried");
            Ok(())
        }
        Some(fault) => Err(fault.at_start()),
        None => Ok(()),
    }
}

struct Trial {
    endpoint: Endpoint,
    names: Names,
    in_cluster: bool,
    waits: bool,
}

/// What is wrong with a server.
#[derive(Default)]
struct Report {
    at: Arc<str>,
    wrong: Vec<String>,
    /// Commands the user may not run, as its rights name them.
    missing: Vec<&'static str>,
    /// Whether its rights do not reach the keys.
    keys: Option<String>,
    is_replica: bool,
}

impl Trial {
    async fn run(self) -> Result<Report, Fault> {
        let (mut connection, hello) = self.endpoint.greet(|_| Ok::<(), ()>(())).await?;
        let at = Arc::clone(self.endpoint.address());
        let mut report =
            Report { at: Arc::clone(&at), is_replica: !hello.is_master, ..Report::default() };
        report.wrong.extend(self.unfit(&hello));
        if !report.wrong.is_empty() {
            return Ok(report);
        }
        let refused = |error| Fault::refused(&at, error);
        let commands = self.commands().map_err(refused)?;
        let (rights, commands): (Vec<_>, Vec<_>) = commands.into_iter().unzip();
        let sent = request::send_all(&mut connection, &commands).await;
        for (right, answer) in rights.into_iter().zip(sent.map_err(refused)?) {
            match answer.extract_error() {
                Ok(answer) if right == "info" => warn_of_policy(&at, &answer),
                Err(error) if right != "info" => {
                    report.note(right, &error, &self.names);
                    if error.kind() == Kind::Server(ServerErrorKind::BusyLoading) {
                        return Err(refused(error));
                    }
                }
                _ => {}
            }
        }
        Ok(report)
    }

    fn unfit(&self, hello: &Hello) -> Option<String> {
        let major = hello.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        if hello.mode == "sentinel" {
            return Some("it is a Sentinel: use `RedisConfig::sentinel`".into());
        }
        if major.is_none_or(|major| major < 7) {
            return Some(format!("it is {} {}: {OLD}", hello.server, hello.version));
        }
        (hello.mode == "cluster" && !self.in_cluster)
            .then(|| "it belongs to a Cluster: use `RedisConfig::cluster`".into())
    }

    /// Every command that calls use, on keys that nobody has and so that nothing is written.
    fn commands(&self) -> Result<Vec<(&'static str, Cmd)>, RedisError> {
        let random = SessionId::random().map_err(|_| {
            RedisError::from((Kind::Client, "the operating system gives no randomness"))
        })?;
        let record = self.names.record(&random);
        let index = self.names.index(&PrincipalTag::from_bytes(*random.as_bytes()));
        let on = |words: &[&str], key: &[u8], rest: &[&str]| {
            let mut command = command(words);
            command.arg(key).arg(rest);
            command
        };
        let nothing = Script::new(&["return 1"]);
        let mut commands = vec![
            ("ping", command(&["PING"])),
            ("time", command(&["TIME"])),
            ("info", command(&["INFO", "memory"])),
            ("scan", command(&["SCAN", "0", "COUNT", "1"])),
            ("get", on(&["GET"], &record, &[])),
            ("getrange", on(&["GETRANGE"], &record, &["0", "0"])),
            ("set", on(&["SET"], &record, &["", "XX"])),
            ("setrange", on(&["SETRANGE"], &record, &["0", ""])),
            ("exists", on(&["EXISTS"], &record, &[])),
            ("del", on(&["DEL"], &record, &[])),
            ("pexpire", on(&["PEXPIRE"], &record, &["1"])),
            ("pttl", on(&["PTTL"], &index, &[])),
            ("zadd", on(&["ZADD"], &index, &["XX", "0", "0"])),
            ("zrem", on(&["ZREM"], &index, &["0"])),
            ("zscore", on(&["ZSCORE"], &index, &["0"])),
            ("zcount", on(&["ZCOUNT"], &index, &["0", "0"])),
            ("zrangebyscore", on(&["ZRANGEBYSCORE"], &index, &["0", "0"])),
            ("zremrangebyscore", on(&["ZREMRANGEBYSCORE"], &index, &["0", "0"])),
            ("eval", nothing.by_text(&record, &[])),
            ("evalsha", nothing.by_name(&record, &[])),
            ("client|setname", command(&["CLIENT", "SETNAME", &self.names.feed()])),
            (
                "client|tracking",
                command(&["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", self.names.records()]),
            ),
        ];
        if self.waits {
            commands.push(("wait", command(&["WAIT", "0", "1"])));
        }
        if self.in_cluster {
            commands.push(("cluster|shards", command(&["CLUSTER", "SHARDS"])));
            commands.push(("cluster|info", command(&["CLUSTER", "INFO"])));
            commands.push(("asking", command(&["ASKING"])));
        }
        Ok(commands)
    }
}

impl Report {
    fn note(&mut self, right: &'static str, error: &RedisError, names: &Names) {
        let said = error.detail().unwrap_or_default();
        if error.kind() == Kind::Server(ServerErrorKind::NoPerm) {
            if said.contains("access") {
                self.keys = Some(names.pattern());
            } else {
                self.missing.push(right);
            }
        } else if said.contains("unknown command") || said.contains("unknown subcommand") {
            self.wrong.push(format!(
                "it does not know the command `{right}`: {OLD}, and nothing renamed"
            ));
        }
    }

    /// All that is wrong at once.
    fn into_result(self) -> Result<()> {
        let Self { at, mut wrong, missing, keys, is_replica } = self;
        if !missing.is_empty() || keys.is_some() {
            let keys = keys.map(|pattern| format!(" ~{pattern}")).unwrap_or_default();
            let rights = missing.iter().fold(String::new(), |all, right| all + " +" + right);
            wrong.push(format!(
                "the user lacks rights, which `ACL SETUSER <user>{keys}{rights}` gives it"
            ));
        }
        let kind = if wrong.is_empty() { ErrorKind::Unavailable } else { ErrorKind::Config };
        if is_replica {
            wrong.push(REPLICA.into());
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let message = format!("{at}: the server cannot keep sessions: {}", wrong.join("; "));
        Err(match kind {
            ErrorKind::Config => error::config(message),
            _ => error::unavailable(message),
        })
    }
}

/// Warns of what the server does when its memory is full.
fn warn_of_policy(at: &Arc<str>, info: &Value) {
    let policy = text(info)
        .and_then(|info| info.lines().find_map(|line| line.strip_prefix("maxmemory_policy:")));
    if let Some(policy) = policy.filter(|policy| *policy != "noeviction") {
        tracing::warn!(
            server = %at,
            policy,
            "the server may drop sessions, and their entries in the lists of principals, when its \
             memory is full: set `maxmemory-policy noeviction`, or give sessions a server of their \
             own"
        );
    }
}
