//! The cache behind the manager: hits, loads and writes.

use std::{mem, sync::Arc};

use session_core::{
    Clock, Expect, Outcome, Record, Removal, Result, SessionId, SessionManager, Timestamp, Version,
};

use crate::{
    Coherence,
    error::{self, SharedError},
    feed::Feed,
    shared_call::{PATIENCE, SharedResult},
    table::{Found, Loaded, RecordTable, Shard, Start, Ticket, Written},
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
    pub(crate) touches: Arc<Touches>,
}

/// What the parent says of a cached record.
enum Confirmed {
    /// It is current, or was but for its deadline.
    Current(Arc<Record>),
    /// Nothing is stored any more.
    Gone,
    /// Another version is stored, or the parent cannot be asked: the record has to be loaded.
    Unconfirmed,
}

impl Cache {
    /// The cached record, or that of the parent.
    pub(crate) async fn get(self: &Arc<Self>, id: &SessionId) -> Result<Option<Arc<Record>>> {
        let shard = self.table.shard(id);
        let mut first = true;
        // A load that began before this request may have read a record that was replaced before it.
        // Once one such load has ended, every load that is met after it began later than this
        // request.
        let mut waited = false;
        loop {
            let now = self.now();
            let (start, uncertain) = shard.start(
                id,
                first,
                now,
                |found| self.usable(found, now),
                |began| self.joinable(began, now),
                |ticket| Box::pin(Load::new(self, id, ticket, now).run()),
            );
            let hit = mem::take(&mut first) && matches!(start, Start::Hit(_));
            let confirm = uncertain || self.coherence == Coherence::Checked;
            let record = match start {
                // Its deadline was compared with the time of this call: no waiting lies between.
                Start::Hit(record) if !confirm => return Ok(Some(record)),
                Start::Hit(record) => record,
                Start::Begin(load) => {
                    let loaded = load.await.map_err(SharedError::into_error)?;
                    return Ok(loaded.and_then(|record| self.live(record)));
                }
                Start::Join(load) => {
                    let earlier = !mem::replace(&mut waited, true);
                    match load.await {
                        Ok(Some(record)) if earlier && confirm => record,
                        Ok(None) if earlier && confirm => continue,
                        Ok(loaded) => return Ok(loaded.and_then(|record| self.live(record))),
                        // An attempt of earlier requests failed: this one makes its own.
                        Err(_) if earlier => continue,
                        Err(error) => return Err(error.into_error()),
                    }
                }
            };
            let confirmed = self.confirm(shard, record).await?;
            if hit && !matches!(confirmed, Confirmed::Current(_)) {
                shard.was_a_miss();
            }
            match confirmed {
                Confirmed::Current(record) => return Ok(self.live(record)),
                Confirmed::Gone => return Ok(None),
                Confirmed::Unconfirmed => {}
            }
        }
    }

    /// The cached record, if it may be used without waiting.
    pub(crate) fn recall(&self, id: &SessionId) -> Option<Arc<Record>> {
        let now = self.now();
        self.table.shard(id).recall(id, |found| self.usable(found, now))
    }

    /// The time at which a request begins.
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether an entry may be used, as far as that is known without the parent.
    fn usable(&self, found: &Found, now: Timestamp) -> bool {
        !found.record.is_expired(now)
            && match self.coherence {
                Coherence::MaxAge(age) => now.saturating_since(self.table.since_when(found)) < age,
                _ => self.admits(now),
            }
    }

    /// Whether the table may be used now. While a feed is late, it rests.
    fn admits(&self, now: Timestamp) -> bool {
        self.feed.as_ref().is_none_or(|feed| feed.is_whole(now))
    }

    /// Whether records may be in the table at all.
    fn keeps(&self) -> bool {
        self.feed.as_ref().is_none_or(|feed| feed.is_unbroken())
    }

    /// Whether a request may wait for a load that began before it. Not if a change since then would
    /// have gone unnoticed, nor if the parent seems to have forgotten the load.
    fn joinable(&self, began: Timestamp, now: Timestamp) -> bool {
        let since = now.saturating_since(began);
        since < PATIENCE
            && match self.coherence {
                Coherence::MaxAge(age) => since < age,
                _ => self.admits(now),
            }
    }

    /// Asks the parent whether `record` is current.
    async fn confirm(&self, shard: &Shard, record: Arc<Record>) -> Result<Confirmed> {
        let Some(probing) = self.parent.probing() else {
            shard.discard(&record, false);
            return Ok(Confirmed::Unconfirmed);
        };
        let began = self.clock.now();
        let Some(probe) = probing.probe(record.id()).await? else {
            shard.discard(&record, true);
            return Ok(Confirmed::Gone);
        };
        if probe.version != record.version() {
            shard.discard(&record, false);
            return Ok(Confirmed::Unconfirmed);
        }
        if probe.expires_at == record.expires_at() {
            return Ok(Confirmed::Current(record));
        }
        let touched = Arc::new(record.with_expires_at(probe.expires_at));
        shard.refresh(&record, &touched, began);
        Ok(Confirmed::Current(touched))
    }

    /// The record, unless it is expired by now.
    fn live(&self, record: Arc<Record>) -> Option<Arc<Record>> {
        (!record.is_expired(self.clock.now())).then_some(record)
    }

    pub(crate) async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        let replaces = match expect {
            // A record that is found later shows that this write took place or never will.
            Expect::Absent => None,
            Expect::Version(version) => Some((version, Timestamp::EPOCH)),
        };
        let write = Write::begin(self, record.id(), replaces);
        let outcome = self.parent.put(record, expect).await?;
        write.end(&match outcome {
            Outcome::Stored => Written::Put(record),
            Outcome::Conflict => Written::Conflict,
            Outcome::Gone => Written::Gone,
        });
        Ok(outcome)
    }

    /// Touches the parent, together with the requests that ask for the same meanwhile.
    pub(crate) async fn touch(
        self: &Arc<Self>,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        let (cache, shared) = (Arc::clone(self), *id);
        let touch = async move |expires_at| cache.touch_parent(&shared, version, expires_at).await;
        match self.touches.join(self.clock.now(), id, version, expires_at, touch) {
            Some(waiter) => waiter.await.map_err(SharedError::into_error),
            None => self.touch_parent(id, version, expires_at).await,
        }
    }

    async fn touch_parent(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        let write = Write::begin(self, id, Some((version, expires_at)));
        let outcome = self.parent.touch(id, version, expires_at).await?;
        write.end(&match outcome {
            Outcome::Stored => Written::Touched(version, expires_at),
            Outcome::Conflict => Written::Conflict,
            Outcome::Gone => Written::Gone,
        });
        Ok(outcome)
    }

    pub(crate) async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        let write = Write::begin(
            self,
            id,
            Some((only.unwrap_or(Version::new(u64::MAX)), Timestamp::EPOCH)),
        );
        let removal = self.parent.remove(id, only).await?;
        write.end(&match removal {
            Removal::Conflict => Written::Conflict,
            Removal::Removed | Removal::Gone => Written::Gone,
        });
        Ok(removal)
    }
}

/// A load under way. Dropped before it has ended, it brings nothing.
struct Load {
    cache: Arc<Cache>,
    id: SessionId,
    ticket: Ticket,
    began: Timestamp,
    ended: bool,
}

impl Load {
    fn new(cache: &Arc<Cache>, id: &SessionId, ticket: Ticket, began: Timestamp) -> Self {
        Self { cache: Arc::clone(cache), id: *id, ticket, began, ended: false }
    }

    /// Asks the parent, and keeps the answer if nothing has changed meanwhile.
    async fn run(mut self) -> SharedResult<Option<Arc<Record>>> {
        let found = self.cache.parent.get(&self.id).await?;
        let found = found.and_then(|record| self.cache.live(record));
        if found.as_ref().is_some_and(|record| *record.id() != self.id) {
            return Err(error::foreign().into());
        }
        self.ended = true;
        self.end(found.as_ref().map_or(Loaded::Absent, Loaded::Record));
        Ok(found)
    }

    fn end(&self, loaded: Loaded<'_>) {
        let cache = &self.cache;
        let admitted = || cache.keeps();
        cache.table.shard(&self.id).end_load(&self.id, self.ticket, loaded, self.began, admitted);
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Loaded::Failed);
        }
    }
}

/// A write under way. Dropped before it has ended, it may or may not have taken place.
struct Write<'a> {
    cache: &'a Cache,
    id: &'a SessionId,
    ticket: Ticket,
    began: Timestamp,
    /// The latest version that it may replace, touch or remove, and the deadline of a touch.
    replaces: Option<(Version, Timestamp)>,
    ended: bool,
}

impl<'a> Write<'a> {
    fn begin(cache: &'a Cache, id: &'a SessionId, replaces: Option<(Version, Timestamp)>) -> Self {
        let ticket = cache.table.shard(id).begin_write(id);
        Self { cache, id, ticket, began: cache.clock.now(), replaces, ended: false }
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
            |record| !record.is_expired(now) && self.cache.keeps(),
        );
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // Every other mode notices a late write as it notices the writes of other processes.
        let exclusive = self.cache.coherence == Coherence::Exclusive;
        self.settle(&match self.replaces.filter(|_| exclusive) {
            Some((version, asked)) => Written::Uncertain(version, asked),
            None => Written::Conflict,
        });
    }
}
