//! Finding sessions: the index of a principal, and a scan of all servers.

use std::time::Duration;

use async_trait::async_trait;
use redis::{Client, Value, cmd};
use session_core::{Cursor, Error, ListSessions, Page, PrincipalTag, Result, SessionId};
use tokio::time::{Instant, timeout_at};

use crate::{
    RedisSessionManager,
    error::{self, Fault},
    link::{Request, Source, Target, Way, addresses, one},
    script,
    store::Store,
};

#[async_trait]
impl ListSessions for RedisSessionManager {
    async fn by_principal(
        &self,
        tag: &PrincipalTag,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page> {
        let limit = limit.clamp(1, LARGEST);
        let begin = cursor.map_or_else(|| b"-".to_vec(), |it| [b"(", it.as_bytes()].concat());
        let way = self.way();
        self.engine().run(self.store().indexed(&way, tag, &begin, limit)).await
    }

    async fn scan(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page> {
        let place = match cursor {
            Some(cursor) => Place::read(cursor.as_bytes()).ok_or_else(foreign_cursor)?,
            None => Place::default(),
        };
        let (timeout, limit) = (self.connect_timeout(), limit.clamp(1, LARGEST));
        let way = self.way();
        self.engine().run(self.store().scanned(&way, self.source(), timeout, place, limit)).await
    }
}

impl Store {
    async fn indexed(
        &self,
        way: &Way,
        tag: &PrincipalTag,
        begin: &[u8],
        limit: usize,
    ) -> Result<Page> {
        let (key, count) = (self.names.index(tag), limit.to_string());
        let args: [&[u8]; 2] = [begin, count.as_bytes()];
        let Value::Array(entries) = self.rows(way, &script::LIST, key, &args).await? else {
            return Err(error::unexpected());
        };
        let mut ids = Vec::with_capacity(entries.len());
        let mut last = None;
        let full = entries.len() >= limit;
        for entry in entries {
            let Value::BulkString(entry) = entry else { return Err(error::unexpected()) };
            let sid = entry.get(8..24).and_then(|sid| sid.try_into().ok());
            ids.extend(sid.and_then(|sid| SessionId::from_bytes(sid).ok()));
            last = Some(entry);
        }
        Ok(Page::new(ids, last.filter(|_| full).map(Cursor::new)))
    }

    async fn scanned(
        &self,
        way: &Way,
        source: &Source,
        timeout: Duration,
        place: Place,
        limit: usize,
    ) -> Result<Page> {
        let Place { mut node, mut cursor, mut ids, shape } = place;
        let deadline = self.deadline();
        let masters = timeout_at(deadline, source.masters(timeout)).await;
        let masters = masters.map_err(|_| Fault::Slow)?.map_err(Fault::from)?;
        let now = if source.is_cluster() { shape_of(&masters) } else { 0 };
        if shape.is_some_and(|shape| shape != now) {
            return Err(error::unavailable(
                "the Cluster changed while it was scanned: begin the scan again",
            ));
        }
        if ids.len() < limit
            && let Some(master) = masters.get(usize::from(node))
        {
            let mut command = cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(format!("{}*", self.names.records()));
            command.arg("COUNT").arg(limit.max(SMALLEST));
            let request = Request::read(Target { key: Vec::new() }, command);
            let mut answers = if source.is_cluster() {
                self.ask_one(master, timeout, &request, deadline).await?
            } else {
                self.ask(way, &request, deadline).await?
            };
            let Some(Value::Array(answer)) = answers.pop() else { return Err(error::unexpected()) };
            let [Value::BulkString(next), Value::Array(keys)] = &answer[..] else {
                return Err(error::unexpected());
            };
            cursor = std::str::from_utf8(next)
                .ok()
                .and_then(|next| next.parse().ok())
                .ok_or_else(error::unexpected)?;
            for key in keys {
                let Value::BulkString(key) = key else { return Err(error::unexpected()) };
                ids.extend(self.names.session(key));
            }
            if cursor == 0 {
                node += 1;
            }
        }
        // The server may name more keys at once than a page takes: the rest waits in the cursor.
        let rest = ids.split_off(ids.len().min(limit));
        let ended = usize::from(node) >= masters.len() && rest.is_empty();
        let next = Place { node, cursor, ids: rest, shape: Some(now) };
        Ok(Page::new(ids, (!ended).then(|| Cursor::new(next.write()))))
    }
}

impl Store {
    /// Asks one server of a Cluster, over a connection of its own.
    async fn ask_one(
        &self,
        server: &Client,
        timeout: Duration,
        request: &Request,
        deadline: Instant,
    ) -> Result<Vec<Value>> {
        let asking = async {
            let mut connection = one(server, timeout, |_| Ok::<(), ()>(())).await?;
            connection.send(request).await
        };
        let asked = timeout_at(deadline, asking).await;
        let answers = asked.map_err(|_| Error::from(Fault::Slow))?.map_err(Fault::from)?;
        Ok(answers)
    }
}

/// Where a scan goes on.
#[derive(Default)]
struct Place {
    node: u16,
    cursor: u64,
    /// Found already, and not yet named.
    ids: Vec<SessionId>,
    /// The servers there were when the scan began.
    shape: Option<u64>,
}

impl Place {
    fn write(&self) -> Vec<u8> {
        let mut bytes = self.node.to_le_bytes().to_vec();
        bytes.extend(self.cursor.to_le_bytes());
        bytes.extend(self.shape.unwrap_or_default().to_le_bytes());
        for id in &self.ids {
            bytes.extend(id.as_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (node, bytes) = bytes.split_first_chunk()?;
        let (cursor, bytes) = bytes.split_first_chunk()?;
        let (shape, bytes) = bytes.split_first_chunk()?;
        let (ids, rest) = bytes.as_chunks::<16>();
        let ids = ids.iter().map(|id| SessionId::from_bytes(*id).ok()).collect::<Option<_>>()?;
        let (node, cursor) = (u16::from_le_bytes(*node), u64::from_le_bytes(*cursor));
        rest.is_empty().then(|| Self { node, cursor, ids, shape: Some(u64::from_le_bytes(*shape)) })
    }
}

/// A number for the servers of a Cluster: another one when the list is another.
fn shape_of(masters: &[Client]) -> u64 {
    // FNV-1a: stable from one process to the next, which the standard hasher need not be.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for address in addresses(masters) {
        for byte in address.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

fn foreign_cursor() -> Error {
    error::config("the cursor is none of this manager")
}

/// How many entries one answer has at most.
const LARGEST: usize = 1_000;

/// How many keys the server looks at for one answer at least.
const SMALLEST: usize = 100;
