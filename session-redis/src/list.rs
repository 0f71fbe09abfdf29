//! Finding sessions: the index of a principal, and a scan of all servers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use redis::{Value, cmd};
use session_core::{Cursor, Error, ListSessions, Page, PrincipalTag, Result, SessionId};
use tokio::time::{Instant, timeout_at};

use crate::{
    RedisSessionManager,
    error::{self, Fault},
    pool::Route,
    request::{Request, text},
    script,
    store::Store,
    topology::{Discovery, Topology},
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
        let from = cursor.map(|it| Entry::read(it.as_bytes()).ok_or_else(foreign_cursor));
        let from = from.transpose()?;
        let route = self.route();
        self.engine().run(self.store().indexed(&route, tag, from.as_ref(), limit)).await
    }

    async fn scan(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page> {
        let place = match cursor {
            Some(cursor) => Place::read(cursor.as_bytes()).ok_or_else(foreign_cursor)?,
            None => Place::default(),
        };
        let (route, limit) = (self.route(), limit.clamp(1, LARGEST));
        self.engine().run(self.store().scanned(&route, self.discovery(), place, limit)).await
    }
}

/// An entry of an index.
#[derive(Clone)]
struct Entry {
    id: SessionId,
    /// When it is due, as the server writes it.
    due: String,
}

impl Entry {
    fn write(&self) -> Vec<u8> {
        [self.id.as_bytes().as_slice(), self.due.as_bytes()].concat()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (id, due) = bytes.split_first_chunk()?;
        let due = std::str::from_utf8(due).ok()?;
        due.parse::<f64>().ok()?;
        Some(Self { id: SessionId::from_bytes(*id).ok()?, due: due.to_owned() })
    }

    /// Whether this was read before `other`, or is it.
    fn is_until(&self, other: &Self) -> bool {
        self.due == other.due && self.id.as_bytes() <= other.id.as_bytes()
    }
}

impl Store {
    async fn indexed(
        &self,
        route: &Route,
        tag: &PrincipalTag,
        from: Option<&Entry>,
        limit: usize,
    ) -> Result<Page> {
        let (key, count) = (self.names.index(tag), limit.to_string());
        let args: [&[u8]; 2] = [from.map_or("-inf", |it| &it.due).as_bytes(), count.as_bytes()];
        let Value::Array(rows) = self.rows(route, &script::LIST, key, &args).await? else {
            return Err(error::unexpected());
        };
        let entry = |row: &[Value]| {
            let [Value::BulkString(id), due] = row else { return None };
            let id = SessionId::from_bytes(id[..].try_into().ok()?).ok()?;
            Some(Entry { id, due: text(due)?.to_owned() })
        };
        let entries = rows.chunks_exact(2).filter_map(entry);
        let mut entries: Vec<_> =
            entries.filter(|it| from.is_none_or(|from| !it.is_until(from))).collect();
        entries.truncate(limit);
        let next = entries.last().filter(|_| entries.len() == limit);
        let next = next.map(|last| Cursor::new(last.write()));
        let there = self.there(route, &entries).await?;
        let (live, dead): (Vec<_>, Vec<_>) =
            entries.into_iter().zip(there).partition(|(_, there)| *there);
        let gone = self.absent.note(tag, &live, &dead, self.timeout);
        if !gone.is_empty() {
            let args: Vec<_> = gone
                .iter()
                .flat_map(|it| [it.id.as_bytes().as_slice(), it.due.as_bytes()])
                .collect();
            // What stays is looked at next time.
            if let Err(error) =
                self.rows(route, &script::FORGET, self.names.index(tag), &args).await
            {
                tracing::debug!(%error, "entries of sessions that are gone stay in an index");
            }
        }
        Ok(Page::new(live.into_iter().map(|(it, _)| it.id).collect(), next))
    }

    /// For each entry whether its session is there: one round trip to each server.
    async fn there(&self, route: &Route, entries: &[Entry]) -> Result<Vec<bool>> {
        let deadline = self.deadline();
        let mut there = vec![true; entries.len()];
        for places in route.by_server(entries.iter().map(|it| self.names.record(&it.id))) {
            let exists = |place: &usize| {
                let mut command = cmd("EXISTS");
                command.arg(self.names.record(&entries[*place].id));
                command
            };
            let key = self.names.record(&entries[places[0]].id);
            let commands = places.iter().map(exists).collect();
            let answers = route
                .call(&Request { key, server: None, commands, writes: false }, deadline)
                .await?;
            for (place, answer) in places.into_iter().zip(answers.values) {
                // What moves to another server just now is not known to be gone.
                there[place] = answer != Value::Int(0);
            }
        }
        Ok(there)
    }

    async fn scanned(
        &self,
        route: &Route,
        discovery: &Discovery,
        place: Place,
        limit: usize,
    ) -> Result<Page> {
        let Place { mut node, mut cursor, mut ids, shape } = place;
        let deadline = self.deadline();
        let refreshed = timeout_at(deadline, discovery.refresh()).await;
        let topology = refreshed.unwrap_or_else(|_| Err(Fault::moving()))?;
        let now = if topology.is_cluster() { shape_of(&topology) } else { 0 };
        if shape.is_some_and(|shape| shape != now) {
            return Err(error::unavailable(
                "the Cluster changed while it was scanned: begin the scan again",
            ));
        }
        if ids.len() < limit
            && let Some(server) = topology.servers.get(usize::from(node))
        {
            let mut command = cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(format!("{}*", self.names.records()));
            command.arg("COUNT").arg(limit.max(SMALLEST));
            let mut request = Request::read(Vec::new(), command);
            request.server = Some(Arc::clone(server));
            let mut answers = route.call(&request, deadline).await?;
            let Some(Value::Array(answer)) = answers.values.pop() else {
                return Err(error::unexpected());
            };
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
        let ended = usize::from(node) >= topology.servers.len() && rest.is_empty();
        let next = Place { node, cursor, ids: rest, shape: Some(now) };
        Ok(Page::new(ids, (!ended).then(|| Cursor::new(next.write()))))
    }
}

/// Entries whose session was not there when it was looked for.
///
/// The index names a session before it is there. So an entry goes only if its session was absent
/// twice, so far apart that a write of the session would have ended in between.
#[derive(Debug, Default)]
pub(crate) struct Absent(Mutex<HashMap<(PrincipalTag, SessionId), (String, Instant)>>);

impl Absent {
    /// Notes what is there and what is not: those that are gone for good.
    fn note(
        &self,
        tag: &PrincipalTag,
        live: &[(Entry, bool)],
        dead: &[(Entry, bool)],
        timeout: Duration,
    ) -> Vec<Entry> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (entry, _) in live {
            seen.remove(&(*tag, entry.id));
        }
        let mut gone = Vec::new();
        for (entry, _) in dead {
            let key = (*tag, entry.id);
            match seen.get(&key) {
                Some((due, since)) if *due == entry.due => {
                    if since.elapsed() >= 2 * timeout {
                        seen.remove(&key);
                        gone.push(entry.clone());
                    }
                }
                _ if seen.len() < MOST_ABSENT || seen.contains_key(&key) => {
                    seen.insert(key, (entry.due.clone(), Instant::now()));
                }
                // They are noted once there is room.
                _ => seen.retain(|_, (_, since)| since.elapsed() < LONGEST_NOTED),
            }
        }
        gone
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
fn shape_of(topology: &Topology) -> u64 {
    // FNV-1a: stable from one process to the next, which the standard hasher need not be.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for server in &topology.servers {
        for byte in server.address().bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

fn foreign_cursor() -> Error {
    error::config("this cursor came from another manager")
}

/// How many entries one answer has at most.
const LARGEST: usize = 1_000;

/// How many keys the server looks at for one answer at least.
const SMALLEST: usize = 100;

/// How many entries are noted at most, and for how long: a few megabytes.
const MOST_ABSENT: usize = 50_000;
const LONGEST_NOTED: Duration = Duration::from_secs(3_600);
