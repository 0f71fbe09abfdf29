//! Sequences of calls to a cache whose store fails now and then.

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use session_cache::{CacheConfig, CachingSessionManager, Coherence};
use session_core::{
    Clock, Error, ErrorKind, Expect, ForgetSessions, ListSessions, ManualClock,
    MemorySessionManager, Outcome, Probe, ProbeVersions, RecallSessions, Record, Removal, Result,
    SessionId, SessionManager, SweepSessions, Timestamp, Version, WatchSessions,
};

use crate::world::{Stored, block_on, of_version};

/// Whatever the store fails at, what the cache answers when it is sound again is what the store
/// has.
///
/// The first byte chooses the mode. Each other byte is a call to the cache and a fault: in the low
/// bits the verb, then the version it names, then what the store does.
pub fn faults(bytes: &[u8]) {
    thread_local!(static RECORD: Arc<Record> = Stored::new().record());
    let record = RECORD.with(Arc::clone);
    let (mode, calls) = bytes.split_first().unwrap_or((&0, &[]));
    let mode = if mode % 2 == 0 { Coherence::Exclusive } else { Coherence::Checked };
    let clock = Arc::new(ManualClock::default());
    let store = Faulty {
        inner: MemorySessionManager::with_clock(Arc::clone(&clock) as _),
        fault: Arc::new(AtomicU8::new(SOUND)),
    };
    let config = CacheConfig::new().capacity(4).clock(Arc::clone(&clock) as _);
    let cache = CachingSessionManager::with_config(store.clone(), mode, config)
        .expect("the store has the ability");
    for call in calls {
        let version = Version::new(1 + u64::from(call >> 3 & 7));
        store.fault.store(call >> 6, Ordering::Relaxed);
        // A request that hangs is dropped.
        let _ = poll_once(make(&cache, &clock, &record, call & 7, version));
        store.fault.store(SOUND, Ordering::Relaxed);
        let truth = block_on(store.inner.get(record.id())).expect("memory answers");
        let told = block_on(cache.get(record.id())).expect("the store is sound");
        let bytes = |found: &Arc<Record>| found.to_bytes();
        assert_eq!(
            told.as_ref().map(bytes),
            truth.as_ref().map(bytes),
            "the cache answers as the store does"
        );
    }
}

/// One call, whose answer does not matter.
async fn make(
    cache: &CachingSessionManager,
    clock: &ManualClock,
    record: &Record,
    verb: u8,
    version: Version,
) {
    let id = record.id();
    let soon = clock.now().saturating_add(Duration::from_secs(60));
    let new = |version| Arc::new(of_version(record, version).with_expires_at(soon));
    match verb {
        0 => drop(cache.get(id).await),
        1 => drop(cache.put(&new(Version::FIRST), Expect::Absent).await),
        2 => drop(cache.put(&new(version.next()), Expect::Version(version)).await),
        3 => drop(cache.touch(id, version, soon).await),
        4 => drop(cache.remove(id, None).await),
        5 => drop(cache.remove(id, Some(version)).await),
        6 => drop(cache.exists(id).await),
        _ => clock.advance(Duration::from_secs(10 * version.get())),
    }
}

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// The in-memory manager, with faults.
#[derive(Clone)]
struct Faulty {
    inner: MemorySessionManager,
    fault: Arc<AtomicU8>,
}

const SOUND: u8 = 0;
const FAILS_BEFORE: u8 = 1;
const FAILS_AFTER: u8 = 2;
// And the last of four: it does what it is asked, and never answers.

impl Faulty {
    async fn call<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let failed = || Error::new(ErrorKind::Unavailable, "store", "told to fail");
        match self.fault.load(Ordering::Relaxed) {
            SOUND => call.await,
            FAILS_BEFORE => Err(failed()),
            FAILS_AFTER => call.await.and(Err(failed())),
            _ => {
                drop(call.await);
                std::future::pending().await
            }
        }
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl SessionManager for Faulty {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        self.call(self.inner.exists(id)).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        self.call(self.inner.get(id)).await
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        self.call(self.inner.put(record, expect)).await
    }

    async fn touch(&self, id: &SessionId, version: Version, until: Timestamp) -> Result<Outcome> {
        self.call(self.inner.touch(id, version, until)).await
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        self.call(self.inner.remove(id, only)).await
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        None
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        None
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        Some(self)
    }

    fn watching(&self) -> Option<&dyn WatchSessions> {
        None
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        None
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        None
    }
}

#[async_trait]
impl ProbeVersions for Faulty {
    async fn probe(&self, id: &SessionId) -> Result<Option<Probe>> {
        self.call(self.inner.probe(id)).await
    }
}
