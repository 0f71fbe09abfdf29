//! The cache behind the manager: hits, loads and writes.

use std::sync::Arc;

use session_core::{
    Clock, Expect, Outcome, Record, Removal, Result, SessionId, SessionManager, Timestamp, Version,
};

use crate::{
    Coherence, error,
    feed::Feed,
    flight::Landed,
    table::{Found, RecordTable, Shard, Start, Ticket, Written},
    touches::Touches,
};

/// What requests share, and loads keep alive.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) parent: Arc<dyn SessionManager>,
    pub(crate) coherence: Coherence,
    pub(crate) table: Arc<RecordTable>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) feed: Option<Arc<Feed>>,
    pub(crate) touches: Touches,
}

/// What the parent says of a record that is at hand.
pub(crate) enum Confirmed {
    /// It is current, or was but for its deadline.
    Current(Arc<Record>),
    /// Nothing is stored any more.
    Gone,
    /// Another version is stored.
    Replaced,
}

impl Cache {
    /// What the clock shows, for a request that begins: a feed that is late by then has emptied the
    /// table.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.clock.now();
        if let Some(feed) = &self.feed {
            feed.check(now);
        }
        now
    }

    /// Whether an entry may be used, as far as that can be told without the parent.
    pub(crate) fn usable(&self, found: &Found, now: Timestamp) -> bool {
        !found.record.is_expired(now)
            && match self.coherence {
                Coherence::MaxAge(age) => now.saturating_since(self.table.since_when(found)) < age,
                _ => self.admits(now),
            }
    }

    /// Whether records may be in the table at all.
    fn admits(&self, now: Timestamp) -> bool {
        self.feed.as_ref().is_none_or(|feed| feed.is_whole(now))
    }

    /// Whether a request may wait for a load that began before it: not if what changed since would
    /// not have been told, nor if the parent seems to have forgotten about the load.
    fn joinable(&self, began: Timestamp, now: Timestamp) -> bool {
        let since = now.saturating_since(began);
        since < PATIENCE
            && match self.coherence {
                Coherence::MaxAge(age) => since < age,
                _ => self.admits(now),
            }
    }

    /// Asks the parent whether `record` is current.
    pub(crate) async fn confirm(&self, shard: &Shard, record: Arc<Record>) -> Result<Confirmed> {
        let probing = self.parent.probing().ok_or_else(error::cannot_probe)?;
        let began = self.clock.now();
        let Some(probe) = probing.probe(record.id()).await? else {
            shard.discard(&record);
            return Ok(Confirmed::Gone);
        };
        if probe.version != record.version() {
            shard.discard(&record);
            return Ok(Confirmed::Replaced);
        }
        if probe.expires_at == record.expires_at() {
            return Ok(Confirmed::Current(record));
        }
        let touched = Arc::new(record.with_expires_at(probe.expires_at));
        shard.refresh(&record, &touched, began);
        Ok(Confirmed::Current(touched))
    }

    /// Gets a record of which nothing usable was found: from a load that is shared with all who
    /// want it now.
    pub(crate) async fn load(
        self: &Arc<Self>,
        shard: &Shard,
        id: &SessionId,
    ) -> Result<Option<Arc<Record>>> {
        // A load that began before this request may have read what was replaced before it. Once one
        // such has ended, every load that is met after it began later than this request.
        let mut waited = false;
        loop {
            let now = self.now();
            let start = shard.start(
                id,
                now,
                |found| self.usable(found, now),
                |began| self.joinable(began, now),
                |ticket| {
                    let load = Load {
                        cache: Arc::clone(self),
                        id: *id,
                        ticket,
                        began: now,
                        landed: false,
                    };
                    Box::pin(load.run())
                },
            );
            let (record, earlier) = match start {
                Start::Found(found) => (found.record, true),
                Start::Wait { passenger, joined } => {
                    let earlier = joined && !waited;
                    waited |= joined;
                    match passenger.await {
                        Ok(Some(record)) => (record, earlier),
                        Ok(None) if earlier && self.coherence == Coherence::Checked => continue,
                        Ok(None) => return Ok(None),
                        // Somebody else's attempt failed: this request makes one of its own.
                        Err(_) if earlier => continue,
                        Err(error) => return Err(error.into_error()),
                    }
                }
            };
            if !earlier {
                return Ok(Some(record));
            }
            if self.coherence != Coherence::Checked {
                // `usable` and `joinable` said all there is to say; the parent need not have probes.
                return Ok(self.live(record));
            }
            match self.confirm(shard, record).await? {
                Confirmed::Current(record) => return Ok(self.live(record)),
                Confirmed::Gone => return Ok(None),
                Confirmed::Replaced => {}
            }
        }
    }

    /// The record, unless it is expired by now.
    pub(crate) fn live(&self, record: Arc<Record>) -> Option<Arc<Record>> {
        (!record.is_expired(self.clock.now())).then_some(record)
    }

    pub(crate) async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        let write = Write::begin(self, record.id());
        let outcome = self.parent.put(record, expect).await?;
        write.end(&match outcome {
            Outcome::Stored => Written::Put(record),
            Outcome::Conflict | Outcome::Gone => Written::Outdated,
        });
        Ok(outcome)
    }

    /// Touches the parent, now.
    pub(crate) async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        let write = Write::begin(self, id);
        let outcome = self.parent.touch(id, version, expires_at).await?;
        write.end(&match outcome {
            Outcome::Stored => Written::Touched(version, expires_at),
            Outcome::Conflict | Outcome::Gone => Written::Outdated,
        });
        Ok(outcome)
    }

    pub(crate) async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        let write = Write::begin(self, id);
        let removal = self.parent.remove(id, only).await?;
        write.end(&Written::Outdated);
        Ok(removal)
    }
}

/// A load under way. Dropped before it has landed, it brings nothing.
struct Load {
    cache: Arc<Cache>,
    id: SessionId,
    ticket: Ticket,
    began: Timestamp,
    landed: bool,
}

impl Load {
    /// Asks the parent, and keeps what it answers if nothing was changed meanwhile.
    async fn run(mut self) -> Landed<Option<Arc<Record>>> {
        let found = self.cache.parent.get(&self.id).await?;
        let found = found.and_then(|record| self.cache.live(record));
        if found.as_ref().is_some_and(|record| *record.id() != self.id) {
            return Err(error::foreign().into());
        }
        self.landed = true;
        self.land(found.as_ref());
        Ok(found)
    }

    fn land(&self, record: Option<&Arc<Record>>) {
        let cache = &self.cache;
        let admitted = || cache.admits(cache.clock.now());
        cache.table.shard(&self.id).land(&self.id, self.ticket, record, self.began, admitted);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if !self.landed {
            self.land(None);
        }
    }
}

/// A write under way. Dropped before it has ended, nobody knows whether it took place.
struct Write<'a> {
    cache: &'a Cache,
    id: &'a SessionId,
    ticket: Ticket,
    began: Timestamp,
    ended: bool,
}

impl<'a> Write<'a> {
    fn begin(cache: &'a Cache, id: &'a SessionId) -> Self {
        let ticket = cache.table.shard(id).begin_write(id);
        Self { cache, id, ticket, began: cache.clock.now(), ended: false }
    }

    fn end(mut self, written: &Written<'_>) {
        self.settle(written);
        self.ended = true;
    }

    fn settle(&self, written: &Written<'_>) {
        let now = self.cache.clock.now();
        self.cache.table.shard(self.id).end_write(
            self.id,
            self.ticket,
            written,
            self.began,
            |record| !record.is_expired(now) && self.cache.admits(now),
        );
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let until = self.cache.clock.now().saturating_add(SETTLING);
            self.settle(&Written::Unknown(until));
        }
    }
}

/// A request does not wait for a call of others that has taken longer than this.
///
/// One call to a parent that hangs must not hold up everybody who comes after it. With a parent
/// that is just slow, requests share one call in each such time.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// How long a write whose answer is not known may still reach the store.
///
/// Longer than any time-out of a request or of a store. Until then its id is read from the parent.
const SETTLING: std::time::Duration = std::time::Duration::from_secs(120);
