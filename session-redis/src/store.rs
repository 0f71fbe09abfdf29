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
    RedisConfig, config,
    error::{self, Fault},
    link::{Request, Target, Way},
    names::Names,
    script::{self, Script},
};

/// What all calls share.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) names: Names,
    replicas: u32,
    clock: Arc<dyn Clock>,
    slack: Duration,
    timeout: Duration,
}

/// Where a session stands in the index of its principal: when the entry is due, and what tells it
/// from an earlier one of the same session.
type Link = [u8; LINK_BYTES];

/// The stored form is the record and its link, zeros if it is in no index.
pub(crate) const LINK_BYTES: usize = 16;

impl Store {
    pub(crate) fn new(config: &RedisConfig) -> Result<Self> {
        Ok(Self {
            names: Names::new(&config.prefix)?,
            replicas: config.replicas,
            clock: Arc::clone(&config.clock),
            slack: config.slack.min(LONGEST),
            timeout: config.timeout.min(config::LONGEST_WAIT),
        })
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    pub(crate) async fn get(&self, way: &Way, id: &SessionId) -> Result<Option<Arc<Record>>> {
        let key = self.names.record(id);
        let mut command = cmd("GET");
        command.arg(&key);
        let mut bytes = match self.read(way, key, command).await? {
            Value::Nil => return Ok(None),
            Value::BulkString(bytes) => Bytes::from(bytes),
            _ => return Err(error::unexpected()),
        };
        let Some(length) = bytes.len().checked_sub(LINK_BYTES) else {
            return Err(error::foreign());
        };
        bytes.truncate(length);
        let record = Record::from_bytes(id, bytes)?;
        Ok((!record.is_expired(self.clock.now())).then(|| Arc::new(record)))
    }

    pub(crate) async fn probe(&self, way: &Way, id: &SessionId) -> Result<Option<Probe>> {
        let key = self.names.record(id);
        let mut command = cmd("GETRANGE");
        command.arg(&key).arg(0).arg(Record::HEADER_BYTES - 1);
        let head = match self.read(way, key, command).await? {
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
        self: &Arc<Self>,
        way: &Arc<Way>,
        record: &Record,
        expect: Expect,
    ) -> Result<Outcome> {
        let deadline = self.deadline();
        // The index names a session before it is there, so that no session is ever missed; what it
        // names too early is a candidate that is not there yet.
        let mut link = match (record.principal_tag(), expect) {
            (Some(tag), Expect::Absent) => Some(self.link(way, &tag, record, deadline).await?),
            _ => None,
        };
        loop {
            let answer = self.put_linked(way, record, expect, link.as_ref(), deadline).await?;
            let made = record.principal_tag().zip(link);
            match answer.split_first() {
                Some((b'S', place)) => {
                    self.unlink(way, record.id(), place);
                    return Ok(Outcome::Stored);
                }
                Some((b'L', _)) => {
                    let (Some(tag), None) = (record.principal_tag(), link) else {
                        return Err(error::unexpected());
                    };
                    link = Some(self.link(way, &tag, record, deadline).await?);
                }
                refused => {
                    if let Some((tag, link)) = made {
                        let place = [tag.as_bytes().as_slice(), &link].concat();
                        self.unlink(way, record.id(), &place);
                    }
                    return match refused {
                        Some((b'C', _)) => Ok(Outcome::Conflict),
                        Some((b'G', _)) => Ok(Outcome::Gone),
                        _ => Err(not_ours(&answer)),
                    };
                }
            }
        }
    }

    async fn put_linked(
        &self,
        way: &Way,
        record: &Record,
        expect: Expect,
        link: Option<&Link>,
        deadline: Instant,
    ) -> Result<Vec<u8>> {
        let now = self.clock.now();
        let left = record.expires_at().saturating_since(now).saturating_add(self.slack);
        let left = left.clamp(Duration::from_millis(1), LONGEST);
        let version = match expect {
            Expect::Absent => Vec::new(),
            Expect::Version(version) => version.get().to_le_bytes().to_vec(),
        };
        // Without a principal there is no index to be in.
        let link = match record.principal_tag() {
            None => Some(&[0; LINK_BYTES]),
            Some(_) => link,
        };
        let behind = link.map_or(&[][..], |link| link);
        let bytes = [record.header_bytes().as_slice(), record.sealed(), behind].concat();
        let (now, left) = (now.as_millis().to_string(), left.as_millis().to_string());
        let args: [&[u8]; 5] = [
            now.as_bytes(),
            &version,
            left.as_bytes(),
            &bytes,
            if link.is_some() { b"linked" } else { b"" },
        ];
        self.run(way, &script::PUT, self.names.record(record.id()), &args, deadline).await
    }

    pub(crate) async fn touch(
        &self,
        way: &Way,
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
        let key = self.names.record(id);
        let answer = self.run(way, &script::TOUCH, key, &args, self.deadline()).await?;
        match answer.first() {
            Some(b'S') => Ok(Outcome::Stored),
            Some(b'C') => Ok(Outcome::Conflict),
            Some(b'G') => Ok(Outcome::Gone),
            _ => Err(not_ours(&answer)),
        }
    }

    pub(crate) async fn remove(
        self: &Arc<Self>,
        way: &Arc<Way>,
        id: &SessionId,
        only: Option<Version>,
    ) -> Result<Removal> {
        let version = only.map_or_else(Vec::new, |version| version.get().to_le_bytes().to_vec());
        let now = self.clock.now().as_millis().to_string();
        let args: [&[u8]; 2] = [now.as_bytes(), &version];
        let key = self.names.record(id);
        let answer = self.run(way, &script::REMOVE, key, &args, self.deadline()).await?;
        match answer.split_first() {
            Some((b'S', place)) => {
                self.unlink(way, id, place);
                Ok(Removal::Removed)
            }
            Some((b'C', _)) => Ok(Removal::Conflict),
            Some((b'G', _)) => Ok(Removal::Gone),
            _ => Err(not_ours(&answer)),
        }
    }

    /// Adds a session to the index of its principal.
    async fn link(
        &self,
        way: &Way,
        tag: &PrincipalTag,
        record: &Record,
        deadline: Instant,
    ) -> Result<Link> {
        let mut nonce = [0; 8];
        nonce.copy_from_slice(&SessionId::random()?.as_bytes()[..8]);
        let left = record.deadline().saturating_since(self.clock.now());
        let left = left.saturating_add(self.slack).min(LONGEST).as_millis().to_string();
        let args: [&[u8]; 3] = [record.id().as_bytes(), &nonce, left.as_bytes()];
        let due = self.run(way, &script::LINK, self.names.index(tag), &args, deadline).await?;
        let due: [u8; 8] = due.try_into().map_err(|_| error::unexpected())?;
        let mut link = [0; LINK_BYTES];
        link[..8].copy_from_slice(&due);
        link[8..].copy_from_slice(&nonce);
        Ok(link)
    }

    /// Takes a session out of the index it was in, at `place`: a tag and a link, or nothing.
    ///
    /// Nobody waits for it, and nothing is lost if it fails: what the index names is looked at, and
    /// leaves when it is due. It names the one entry, not the session, so that it cannot hit an
    /// entry that was made meanwhile.
    fn unlink(self: &Arc<Self>, way: &Arc<Way>, id: &SessionId, place: &[u8]) {
        let Some((tag, link)) = place.split_first_chunk::<16>() else { return };
        let Some((due, nonce)) = link.split_first_chunk::<8>() else { return };
        let key = self.names.index(&PrincipalTag::from_bytes(*tag));
        let mut command = cmd("ZREM");
        command.arg(&key).arg([due.as_slice(), id.as_bytes(), nonce].concat());
        let request = Request { target: Target { key }, commands: vec![command], writes: false };
        let (store, way) = (Arc::clone(self), Arc::clone(way));
        drop(tokio::spawn(async move {
            if let Err(fault) = way.reads.call(&request, store.deadline()).await {
                let error = Error::from(fault);
                tracing::debug!(%error, "an entry of an index stays until it is due");
            }
        }));
    }

    async fn read(&self, way: &Way, key: Vec<u8>, command: Cmd) -> Result<Value> {
        let request = Request::read(Target { key }, command);
        let answers = self.ask(way, &request, self.deadline()).await?;
        answers.into_iter().next().ok_or_else(error::unexpected)
    }

    /// Asks for nothing, to see whether there is an answer.
    pub(crate) async fn greet(&self, way: &Way) -> Result<(), Fault> {
        let request = Request::read(Target { key: Vec::new() }, cmd("PING"));
        way.reads.call(&request, self.deadline()).await.map(drop)
    }

    /// Runs a script whose answer is a list, and that may run twice.
    pub(crate) async fn rows(
        &self,
        way: &Way,
        script: &Script,
        key: Vec<u8>,
        args: &[&[u8]],
    ) -> Result<Value> {
        let deadline = self.deadline();
        let target = Target { key };
        let request = Request::read(target.clone(), script.by_name(&target.key, args));
        let mut answers = match way.reads.call(&request, deadline).await {
            Err(fault) if fault.is_unknown_script() => {
                let request = Request::read(target.clone(), script.by_text(&target.key, args));
                way.reads.call(&request, deadline).await?
            }
            answers => answers?,
        };
        answers.pop().ok_or_else(error::unexpected)
    }

    /// Sends a request that changes nothing.
    pub(crate) async fn ask(
        &self,
        way: &Way,
        request: &Request,
        deadline: Instant,
    ) -> Result<Vec<Value>> {
        Ok(way.reads.call(request, deadline).await?)
    }

    /// Runs a script that writes, and returns the bytes it answers.
    async fn run(
        &self,
        way: &Way,
        script: &Script,
        key: Vec<u8>,
        args: &[&[u8]],
        deadline: Instant,
    ) -> Result<Vec<u8>> {
        let commands = vec![script.by_name(&key, args)];
        let mut request = Request { target: Target { key }, commands, writes: true };
        let answer = match self.write(way, &mut request, deadline).await {
            // The server was restarted, or never saw it.
            Err(fault) if fault.is_unknown_script() => {
                request.commands = vec![script.by_text(&request.target.key, args)];
                self.write(way, &mut request, deadline).await?
            }
            answer => answer?,
        };
        match answer {
            Value::BulkString(bytes) => Ok(bytes),
            _ => Err(error::unexpected()),
        }
    }

    /// Sends a write, and behind it the question how many replicas have it, if that matters.
    async fn write(
        &self,
        way: &Way,
        request: &mut Request,
        deadline: Instant,
    ) -> Result<Value, Fault> {
        let Some(writes) = &way.writes else {
            let answers = way.reads.call(request, deadline).await?;
            return Ok(answers.into_iter().next().unwrap_or(Value::Nil));
        };
        let mut wait = cmd("WAIT");
        wait.arg(self.replicas).arg(self.timeout.as_millis().div_ceil(2).max(1).to_string());
        request.commands.push(wait);
        let mut answers = writes.call(request, deadline).await?;
        let have = answers.pop().map(Value::extract_error).transpose()?;
        match (have, answers.pop()) {
            (Some(Value::Int(have)), Some(answer)) => {
                let wrote = matches!(&answer, Value::BulkString(it) if !is_refusal(it));
                if wrote && have < i64::from(self.replicas) {
                    return Err(Fault::FewReplicas);
                }
                Ok(answer)
            }
            _ => Err(Fault::FewReplicas),
        }
    }
}

/// Whether a script wrote nothing, by its answer: one of those of `put`, `touch` and `remove`, or
/// the eight bytes of `link`, whose first is zero.
fn is_refusal(answer: &[u8]) -> bool {
    answer.first().is_some_and(|first| b"CGLUX".contains(first))
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
