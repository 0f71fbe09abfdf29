//! A parent that can be held, failed and counted at every step.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

use crate::support;

/// A step of a call to the parent: before it looks at its store, or after, when only the answer is
/// missing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Step {
    BeforeGet,
    AfterGet,
    BeforePut,
    AfterPut,
    BeforeTouch,
    AfterTouch,
    BeforeRemove,
    AfterRemove,
    BeforeProbe,
}

/// The in-memory manager with a hand on it. Clones share one store and one hand.
#[derive(Clone)]
pub(crate) struct Parent {
    pub(crate) store: MemorySessionManager,
    pub(crate) clock: Arc<ManualClock>,
    hand: Arc<Mutex<Hand>>,
}

#[derive(Default)]
struct Hand {
    held: HashSet<Step>,
    failing: HashSet<Step>,
    reached: HashMap<Step, usize>,
    waiting: Vec<Waker>,
    /// What gets answer instead of the truth.
    lie: Option<Arc<Record>>,
}

impl Parent {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = MemorySessionManager::with_clock(Arc::clone(&clock) as _);
        Self { store, clock, hand: Arc::default() }
    }

    /// A cache over this parent, as another process has one.
    pub(crate) fn cached(&self, coherence: Coherence) -> CachingSessionManager {
        self.cached_with(coherence, CacheConfig::new())
    }

    pub(crate) fn cached_with(
        &self,
        coherence: Coherence,
        config: CacheConfig,
    ) -> CachingSessionManager {
        let config = config.clock(Arc::clone(&self.clock) as _);
        CachingSessionManager::with_config(self.clone(), coherence, config)
            .expect("the parent has every ability")
    }

    /// The time in so many seconds.
    pub(crate) fn clock_in(&self, seconds: u64) -> Timestamp {
        self.clock.now().saturating_add(Duration::from_secs(seconds))
    }

    /// A record that lives for ten minutes.
    pub(crate) fn record(&self, number: u64, version: u64) -> Arc<Record> {
        support::lasting(support::id(number), version, 200, self.clock_in(600))
    }

    /// Stores a first version, behind the back of every cache.
    pub(crate) fn stored(&self, number: u64) -> Arc<Record> {
        let record = self.record(number, 1);
        let outcome = ready(self.store.put(&record, Expect::Absent)).expect("put");
        assert_eq!(outcome, Outcome::Stored);
        record
    }

    pub(crate) fn hold(&self, step: Step) {
        self.hand().held.insert(step);
    }

    pub(crate) fn release(&self, step: Step) {
        let mut hand = self.hand();
        hand.held.remove(&step);
        let waiting = std::mem::take(&mut hand.waiting);
        drop(hand);
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn fail(&self, step: Step) {
        self.hand().failing.insert(step);
    }

    pub(crate) fn mend(&self, step: Step) {
        self.hand().failing.remove(&step);
    }

    pub(crate) fn lie(&self, record: &Arc<Record>) {
        self.hand().lie = Some(Arc::clone(record));
    }

    /// How often a step was reached.
    pub(crate) fn reached(&self, step: Step) -> usize {
        self.hand().reached.get(&step).copied().unwrap_or(0)
    }

    async fn step(&self, step: Step) -> Result<()> {
        *self.hand().reached.entry(step).or_default() += 1;
        std::future::poll_fn(|context| {
            let mut hand = self.hand();
            if hand.held.contains(&step) {
                hand.waiting.push(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        if self.hand().failing.contains(&step) {
            return Err(Error::new(ErrorKind::Unavailable, "parent", "told to fail")
                .with_source(std::io::Error::other("pulled plug")));
        }
        Ok(())
    }

    fn hand(&self) -> MutexGuard<'_, Hand> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parent")
    }
}

#[async_trait]
impl SessionManager for Parent {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        Ok(self.get(id).await?.is_some())
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        self.step(Step::BeforeGet).await?;
        let lie = self.hand().lie.clone();
        let found = if lie.is_some() { lie } else { self.store.get(id).await? };
        self.step(Step::AfterGet).await?;
        Ok(found)
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        self.step(Step::BeforePut).await?;
        let outcome = self.store.put(record, expect).await?;
        self.step(Step::AfterPut).await?;
        Ok(outcome)
    }

    async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        self.step(Step::BeforeTouch).await?;
        let outcome = self.store.touch(id, version, expires_at).await?;
        self.step(Step::AfterTouch).await?;
        Ok(outcome)
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        self.step(Step::BeforeRemove).await?;
        let removal = self.store.remove(id, only).await?;
        self.step(Step::AfterRemove).await?;
        Ok(removal)
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        self.store.sweeping()
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        self.store.listing()
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
impl ProbeVersions for Parent {
    async fn probe(&self, id: &SessionId) -> Result<Option<Probe>> {
        self.step(Step::BeforeProbe).await?;
        self.store.probe(id).await
    }
}

/// A request under way that the test moves on by hand.
pub(crate) struct Request<'a, T>(Pin<Box<dyn Future<Output = T> + Send + 'a>>);

impl<'a, T> Request<'a, T> {
    /// Begins it and leaves it where it waits.
    pub(crate) fn begin(future: impl Future<Output = T> + Send + 'a) -> Self {
        let mut request = Self(Box::pin(future));
        assert!(request.poll().is_pending(), "the request waits for the parent");
        request
    }

    pub(crate) fn poll(&mut self) -> Poll<T> {
        self.0.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    /// It has everything it needs to end.
    pub(crate) fn end(mut self) -> T {
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("the request still waits"),
        }
    }
}

/// The output of a future that waits for nothing.
pub(crate) fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits for something"),
    }
}

/// What a cache has at hand.
pub(crate) fn recall(cache: &CachingSessionManager, id: &SessionId) -> Option<Arc<Record>> {
    cache.recalling().expect("this mode has the ability").recall(id)
}

/// What a get of a cache answers now.
pub(crate) fn get(cache: &CachingSessionManager, id: &SessionId) -> Option<Arc<Record>> {
    ready(cache.get(id)).expect("get")
}
