//! `MemorySessionManager`: sessions in the memory of one process.

use std::{
    collections::HashMap,
    fmt,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;

use crate::{
    Clock, Cursor, Expect, ForgetSessions, ListSessions, Outcome, Page, PrincipalTag, Probe,
    ProbeVersions, RecallSessions, Record, Removal, Result, SessionId, SessionManager,
    SweepSessions, Swept, SystemClock, Timestamp, Version, Watch, WatchChanges, WatchSessions,
};

/// Keeps sessions in memory: for tests, docs, and programs whose sessions may end with the process.
///
/// Implements every ability there is. Unbounded: [sweep](SweepSessions) it, and do not let
/// strangers fill it. Clones share one store.
///
/// # Examples
///
/// ```
/// use session_core::MemorySessionManager;
///
/// let manager = MemorySessionManager::new();
/// assert!(manager.is_empty());
/// ```
#[derive(Clone)]
pub struct MemorySessionManager {
    store: Arc<Store>,
}

struct Store {
    clock: Arc<dyn Clock>,
    records: Mutex<std::collections::BTreeMap<SessionId, Arc<Record>>>,
    watchers: Mutex<Watchers>,
}

#[derive(Default)]
struct Watchers {
    next: u64,
    by_number: HashMap<u64, Arc<dyn WatchChanges>>,
}

impl MemorySessionManager {
    /// An empty store on the machine's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock::new()))
    }

    /// An empty store on `clock`.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            store: Arc::new(Store { clock, records: Mutex::default(), watchers: Mutex::default() }),
        }
    }

    /// How many records are stored, expired ones that were not swept among them.
    pub fn len(&self) -> usize {
        self.records().len()
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tells every watcher that its feed broke and is whole again, as a lost connection would.
    pub fn break_feed(&self) {
        for watcher in self.store.watchers() {
            watcher.broken();
            watcher.alive();
        }
    }

    fn records(&self) -> MutexGuard<'_, std::collections::BTreeMap<SessionId, Arc<Record>>> {
        lock(&self.store.records)
    }

    fn told(&self, id: &SessionId) {
        for watcher in self.store.watchers() {
            watcher.changed(id);
        }
    }

    fn page(
        &self,
        cursor: Option<&Cursor>,
        limit: usize,
        wanted: impl Fn(&Record) -> bool,
    ) -> Page {
        let after = cursor
            .and_then(|cursor| cursor.as_bytes().try_into().ok())
            .and_then(|bytes| SessionId::from_bytes(bytes).ok())
            .map_or(Bound::Unbounded, Bound::Excluded);
        let records = self.records();
        let now = self.store.clock.now();
        let mut ids: Vec<_> = records
            .range((after, Bound::Unbounded))
            .filter(|(_, record)| !record.is_expired(now) && wanted(record))
            .map(|(id, _)| *id)
            .take(limit.max(1) + 1)
            .collect();
        let more = ids.len() > limit.max(1);
        ids.truncate(limit.max(1));
        let next = ids.last().filter(|_| more).map(|id| Cursor::new(*id.as_bytes()));
        Page::new(ids, next)
    }
}

impl Store {
    fn watchers(&self) -> Vec<Arc<dyn WatchChanges>> {
        lock(&self.watchers).by_number.values().cloned().collect()
    }
}

impl Default for MemorySessionManager {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemorySessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySessionManager").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionManager for MemorySessionManager {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        Ok(self.get(id).await?.is_some())
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        Ok(self.recall(id))
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        {
            let mut records = self.records();
            let now = self.store.clock.now();
            let live = records.get(record.id()).filter(|live| !live.is_expired(now));
            if let Err(refused) = expect.check(live.map(|live| live.version())) {
                return Ok(refused);
            }
            records.insert(*record.id(), Arc::clone(record));
        }
        self.told(record.id());
        Ok(Outcome::Stored)
    }

    async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        {
            let mut records = self.records();
            let now = self.store.clock.now();
            let Some(live) = records.get_mut(id).filter(|live| !live.is_expired(now)) else {
                return Ok(Outcome::Gone);
            };
            if live.version() != version {
                return Ok(Outcome::Conflict);
            }
            *live = Arc::new(live.with_expires_at(expires_at));
        }
        self.told(id);
        Ok(Outcome::Stored)
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        let removal = {
            let mut records = self.records();
            let now = self.store.clock.now();
            let live = records.get(id).filter(|live| !live.is_expired(now));
            let removal = match live.map(|live| live.version()) {
                Some(live) if only.is_some_and(|version| version != live) => {
                    return Ok(Removal::Conflict);
                }
                Some(_) => Removal::Removed,
                None => Removal::Gone,
            };
            // An expired record too: a clock that is behind would find it live.
            records.remove(id);
            removal
        };
        self.told(id);
        Ok(removal)
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        Some(self)
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        Some(self)
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        Some(self)
    }

    fn watching(&self) -> Option<&dyn WatchSessions> {
        Some(self)
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        Some(self)
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        None
    }
}

impl RecallSessions for MemorySessionManager {
    fn recall(&self, id: &SessionId) -> Option<Arc<Record>> {
        let records = self.records();
        let now = self.store.clock.now();
        records.get(id).filter(|record| !record.is_expired(now)).cloned()
    }
}

#[async_trait]
impl SweepSessions for MemorySessionManager {
    async fn sweep(&self) -> Result<Swept> {
        let mut swept = Swept::default();
        if !self.store.clock.is_settled() {
            return Ok(swept);
        }
        let mut records = self.records();
        let now = self.store.clock.now();
        records.retain(|_, record| {
            swept.scanned += 1;
            if record.is_expired(now) {
                swept.removed += 1;
                swept.bytes += record.encoded_len() as u64;
            }
            !record.is_expired(now)
        });
        Ok(swept)
    }
}

#[async_trait]
impl ListSessions for MemorySessionManager {
    async fn by_principal(
        &self,
        tag: &PrincipalTag,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page> {
        Ok(self.page(cursor, limit, |record| record.principal_tag() == Some(*tag)))
    }

    async fn scan(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page> {
        Ok(self.page(cursor, limit, |_| true))
    }
}

#[async_trait]
impl ProbeVersions for MemorySessionManager {
    async fn probe(&self, id: &SessionId) -> Result<Option<Probe>> {
        Ok(self
            .get(id)
            .await?
            .map(|record| Probe { version: record.version(), expires_at: record.expires_at() }))
    }
}

impl WatchSessions for MemorySessionManager {
    fn watch(&self, watcher: Arc<dyn WatchChanges>) -> Result<Watch> {
        watcher.alive();
        let mut watchers = lock(&self.store.watchers);
        let number = watchers.next;
        watchers.next += 1;
        watchers.by_number.insert(number, watcher);
        Ok(Watch::new(Subscription { store: Arc::downgrade(&self.store), number }))
    }

    /// Changes are told by the call that makes them: the feed cannot be late.
    fn heartbeat(&self) -> Duration {
        Duration::MAX
    }
}

struct Subscription {
    store: Weak<Store>,
    number: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(store) = self.store.upgrade() {
            lock(&store.watchers).by_number.remove(&self.number);
        }
    }
}

/// Nothing in here panics while it holds a lock, so a poisoned one guards whole data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
