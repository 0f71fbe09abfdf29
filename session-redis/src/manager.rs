//! `RedisSessionManager`: the trait, over the store.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use session_core::{
    Expect, ForgetSessions, ListSessions, Outcome, Probe, ProbeVersions, RecallSessions, Record,
    Removal, Result, SessionId, SessionManager, SweepSessions, Timestamp, Version, Watch,
    WatchChanges, WatchSessions,
};

use crate::{
    RedisConfig,
    engine::Engine,
    feed::{Feed, Watchers},
    pool::{ConnectionPool, Plan, Replicas, Route},
    start,
    store::Store,
    topology::{Discovery, Seeds},
};

/// Keeps sessions in Redis or Valkey: one server, one behind Sentinels, or a Cluster.
///
/// - Every write is one atomic step at the server, and names the version it replaces: of writers in
///   any number of processes one wins.
/// - A session is removed by the server some time after its deadline. Whether it is expired is
///   decided by the [clock](RedisConfig::clock) alone, so nobody is logged out by a server's clock.
/// - One round trip for a call. One more for a write that creates a session with a principal, and
///   two for one that changes whom a session belongs to, or until when: the index of a principal
///   names a session before the session is there.
/// - A connection that is lost comes back by itself, within a moment of the server's return.
///   Nothing waits longer than its [time-out](RedisConfig::timeout).
///
/// Clones share one manager. It has a thread of its own, which ends with the last of them, so it
/// may be used from any runtime, or none.
///
/// # Errors
///
/// Beside those of the [contract](SessionManager):
/// [`ErrorKind::Full`](session_core::ErrorKind::Full) when the server's memory is full and its
/// policy is to refuse writes; what was stored is whole, and touches and removals still work.
/// [`ErrorKind::Corrupt`](session_core::ErrorKind::Corrupt) for what this crate did not write,
/// which is left alone. Everything else the server or the way to it may refuse is
/// [`ErrorKind::Unavailable`](session_core::ErrorKind::Unavailable) with a sentence that says what
/// to change, never an absent session.
///
/// # Cancellation
///
/// A write whose future is dropped took place whole or not at all, or does so a moment later.
///
/// # Security
///
/// Errors and events show addresses of servers, and no password, user or name of a key. Reading the
/// server yields sealed records; writing to it can put an older one back. Give it a user
/// of its own, and TLS when it is not on the same machine.
///
/// # Examples
///
/// ```no_run
/// use session_core::{SessionId, SessionManager};
/// use session_redis::RedisSessionManager;
///
/// # async fn run() -> session_core::Result<()> {
/// let manager = RedisSessionManager::new("redis://127.0.0.1:6379").await?;
/// assert!(manager.get(&SessionId::random()?).await?.is_none());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisSessionManager {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    discovery: Arc<Discovery>,
    pool: ConnectionPool,
    store: Arc<Store>,
    feed: Arc<Feed>,
}

impl RedisSessionManager {
    /// Connects to the server at `url` with the defaults of [`RedisConfig`], and tries it.
    ///
    /// A server whose policy for full memory may drop sessions is warned of in the log.
    ///
    /// # Errors
    ///
    /// Each names the server and the cause.
    ///
    /// - [`ErrorKind::Config`](session_core::ErrorKind::Config): no URL, a wrong password, no such
    ///   database, a server before Redis 7, or a right that is missing. The message says what to
    ///   change: all that is missing at once.
    /// - [`ErrorKind::Unavailable`](session_core::ErrorKind::Unavailable): the server cannot be
    ///   reached, is not ready, or is a replica. Retrying may help.
    pub async fn new(url: &str) -> Result<Self> {
        Self::with_config(&RedisConfig::new(url)).await
    }

    /// Connects as `config` says.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub async fn with_config(config: &RedisConfig) -> Result<Self> {
        let watchers = Arc::new(Watchers::default());
        let discovery = Arc::new(Discovery::new(Seeds::new(config)?, Arc::clone(&watchers)));
        let store = Arc::new(Store::new(config, Arc::clone(&watchers))?);
        let patience = (store.timeout / 4).max(Duration::from_millis(1));
        let pool = ConnectionPool::new(Plan {
            discovery: Arc::clone(&discovery),
            keep_alive: config.keep_alive.max(Duration::from_secs(1)),
            replicas: (config.replicas > 0)
                .then_some(Replicas { count: config.replicas, patience }),
            per_worker: config.per_worker,
        });
        let feed =
            Feed::new(config, Arc::clone(&discovery), store.names.clone(), Arc::clone(&watchers))?;
        let feed = Arc::new(feed);
        let engine = Engine::start()?;
        let (looks, feeds) = (Arc::clone(&discovery), Arc::clone(&feed));
        engine.keep(move || {
            let discovery = Arc::clone(&looks);
            async move { discovery.run().await }
        });
        engine.run(start::check(config, &discovery, &store)).await?;
        engine.keep(move || {
            let feed = Arc::clone(&feeds);
            async move { feed.run().await }
        });
        Ok(Self { shared: Arc::new(Shared { engine, discovery, pool, store, feed }) })
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.shared.store
    }

    /// What a call from here goes over. To be asked before the engine runs it.
    pub(crate) fn route(&self) -> Arc<Route> {
        self.shared.pool.here()
    }

    pub(crate) fn discovery(&self) -> &Discovery {
        &self.shared.discovery
    }
}

impl fmt::Debug for RedisSessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSessionManager")
            .field("pool", &self.shared.pool)
            .field("store", &self.shared.store)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionManager for RedisSessionManager {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        Ok(self.probe(id).await?.is_some())
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        let route = self.route();
        self.engine().run(self.store().get(&route, id)).await
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        let route = self.route();
        self.engine().run(self.store().put(&route, record, expect)).await
    }

    async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        let route = self.route();
        self.engine().run(self.store().touch(&route, id, version, expires_at)).await
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        let route = self.route();
        self.engine().run(self.store().remove(&route, id, only)).await
    }

    /// `None`: the server removes what is expired.
    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        None
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
        None
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        None
    }
}

#[async_trait]
impl ProbeVersions for RedisSessionManager {
    async fn probe(&self, id: &SessionId) -> Result<Option<Probe>> {
        let route = self.route();
        self.engine().run(self.store().probe(&route, id)).await
    }
}

impl WatchSessions for RedisSessionManager {
    fn watch(&self, watcher: Arc<dyn WatchChanges>) -> Result<Watch> {
        Ok(self.shared.feed.watch(watcher))
    }

    fn heartbeat(&self) -> Duration {
        self.shared.feed.heartbeat()
    }
}
