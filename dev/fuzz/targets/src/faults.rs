//! Sequences of calls to a cache whose store fails now and then.

use std::{
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
    Clock, Error, ErrorKind, Expect, ManualClock, MemorySessionManager, Record, Result,
    SessionManager, Version,
};
use testkit::{Hooked, Hooks, Verb};

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
    let store = Hooked(Faulty {
        inner: MemorySessionManager::with_clock(Arc::clone(&clock) as _),
        fault: Arc::new(AtomicU8::new(SOUND)),
    });
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
#[derive(Clone, Debug)]
struct Faulty {
    inner: MemorySessionManager,
    fault: Arc<AtomicU8>,
}

const SOUND: u8 = 0;
const FAILS_BEFORE: u8 = 1;
const FAILS_AFTER: u8 = 2;
// And the last of four: it does what it is asked, and never answers.

fn failed() -> Result<()> {
    Err(Error::new(ErrorKind::Unavailable, "store", "told to fail"))
}

#[async_trait]
impl Hooks for Faulty {
    fn parent(&self) -> &dyn SessionManager {
        &self.inner
    }

    async fn before(&self, _: Verb) -> Result<()> {
        if self.fault.load(Ordering::Relaxed) == FAILS_BEFORE { failed() } else { Ok(()) }
    }

    async fn after(&self, _: Verb) -> Result<()> {
        match self.fault.load(Ordering::Relaxed) {
            SOUND | FAILS_BEFORE => Ok(()),
            FAILS_AFTER => failed(),
            _ => std::future::pending().await,
        }
    }
}
