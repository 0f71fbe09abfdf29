//! The verbs, as commands and scripts.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use redis::{Cmd, Value, cmd};
use session_core::{
    Clock, Error, Expect, Outcome, PrincipalTag, Probe, Record, Removal, Result, SessionId,
    Timestamp, Version,
};
use tokio::time::Instant;

use crate::{
    RedisConfig, config, error,
    feed::Watchers,
    list::Absent,
    names::Names,
    pool::{Answers, Route},
    request::Request,
    script::{self, Script},
};

/// What all calls share.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) names: Names,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) absent: Absent,
    replicas: u32,
    clock: Arc<dyn Clock>,
    slack: Duration,
    pub(crate) timeout: Duration,
}

impl Store {
    pub(crate) fn new(config: &RedisConfig, watchers: Arc<Watchers>) -> Result<Self> {
        Ok(Self {
            names: Names::new(&config.prefix)?,
            watchers,
            absent: Absent::default(),
            replicas: config.replicas,
            clock: Arc::clone(&config.clock),
            slack: config.slack.min(LONGEST),
            timeout: config.timeout.min(config::LONGEST_WAIT),
        })
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    pub(crate) async fn get(&self, route: &Route, id: &SessionId) -> Result<Option<Arc<Record>>> {
        let mut command = cmd("GET");
        command.arg(self.names.record(id));
        let bytes = match self.read(route, id, command).await? {
            Value::Nil => return Ok(None),
            // An empty value is none, as it is for the scripts.
            Value::BulkString(bytes) if bytes.is_empty() => return Ok(None),
            Value::BulkString(bytes) => Bytes::from(bytes),
            _ => return Err(error::unexpected()),
        };
        let record = Record::from_bytes(id, bytes)?;
        Ok((!record.is_expired(self.clock.now())).then(|| Arc::new(record)))
    }

    pub(crate) async fn probe(&self, route: &Route, id: &SessionId) -> Result<Option<Probe>> {
        let mut command = cmd("GETRANGE");
        command.arg(self.names.record(id)).arg(0).arg(Record::HEADER_BYTES - 1);
        let head = match self.read(route, id, command).await? {
            Value::BulkString(head) if head.is_empty() => return Ok(None),
            Value::BulkString(head) => head,
            _ => return Err(error::unexpected()),
        };
        // The header alone is read as the record it begins: with the shortest body there is.
        let mut bytes = head;
        bytes.resize(Record::HEADER_BYTES + SHORTEST_BODY, 0);
        let record = Record::from_bytes(id, bytes.into())?;
        let probe = Probe { version: record.version(), expires_at: record.expires_at() };
        Ok((!record.is_expired(self.clock.now())).then_some(probe))
    }

    pub(crate) async fn put(
        &self,
        route: &Route,
        record: &Record,
        expect: Expect,
    ) -> Result<Outcome> {
        let deadline = self.deadline();
        let mut linked = true;
        if let Some(tag) = record.principal_tag() {
            // The index names a session before it is there, so that no session is ever missed; what
            // it names too early is a candidate that is not there yet.
            match expect {
                Expect::Absent => {
                    self.link(route, &tag, record.id(), record.deadline(), deadline).await?;
                }
                Expect::Version(_) => linked = false,
            }
        }
        loop {
            let answer = self.put_linked(route, record, expect, linked, deadline).await?;
            match (&answer[..], record.principal_tag()) {
                (b"S", _) => return Ok(Outcome::Stored),
                (b"C", _) => return Ok(Outcome::Conflict),
                (b"G", _) => return Ok(Outcome::Gone),
                (b"L", Some(tag)) if !linked => {
                    self.link(route, &tag, record.id(), record.deadline(), deadline).await?;
                    linked = true;
                }
                _ => return Err(not_ours(&answer)),
            }
        }
    }

    async fn put_linked(
        &self,
        route: &Route,
        record: &Record,
        expect: Expect,
        linked: bool,
        deadline: Instant,
    ) -> Result<Vec<u8>> {
        let now = self.clock.now();
        let left = record.expires_at().saturating_since(now).saturating_add(self.slack);
        let left = left.clamp(Duration::from_millis(1), LONGEST);
        let version = match expect {
            Expect::Absent => Vec::new(),
            Expect::Version(version) => version.get().to_le_bytes().to_vec(),
        };
        let bytes = [record.header_bytes().as_slice(), record.sealed()].concat();
        let (now, left) = (now.as_millis().to_string(), left.as_millis().to_string());
        let args: [&[u8]; 5] = [
            now.as_bytes(),
            &version,
            left.as_bytes(),
            &bytes,
            if linked { b"linked" } else { b"" },
        ];
        self.change(route, &script::PUT, record.id(), &args, deadline).await
    }

    pub(crate) async fn touch(
        self: &Arc<Self>,
        route: &Arc<Route>,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        let now = self.clock.now().as_millis().to_string();
        let slack = self.slack.as_millis().to_string();
        let args: [&[u8]; 4] = [
            now.as_bytes(),
            &version.get().to_le_bytes(),
            &expires_at.as_millis().to_le_bytes(),
            slack.as_bytes(),
        ];
        let answer = self.change(route, &script::TOUCH, id, &args, self.deadline()).await?;
        match answer.split_first() {
            Some((b'S', place)) => {
                if let Some((end, tag)) = place.split_first_chunk::<8>() {
                    self.link_again(
                        route,
                        id,
                        tag,
                        Timestamp::from_millis(u64::from_le_bytes(*end)),
                    );
                }
                Ok(Outcome::Stored)
            }
            Some((b'C', _)) => Ok(Outcome::Conflict),
            Some((b'G', _)) => Ok(Outcome::Gone),
            _ => Err(not_ours(&answer)),
        }
    }

    pub(crate) async fn remove(
        self: &Arc<Self>,
        route: &Arc<Route>,
        id: &SessionId,
        only: Option<Version>,
    ) -> Result<Removal> {
        let version = only.map_or_else(Vec::new, |version| version.get().to_le_bytes().to_vec());
        let now = self.clock.now().as_millis().to_string();
        let args: [&[u8]; 2] = [now.as_bytes(), &version];
        let answer = self.change(route, &script::REMOVE, id, &args, self.deadline()).await?;
        let (removal, tag) = match answer.split_first() {
            Some((b'S', tag)) => (Removal::Removed, tag),
            Some((b'C', tag)) => (Removal::Conflict, tag),
            Some((b'G', tag)) => (Removal::Gone, tag),
            _ => return Err(not_ours(&answer)),
        };
        self.unlink(route, id, tag);
        Ok(removal)
    }

    /// Adds a session to the index of its principal, until `end` at least.
    async fn link(
        &self,
        route: &Route,
        tag: &PrincipalTag,
        id: &SessionId,
        end: Timestamp,
        deadline: Instant,
    ) -> Result<()> {
        let left = end.saturating_since(self.clock.now());
        let left = left.saturating_add(self.slack).min(LONGEST).as_millis().to_string();
        let args: [&[u8]; 2] = [id.as_bytes(), left.as_bytes()];
        self.run(route, &script::LINK, self.names.index(tag), &args, deadline).await.map(drop)
    }

    /// Makes sure that the index names a session that is in use: a failover may have lost its
    /// entry. No call waits for it, and it fails no touch.
    fn link_again(
        self: &Arc<Self>,
        route: &Arc<Route>,
        id: &SessionId,
        tag: &[u8],
        end: Timestamp,
    ) {
        let Some(tag) = tag_of(tag) else { return };
        let (store, route, id) = (Arc::clone(self), Arc::clone(route), *id);
        drop(tokio::spawn(async move {
            if let Err(error) = store.link(&route, &tag, &id, end, store.deadline()).await {
                tracing::debug!(%error, "an entry of an index was not looked after");
            }
        }));
    }

    /// Takes a session that was removed out of the index it was in. Its sid is never used again.
    ///
    /// Nobody waits for it, and nothing is lost if it fails: the entry leaves when it is due.
    fn unlink(self: &Arc<Self>, route: &Arc<Route>, id: &SessionId, tag: &[u8]) {
        let Some(tag) = tag_of(tag) else { return };
        let key = self.names.index(&tag);
        let mut command = cmd("ZREM");
        command.arg(&key).arg(id.as_bytes());
        // Not a write: once more does no harm, and no replica is waited for.
        let request = Request::read(key, command);
        let (store, route) = (Arc::clone(self), Arc::clone(route));
        drop(tokio::spawn(async move {
            if let Err(fault) = route.call(&request, store.deadline()).await {
                let error = Error::from(fault);
                tracing::debug!(%error, "an entry of an index stays until it is due");
            }
        }));
    }

    /// Reads from a record.
    async fn read(&self, route: &Route, id: &SessionId, command: Cmd) -> Result<Value> {
        let request = Request::read(self.names.record(id), command);
        let answers = route.call(&request, self.deadline()).await?;
        self.heed(&answers, id);
        answers.values.into_iter().next().ok_or_else(error::unexpected)
    }

    /// Runs a script on a record.
    async fn change(
        &self,
        route: &Route,
        script: &Script,
        id: &SessionId,
        args: &[&[u8]],
        deadline: Instant,
    ) -> Result<Vec<u8>> {
        let answers = self.run(route, script, self.names.record(id), args, deadline).await?;
        self.heed(&answers, id);
        match answers.values.into_iter().next() {
            Some(Value::BulkString(bytes)) => Ok(bytes),
            _ => Err(error::unexpected()),
        }
    }

    /// What a server answered that is not watched must not be cached: watchers are notified as if
    /// it had changed meanwhile.
    fn heed(&self, answers: &Answers, id: &SessionId) {
        if !answers.covered {
            self.watchers.changed(id);
        }
    }

    /// Runs a script that writes.
    pub(crate) async fn run(
        &self,
        route: &Route,
        script: &Script,
        key: Vec<u8>,
        args: &[&[u8]],
        deadline: Instant,
    ) -> Result<Answers> {
        let command = script.by_name(&key, args);
        let mut request = Request::write(key, command);
        let answers = match route.call(&request, deadline).await {
            // The server was restarted, or never saw it.
            Err(fault) if fault.is_unknown_script() => {
                request.commands = vec![script.by_text(&request.key, args)];
                route.call(&request, deadline).await?
            }
            answers => answers?,
        };
        let wrote = |value: &Value| matches!(value, Value::BulkString(it) if it.starts_with(b"S"));
        let few = answers.replicas.is_some_and(|have| have < i64::from(self.replicas));
        if few && answers.values.first().is_some_and(wrote) {
            return Err(error::unavailable(
                "it is in doubt whether the write stays: the server has it, and fewer replicas than \
                 `RedisConfig::replicas` asks for have confirmed it in time",
            ));
        }
        Ok(answers)
    }

    /// Runs a script that changes nothing but what is due, on the index of a principal.
    pub(crate) async fn rows(
        &self,
        route: &Route,
        script: &Script,
        key: Vec<u8>,
        args: &[&[u8]],
    ) -> Result<Value> {
        let deadline = self.deadline();
        let mut request = Request::read(key, Cmd::new());
        request.commands = vec![script.by_name(&request.key, args)];
        let answers = match route.call(&request, deadline).await {
            Err(fault) if fault.is_unknown_script() => {
                request.commands = vec![script.by_text(&request.key, args)];
                route.call(&request, deadline).await
            }
            answers => answers,
        };
        answers?.values.pop().ok_or_else(error::unexpected)
    }
}

/// The principal in an answer of a script, if there is one.
fn tag_of(bytes: &[u8]) -> Option<PrincipalTag> {
    let tag: [u8; 16] = bytes.try_into().ok()?;
    (tag != [0; 16]).then(|| PrincipalTag::from_bytes(tag))
}

/// The error for an answer of a script about what is no record of ours.
fn not_ours(answer: &[u8]) -> Error {
    match answer {
        b"X" => error::foreign(),
        b"U" => error::future(),
        _ => error::unexpected(),
    }
}

/// Nonce and tag of a sealed body.
const SHORTEST_BODY: usize = 40;

/// As long as any time to live the server is told: a hundred years.
pub(crate) const LONGEST: Duration = Duration::from_secs(3_155_760_000);
