//! `CachingSessionManager`: the trait, over the cache.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use session_core::{
    Expect, ForgetSessions, ListSessions, Outcome, ProbeVersions, RecallSessions, Record, Removal,
    Result, SessionId, SessionManager, SweepSessions, Timestamp, Version, Watch, WatchSessions,
};

use crate::{CacheConfig, Coherence, Figures, cache::Cache, error, feed::Feed, table::RecordTable};

/// Caches the records of any other manager.
///
/// Reads are answered from memory where the [mode](Coherence) allows it; writes go to the parent
/// first, and the entry follows only when the parent has answered. All abilities are those of the
/// parent, to which a probe is passed on; recalling is the cache's own, in every mode that does not
/// check each hit.
///
/// The parent is held behind one pointer whatever its type: an `Arc<dyn SessionManager>` is a
/// manager like any other, and a hit does not call it.
///
/// # Behaviour
///
/// - One load for many: requests that miss the same record wait for one
///   [`get`](SessionManager::get) of the parent, and each of them drives it on, so a request that
///   is dropped or not polled holds up no other. A request that joined a load that fails makes one
///   more attempt, together with the others.
/// - A record that was read before a change of its id is not cached after it.
/// - Only whole, live records under their own id are cached; absence is not.
///
/// # Errors
///
/// Those of the parent, and [`ErrorKind::Corrupt`](session_core::ErrorKind::Corrupt) when it
/// returns the record of another session. After an error of a write the entry is gone, and the
/// write may still reach the store. Every mode but [`Exclusive`](Coherence::Exclusive) notices that
/// as it notices the writes of other processes. `Exclusive` asks the parent for the version at
/// every hit of that session (a parent that cannot be asked for versions is asked for the record),
/// until the parent holds a later version, which the late write cannot replace.
///
/// # Cancellation
///
/// A write that is dropped half-way is treated as one that failed. A load goes on as long as a
/// request waits for it.
///
/// # Examples
///
/// ```
/// use session_cache::{CachingSessionManager, Coherence};
/// use session_core::MemorySessionManager;
///
/// let cache = CachingSessionManager::new(MemorySessionManager::new(), Coherence::Exclusive)?;
/// assert_eq!(cache.figures().hits, 0);
/// # Ok::<(), session_core::Error>(())
/// ```
pub struct CachingSessionManager {
    cache: Arc<Cache>,
    /// Keeps the feed subscribed.
    _watch: Option<Watch>,
}

impl CachingSessionManager {
    /// A cache of the default size in front of `parent`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](session_core::ErrorKind::Config) if the parent lacks the ability the
    /// mode needs, or the mode is an age of zero; what the parent answers when it is watched.
    pub fn new(parent: impl SessionManager, coherence: Coherence) -> Result<Self> {
        Self::with_config(parent, coherence, CacheConfig::new())
    }

    /// A cache with bounds and a clock of your own in front of `parent`.
    pub fn with_config(
        parent: impl SessionManager,
        coherence: Coherence,
        config: CacheConfig,
    ) -> Result<Self> {
        let table = RecordTable::since(config.clock.now(), config.capacity, config.max_bytes);
        let table = Arc::new(table);
        let mut feed = None;
        let mut watch = None;
        match coherence {
            Coherence::Checked if parent.probing().is_none() => return Err(error::cannot_probe()),
            Coherence::MaxAge(Duration::ZERO) => return Err(error::no_age()),
            Coherence::Watching => {
                let watching = parent.watching().ok_or_else(error::cannot_watch)?;
                let new =
                    Feed::new(Arc::clone(&table), Arc::clone(&config.clock), watching.heartbeat());
                let new = Arc::new(new);
                watch = Some(watching.watch(Arc::clone(&new) as _)?);
                feed = Some(new);
            }
            Coherence::Checked | Coherence::Exclusive | Coherence::MaxAge(_) => {}
        }
        let cache = Cache {
            parent: Arc::new(parent),
            coherence,
            table,
            clock: config.clock,
            feed,
            touches: Arc::default(),
        };
        Ok(Self { cache: Arc::new(cache), _watch: watch })
    }

    /// What the cache did, and what it holds.
    pub fn figures(&self) -> Figures {
        self.cache.table.figures()
    }

    /// Forgets everything: every record is asked for at the parent again.
    pub fn clear(&self) {
        self.cache.table.clear();
    }
}

impl fmt::Debug for CachingSessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachingSessionManager")
            .field("coherence", &self.cache.coherence)
            .field("figures", &self.figures())
            .field("parent", &self.cache.parent)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionManager for CachingSessionManager {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        Ok(self.get(id).await?.is_some())
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        self.cache.get(id).await
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        self.cache.put(record, expect).await
    }

    async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        self.cache.touch(id, version, expires_at).await
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        self.cache.remove(id, only).await
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        self.cache.parent.sweeping()
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        self.cache.parent.listing()
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        self.cache.parent.probing()
    }

    fn watching(&self) -> Option<&dyn WatchSessions> {
        self.cache.parent.watching()
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        // A hit that is checked waits for the parent.
        (self.cache.coherence != Coherence::Checked).then_some(self as _)
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        Some(self)
    }
}

impl ForgetSessions for CachingSessionManager {
    fn forget(&self, id: &SessionId) {
        // The copy of the parent first: a load that still finds it is voided with ours.
        if let Some(parent) = self.cache.parent.forgetting() {
            parent.forget(id);
        }
        self.cache.table.remove(id);
    }
}

impl RecallSessions for CachingSessionManager {
    fn recall(&self, id: &SessionId) -> Option<Arc<Record>> {
        self.cache.recall(id)
    }
}
