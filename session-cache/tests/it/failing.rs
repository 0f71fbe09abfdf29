//! Parents that fail, and parents that can do nothing but the five verbs.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
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
    conformance::Harness,
};

use crate::{parent::ready, support};

/// A parent without any ability.
#[derive(Debug)]
pub(crate) struct Without<M>(pub(crate) M);

#[async_trait]
impl<M: SessionManager> SessionManager for Without<M> {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        self.0.exists(id).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        self.0.get(id).await
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        self.0.put(record, expect).await
    }

    async fn touch(&self, id: &SessionId, version: Version, until: Timestamp) -> Result<Outcome> {
        self.0.touch(id, version, until).await
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        self.0.remove(id, only).await
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        None
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        None
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        None
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

/// Fails at random: one call in `one_in`, before it took place or, if `late`, also after.
#[derive(Clone, Debug)]
struct Flaky {
    store: MemorySessionManager,
    calls: Arc<AtomicU64>,
    one_in: u64,
    late: bool,
}

impl Flaky {
    fn new(store: MemorySessionManager, one_in: u64, late: bool) -> Self {
        Self { store, calls: Arc::default(), one_in, late }
    }

    fn may_fail(&self) -> Result<()> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let draw =
            u64::from_le_bytes(support::id(call).as_bytes()[..8].try_into().expect("eight bytes"));
        if draw.is_multiple_of(self.one_in) {
            return Err(Error::new(ErrorKind::Unavailable, "flaky", "not today"));
        }
        Ok(())
    }

    fn may_fail_late(&self) -> Result<()> {
        if self.late { self.may_fail() } else { Ok(()) }
    }
}

#[async_trait]
impl SessionManager for Flaky {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        self.may_fail()?;
        self.store.exists(id).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        self.may_fail()?;
        self.store.get(id).await
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        self.may_fail()?;
        let outcome = self.store.put(record, expect).await?;
        self.may_fail_late()?;
        Ok(outcome)
    }

    async fn touch(&self, id: &SessionId, version: Version, until: Timestamp) -> Result<Outcome> {
        self.may_fail()?;
        let outcome = self.store.touch(id, version, until).await?;
        self.may_fail_late()?;
        Ok(outcome)
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        self.may_fail()?;
        let removal = self.store.remove(id, only).await?;
        self.may_fail_late()?;
        Ok(removal)
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
        self.store.watching()
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        None
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        None
    }
}

#[async_trait]
impl ProbeVersions for Flaky {
    async fn probe(&self, id: &SessionId) -> Result<Option<Probe>> {
        self.may_fail()?;
        self.store.probe(id).await
    }
}

#[test]
fn whatever_fails_a_get_answers_what_the_store_holds_or_an_error() {
    for coherence in [Coherence::Exclusive, Coherence::Checked, Coherence::Watching] {
        let clock = Arc::new(ManualClock::default());
        let store = MemorySessionManager::with_clock(Arc::clone(&clock) as _);
        let config = CacheConfig::new().capacity(6).clock(Arc::clone(&clock) as _);
        let flaky = Flaky::new(store.clone(), 5, true);
        let cache = CachingSessionManager::with_config(flaky, coherence, config).expect("config");
        let (mut errors, mut answers) = (0, 0);
        for step in 0..50_000 {
            let draw = *support::id(step ^ 0x000f_a111).as_bytes();
            let id = support::id(u64::from(draw[0]) % 9);
            let held = ready(store.get(&id)).expect("get");
            let version = held.as_ref().map_or(Version::FIRST, |held| held.version());
            // Far enough that writes of unknown end are settled now and then.
            clock.advance(Duration::from_secs(u64::from(draw[1]) / 16));
            match draw[2] % 16 {
                0 => drop(ready(cache.remove(&id, None))),
                1 => {
                    let until = clock.now().saturating_add(Duration::from_secs(u64::from(draw[3])));
                    drop(ready(cache.touch(&id, version, until)));
                }
                2..5 => {
                    let next = held.as_ref().map_or(Version::FIRST, |held| held.version().next());
                    let expect = held.as_ref().map_or(Expect::Absent, |_| Expect::Version(version));
                    let until = clock.now().saturating_add(Duration::from_secs(600));
                    drop(ready(cache.put(&support::lasting(id, next.get(), 0, until), expect)));
                }
                _ => match ready(cache.get(&id)) {
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Unavailable);
                        errors += 1;
                    }
                    Ok(seen) => {
                        let seen = seen.map(|record| record.to_bytes());
                        let held = ready(store.get(&id)).expect("get");
                        assert_eq!(
                            seen,
                            held.map(|record| record.to_bytes()),
                            "{coherence:?}, step {step}"
                        );
                        answers += 1;
                    }
                },
            }
        }
        assert!(errors > 1_000 && answers > 10_000, "both were seen: {errors}, {answers}");
        assert!(cache.figures().hits > 1_000, "and the cache was used");
    }
}

/// Tries again what failed before it took place.
///
/// So that the suite, which takes every error for a fault, can be run over a cache whose parent
/// fails.
#[derive(Debug)]
struct Stubborn<M>(M);

/// The value of a call that is made until it is answered.
macro_rules! until_answered {
    ($call:expr) => {
        loop {
            match $call.await {
                Err(error) if error.is_retryable() => {}
                answered => break answered,
            }
        }
    };
}

#[async_trait]
impl<M: SessionManager> SessionManager for Stubborn<M> {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        until_answered!(self.0.exists(id))
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        until_answered!(self.0.get(id))
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        until_answered!(self.0.put(record, expect))
    }

    async fn touch(&self, id: &SessionId, version: Version, until: Timestamp) -> Result<Outcome> {
        until_answered!(self.0.touch(id, version, until))
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        until_answered!(self.0.remove(id, only))
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        self.0.sweeping()
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        self.0.listing()
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        self.0.probing()
    }

    fn watching(&self) -> Option<&dyn WatchSessions> {
        self.0.watching()
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        None
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        None
    }
}

/// A cache over a parent of which one call in three fails.
struct Failing {
    clock: Arc<ManualClock>,
    flaky: Flaky,
    manager: Stubborn<CachingSessionManager>,
}

impl Failing {
    fn over(flaky: &Flaky, clock: &Arc<ManualClock>) -> Stubborn<CachingSessionManager> {
        let config = CacheConfig::new().clock(Arc::clone(clock) as _);
        let cache = CachingSessionManager::with_config(flaky.clone(), Coherence::Checked, config);
        Stubborn(cache.expect("the parent can probe"))
    }
}

impl Harness for Failing {
    type Manager = Stubborn<CachingSessionManager>;

    fn start() -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = MemorySessionManager::with_clock(Arc::clone(&clock) as _);
        let flaky = Flaky::new(store, 3, false);
        Self { manager: Self::over(&flaky, &clock), clock, flaky }
    }

    fn manager(&self) -> &Self::Manager {
        &self.manager
    }

    fn reopen(&self) -> Self::Manager {
        Self::over(&self.flaky, &self.clock)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            std::thread::yield_now();
        }
    }

    fn wait(&self) {}
}

session_core::conformance_tests!(Failing; base, shared);
