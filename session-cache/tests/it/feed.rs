//! Watching over a feed that delays, drops and dies: never stale beyond delivery time plus
//! heartbeat.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use session_cache::{CacheConfig, CachingSessionManager, Coherence};
use session_core::{
    Clock, Expect, ForgetSessions, ListSessions, ManualClock, MemorySessionManager, Outcome,
    ProbeVersions, RecallSessions, Record, Removal, Result, SessionId, SessionManager,
    SweepSessions, Timestamp, Version, Watch, WatchChanges, WatchSessions,
};

use crate::{
    parent::{Parent, Request, Step, get, ready, recall},
    support,
};

const HEARTBEAT: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_millis(400);

/// The in-memory manager with a line of its own to one watcher.
#[derive(Clone)]
pub(crate) struct DelayedFeed {
    store: MemorySessionManager,
    pub(crate) clock: Arc<ManualClock>,
    line: Arc<Mutex<Line>>,
}

#[derive(Default)]
struct Line {
    watcher: Option<Arc<dyn WatchChanges>>,
    /// What is under way, in order, and when it arrives.
    under_way: VecDeque<(Timestamp, Message)>,
    delay: Duration,
    /// Whether what is sent is lost.
    cut: bool,
    /// Whether a message was lost and the loss not reported yet.
    lost: bool,
    /// Whether the answers of gets are held back.
    held: bool,
}

#[derive(Clone, Copy)]
enum Message {
    Changed(SessionId),
    Alive,
    Broken,
}

impl DelayedFeed {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = MemorySessionManager::with_clock(Arc::clone(&clock) as _);
        Self { store, clock, line: Arc::default() }
    }

    /// Each message takes its time.
    pub(crate) fn late() -> Self {
        let feed = Self::new();
        feed.line.lock().expect("no panic while locked").delay = LONGEST_DELAY;
        feed
    }

    /// Time passes in steps that are shorter than a heartbeat.
    pub(crate) fn advance(&self, by: Duration) {
        let end = self.clock.now().saturating_add(by);
        while self.clock.now() < end {
            self.beat();
            self.clock.advance(LONGEST_DELAY.min(end.saturating_since(self.clock.now())));
            self.deliver();
        }
    }

    pub(crate) fn cached(&self) -> CachingSessionManager {
        let config = CacheConfig::new().clock(Arc::clone(&self.clock) as _);
        CachingSessionManager::with_config(self.clone(), Coherence::Watching, config)
            .expect("the parent reports changes")
    }

    fn send(&self, message: Message) {
        let mut line = self.line.lock().expect("no panic while locked");
        if line.cut {
            line.lost = true;
            return;
        }
        // In order: nothing overtakes what was sent before it.
        let arrives = self.clock.now().saturating_add(line.delay);
        let arrives = line.under_way.back().map_or(arrives, |(last, _)| arrives.max(*last));
        line.under_way.push_back((arrives, message));
    }

    /// What the store does at least every heartbeat: it says that it is there, and first that
    /// something was lost if so.
    fn beat(&self) {
        let mut line = self.line.lock().expect("no panic while locked");
        let lost = !line.cut && std::mem::take(&mut line.lost);
        drop(line);
        if lost {
            self.send(Message::Broken);
        }
        self.send(Message::Alive);
    }

    /// Hands over what has arrived by now.
    fn deliver(&self) {
        loop {
            let mut line = self.line.lock().expect("no panic while locked");
            let now = self.clock.now();
            let arrived = line.under_way.front().is_some_and(|(arrives, _)| *arrives <= now);
            let arrived = if arrived { line.under_way.pop_front() } else { None };
            let Some(((_, message), watcher)) = arrived.zip(line.watcher.clone()) else { return };
            drop(line);
            match message {
                Message::Changed(id) => watcher.changed(&id),
                Message::Alive => watcher.alive(),
                Message::Broken => watcher.broken(),
            }
        }
    }
}

impl fmt::Debug for DelayedFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DelayedFeed")
    }
}

#[async_trait]
impl SessionManager for DelayedFeed {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        self.store.exists(id).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        let found = self.store.get(id).await;
        std::future::poll_fn(|context| {
            if self.line.lock().expect("no panic while locked").held {
                context.waker().wake_by_ref();
                return std::task::Poll::Pending;
            }
            std::task::Poll::Ready(())
        })
        .await;
        found
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        let outcome = self.store.put(record, expect).await?;
        self.send(Message::Changed(*record.id()));
        Ok(outcome)
    }

    async fn touch(&self, id: &SessionId, version: Version, until: Timestamp) -> Result<Outcome> {
        let outcome = self.store.touch(id, version, until).await?;
        self.send(Message::Changed(*id));
        Ok(outcome)
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        let removal = self.store.remove(id, only).await?;
        self.send(Message::Changed(*id));
        Ok(removal)
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        None
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        self.store.listing()
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        None
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

impl WatchSessions for DelayedFeed {
    fn watch(&self, watcher: Arc<dyn WatchChanges>) -> Result<Watch> {
        self.line.lock().expect("no panic while locked").watcher = Some(watcher);
        Ok(Watch::new(()))
    }

    fn heartbeat(&self) -> Duration {
        HEARTBEAT
    }
}

/// What the store held under each id, and since when.
#[derive(Default)]
struct History(HashMap<SessionId, Vec<(Timestamp, Option<Version>)>>);

impl History {
    fn note(&mut self, now: Timestamp, id: &SessionId, version: Option<Version>) {
        self.0.entry(*id).or_default().push((now, version));
    }

    /// Whether `version` was what the store held at some moment of the last `bound`, up to `now`.
    fn was(
        &self,
        now: Timestamp,
        bound: Duration,
        id: &SessionId,
        version: Option<Version>,
    ) -> bool {
        let since = now.saturating_sub(bound);
        let changes = self.0.get(id).map(Vec::as_slice).unwrap_or_default();
        let ends = changes.iter().skip(1).map(|(at, _)| *at).chain([Timestamp::MAX]);
        let held =
            changes.iter().zip(ends).any(|((_, held), end)| *held == version && end >= since);
        held || version.is_none() && changes.first().is_none_or(|(at, _)| *at >= since)
    }
}

#[test]
fn watching_is_never_stale_beyond_delivery_plus_heartbeat() {
    let mut used = 0;
    for seed in 0..40_u64 {
        let feed = DelayedFeed::new();
        let cache = feed.cached();
        let mut history = History::default();
        let mut next_beat = feed.clock.now();
        for step in 0..2_000_u64 {
            let draw = support::id(seed << 32 | step);
            let draw = |at: usize| u64::from(draw.as_bytes()[at]);
            feed.clock.advance(Duration::from_millis(draw(0) % 40));
            let now = feed.clock.now();
            if now >= next_beat {
                feed.beat();
                next_beat = now.saturating_add(HEARTBEAT / 2);
            }
            {
                let mut line = feed.line.lock().expect("no panic while locked");
                match draw(1) {
                    // The line is cut: everything is lost, in silence. It comes back some time
                    // later.
                    0..2 => line.cut = true,
                    2..6 => line.cut = false,
                    6..12 => {
                        line.delay = LONGEST_DELAY * u32::try_from(draw(2)).expect("a byte") / 255;
                    }
                    // One message is lost.
                    12..16 => {
                        let lost = line
                            .under_way
                            .iter()
                            .position(|(_, m)| matches!(m, Message::Changed(_)));
                        if let Some(lost) = lost {
                            line.under_way.remove(lost);
                            line.lost = true;
                        }
                    }
                    _ => {}
                }
            }
            feed.deliver();
            let id = support::id(draw(3) % 4);
            match draw(4) % 16 {
                0..2 => {
                    // Another process writes: the next version, or the first.
                    let held =
                        ready(feed.store.get(&id)).expect("get").map(|record| record.version());
                    let expect = held.map_or(Expect::Absent, Expect::Version);
                    let next = held.map_or(Version::FIRST, Version::next);
                    let record = support::record(id, next.get(), 0);
                    assert_eq!(ready(feed.put(&record, expect)).expect("put"), Outcome::Stored);
                    history.note(now, &id, Some(next));
                }
                2 => {
                    ready(feed.remove(&id, None)).expect("remove");
                    history.note(now, &id, None);
                }
                _ => {
                    let bound = LONGEST_DELAY + HEARTBEAT;
                    if let Some(record) = recall(&cache, &id) {
                        let seen = Some(record.version());
                        assert!(
                            history.was(now, bound, &id, seen),
                            "seed {seed}, step {step}: stale"
                        );
                    }
                    let seen = get(&cache, &id).map(|record| record.version());
                    assert!(history.was(now, bound, &id, seen), "seed {seed}, step {step}: stale");
                }
            }
        }
        used += cache.figures().hits;
    }
    assert!(used > 10_000, "the cache was used: {used} hits");
}

#[test]
fn a_feed_that_broke_empties_the_cache_and_is_gone_around_until_it_is_whole() {
    let feed = DelayedFeed::new();
    let cache = feed.cached();
    let record = support::record(support::id(1), 1, 0);
    let _ = ready(feed.store.put(&record, Expect::Absent)).expect("put");
    get(&cache, record.id()).expect("live");
    assert_eq!(cache.figures().entries, 0, "nothing was heard of the feed yet");
    feed.send(Message::Alive);
    feed.deliver();
    get(&cache, record.id()).expect("live");
    assert_eq!(cache.figures().entries, 1);
    assert!(recall(&cache, record.id()).is_some());
    feed.send(Message::Broken);
    feed.deliver();
    assert_eq!(cache.figures().entries, 0);
    assert!(recall(&cache, record.id()).is_none());
    ready(feed.store.remove(record.id(), None)).expect("remove");
    assert!(get(&cache, record.id()).is_none(), "the store is asked");
    feed.send(Message::Alive);
    feed.deliver();
    assert!(get(&cache, record.id()).is_none());
}

#[test]
fn a_cache_rests_while_the_feed_is_late_and_is_used_as_it_is_after_it() {
    let feed = DelayedFeed::new();
    let cache = feed.cached();
    let record = support::record(support::id(1), 1, 0);
    let _ = ready(feed.store.put(&record, Expect::Absent)).expect("put");
    feed.send(Message::Alive);
    feed.deliver();
    get(&cache, record.id()).expect("live");
    feed.clock.advance(HEARTBEAT);
    get(&cache, record.id()).expect("live");
    assert_eq!(cache.figures().hits, 1, "a silence of a heartbeat is none");
    feed.clock.advance(Duration::from_millis(1));
    assert!(recall(&cache, record.id()).is_none(), "a longer one is");
    get(&cache, record.id()).expect("live");
    assert_eq!(cache.figures().hits, 1);
    feed.send(Message::Alive);
    feed.deliver();
    let figures = cache.figures();
    assert_eq!((figures.hits, figures.entries), (1, 1), "nothing was lost");
    get(&cache, record.id()).expect("live");
    assert_eq!(cache.figures().hits, 2);
    // A late feed that turns out to have lost something.
    feed.clock.advance(2 * HEARTBEAT);
    feed.send(Message::Broken);
    feed.send(Message::Alive);
    feed.deliver();
    assert_eq!(cache.figures().entries, 0);
}

#[test]
fn a_load_that_overlaps_a_change_that_is_told_does_not_enter() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Watching);
    let record = parent.stored(1);
    parent.hold(Step::AfterGet);
    let load = Request::begin(cache.get(record.id()));
    ready(parent.store.remove(record.id(), None)).expect("remove");
    parent.release(Step::AfterGet);
    load.end().expect("get");
    assert_eq!(cache.figures().entries, 0);
    assert!(get(&cache, record.id()).is_none());
}

#[test]
fn a_load_that_overlaps_a_break_of_the_feed_does_not_enter() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Watching);
    let record = parent.stored(1);
    parent.hold(Step::AfterGet);
    let load = Request::begin(cache.get(record.id()));
    parent.store.break_feed();
    parent.release(Step::AfterGet);
    load.end().expect("get");
    assert_eq!(cache.figures().entries, 0);
}

#[test]
fn while_the_feed_is_broken_nobody_waits_for_a_load_that_began_before_the_request() {
    let feed = DelayedFeed::new();
    let cache = feed.cached();
    let record = support::record(support::id(1), 1, 0);
    let _ = ready(feed.store.put(&record, Expect::Absent)).expect("put");
    let hold = |held| feed.line.lock().expect("no panic while locked").held = held;
    hold(true);
    let before = Request::begin(cache.get(record.id()));
    ready(feed.store.remove(record.id(), None)).expect("remove");
    let after = Request::begin(cache.get(record.id()));
    hold(false);
    assert!(after.end().expect("get").is_none(), "the logout was acknowledged before");
    before.end().expect("get");
}
