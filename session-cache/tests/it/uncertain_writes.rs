//! Writes with an unknown end: the answer was an error, or its request was dropped.

use std::{sync::Arc, time::Duration};

use session_cache::{CacheConfig, CachingSessionManager, Coherence};
use session_core::{Expect, Outcome, Record, Removal, SessionManager, Version};

use crate::{
    failing::Without,
    parent::{Parent, Request, Step, get, ready, recall},
    support,
};

const MODES: [Coherence; 4] = [
    Coherence::Checked,
    Coherence::Exclusive,
    Coherence::MaxAge(Duration::from_secs(3_600)),
    Coherence::Watching,
];

/// A write that a client gave up, and that the store carries out when the test says so.
#[derive(Clone, Copy, Debug)]
enum Late {
    Put,
    Touch,
    Remove,
    RemoveOfAVersion,
}

const ALL: [Late; 4] = [Late::Put, Late::Touch, Late::Remove, Late::RemoveOfAVersion];

impl Late {
    /// Sends the write through `cache`, and stops waiting for it before the store has seen it.
    fn abandon(self, cache: &CachingSessionManager, parent: &Parent, old: &Record) {
        let step = match self {
            Self::Put => Step::BeforePut,
            Self::Touch => Step::BeforeTouch,
            Self::Remove | Self::RemoveOfAVersion => Step::BeforeRemove,
        };
        parent.hold(step);
        match self {
            Self::Put => {
                let new = next(parent, old);
                drop(Request::begin(cache.put(&new, expected(old))));
            }
            Self::Touch => {
                drop(Request::begin(cache.touch(old.id(), old.version(), parent.clock_in(60))));
            }
            Self::Remove => drop(Request::begin(cache.remove(old.id(), None))),
            Self::RemoveOfAVersion => {
                drop(Request::begin(cache.remove(old.id(), Some(old.version()))));
            }
        }
        parent.release(step);
    }

    /// The store carries the write out, without a word to the cache. Tells whether it took place.
    fn arrive(self, parent: &Parent, old: &Record) -> bool {
        let store = &parent.store;
        match self {
            Self::Put => {
                let new = next(parent, old);
                ready(store.put(&new, expected(old))).expect("put") == Outcome::Stored
            }
            Self::Touch => {
                let touch = store.touch(old.id(), old.version(), parent.clock_in(60));
                ready(touch).expect("touch") == Outcome::Stored
            }
            Self::Remove => {
                ready(store.remove(old.id(), None)).expect("remove") == Removal::Removed
            }
            Self::RemoveOfAVersion => {
                let remove = store.remove(old.id(), Some(old.version()));
                ready(remove).expect("remove") == Removal::Removed
            }
        }
    }
}

fn next(parent: &Parent, old: &Record) -> Arc<Record> {
    support::lasting(*old.id(), old.version().next().get(), 300, parent.clock_in(36_000))
}

fn expected(old: &Record) -> Expect {
    Expect::Version(old.version())
}

/// Stores a session that lasts ten hours, so that no test meets its end.
fn long_lived(parent: &Parent, number: u64) -> Arc<Record> {
    let record = support::lasting(support::id(number), 1, 200, parent.clock_in(36_000));
    let stored = ready(parent.store.put(&record, Expect::Absent)).expect("put");
    assert_eq!(stored, Outcome::Stored);
    record
}

fn assert_agrees(cache: &CachingSessionManager, parent: &Parent, record: &Record, why: &str) {
    let seen = get(cache, record.id()).map(|record| record.to_bytes());
    let held = ready(parent.store.get(record.id())).expect("get").map(|held| held.to_bytes());
    assert_eq!(seen, held, "{why}");
}

#[test]
fn an_outage_leaves_the_reads_of_other_sessions_alone() {
    for mode in MODES {
        let parent = Parent::new();
        let cache = parent.cached(mode);
        let cached = long_lived(&parent, 1_000_000);
        get(&cache, cached.id()).expect("live");
        parent.fail(Step::BeforeTouch);
        for number in 0..20_000 {
            let id = support::id(number);
            ready(cache.touch(&id, Version::FIRST, parent.clock_in(600)))
                .expect_err("told to fail");
        }
        parent.mend(Step::BeforeTouch);
        let fresh = long_lived(&parent, 1_000_001);
        get(&cache, fresh.id()).expect("live");
        let (gets, probes) = (parent.reached(Step::BeforeGet), parent.reached(Step::BeforeProbe));
        for record in [&cached, &fresh] {
            get(&cache, record.id()).expect("live");
        }
        assert_eq!(parent.reached(Step::BeforeGet), gets, "{mode:?}: both are hits");
        let checked = if mode == Coherence::Checked { 2 } else { 0 };
        assert_eq!(parent.reached(Step::BeforeProbe) - probes, checked, "{mode:?}");
    }
}

#[test]
fn a_failed_write_costs_one_load_where_the_mode_notices_changes_anyway() {
    for mode in MODES.into_iter().filter(|mode| *mode != Coherence::Exclusive) {
        let parent = Parent::new();
        let cache = parent.cached(mode);
        let record = long_lived(&parent, 1);
        get(&cache, record.id()).expect("live");
        parent.fail(Step::BeforeTouch);
        let touch = cache.touch(record.id(), Version::FIRST, parent.clock_in(600));
        ready(touch).expect_err("told to fail");
        for _ in 0..3 {
            get(&cache, record.id()).expect("live");
        }
        assert_eq!(cache.figures().loads, 2, "{mode:?}");
    }
}

#[test]
fn a_late_write_is_seen_by_the_next_get_however_late_it_is() {
    for late in ALL {
        let parent = Parent::new();
        let cache = parent.cached(Coherence::Exclusive);
        let old = long_lived(&parent, 1);
        get(&cache, old.id()).expect("live");
        late.abandon(&cache, &parent, &old);
        parent.clock.advance(Duration::from_secs(3_600));
        for _ in 0..3 {
            assert_agrees(&cache, &parent, &old, "before the late write");
        }
        assert_eq!(cache.figures().loads, 2, "{late:?}: cached, and probed at every hit");
        assert!(recall(&cache, old.id()).is_none(), "{late:?}: a probe has to be waited for");
        assert!(late.arrive(&parent, &old));
        assert_agrees(&cache, &parent, &old, "after the late write");
    }
}

#[test]
fn a_late_write_is_seen_without_probes_too() {
    for late in ALL {
        let parent = Parent::new();
        let config = CacheConfig::new().clock(Arc::clone(&parent.clock) as _);
        let cache = CachingSessionManager::with_config(
            Without(parent.clone()),
            Coherence::Exclusive,
            config,
        )
        .expect("the mode needs no ability");
        let old = long_lived(&parent, 1);
        late.abandon(&cache, &parent, &old);
        parent.clock.advance(Duration::from_secs(3_600));
        for _ in 0..3 {
            assert_agrees(&cache, &parent, &old, "before the late write");
        }
        assert_eq!((cache.figures().hits, cache.figures().loads), (0, 3), "{late:?}: no hits");
        assert!(late.arrive(&parent, &old));
        assert_agrees(&cache, &parent, &old, "after the late write");
    }
}

#[test]
fn after_a_later_put_a_late_write_must_conflict_and_hits_cost_nothing_again() {
    for late in [Late::Put, Late::Touch, Late::RemoveOfAVersion] {
        let parent = Parent::new();
        let cache = parent.cached(Coherence::Exclusive);
        let old = long_lived(&parent, 1);
        late.abandon(&cache, &parent, &old);
        let newer = next(&parent, &old);
        let put = ready(cache.put(&newer, expected(&old))).expect("put");
        assert_eq!(put, Outcome::Stored);
        let before = (parent.reached(Step::BeforeGet), parent.reached(Step::BeforeProbe));
        get(&cache, old.id()).expect("live");
        assert!(recall(&cache, old.id()).is_some(), "{late:?}");
        let after = (parent.reached(Step::BeforeGet), parent.reached(Step::BeforeProbe));
        assert_eq!(before, after, "{late:?}: a hit like any other");
        assert!(!late.arrive(&parent, &old), "{late:?}");
        assert_agrees(&cache, &parent, &old, "nothing has changed");
    }
}

#[test]
fn a_later_version_that_is_read_settles_a_late_write_as_well() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let old = long_lived(&parent, 1);
    get(&cache, old.id()).expect("live");
    parent.fail(Step::AfterPut);
    ready(cache.put(&next(&parent, &old), expected(&old))).expect_err("told to fail");
    assert_eq!(get(&cache, old.id()).expect("live").version(), Version::new(2));
    assert!(recall(&cache, old.id()).is_some(), "the put took place, and cannot do so again");
}

#[test]
fn a_late_removal_of_any_version_is_awaited_across_puts() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let old = long_lived(&parent, 1);
    Late::Remove.abandon(&cache, &parent, &old);
    let newer = next(&parent, &old);
    assert_eq!(ready(cache.put(&newer, expected(&old))).expect("put"), Outcome::Stored);
    assert_agrees(&cache, &parent, &old, "before the late removal");
    assert!(Late::Remove.arrive(&parent, &old));
    assert_agrees(&cache, &parent, &old, "after the late removal");
}

#[test]
fn a_session_that_is_found_gone_is_awaited_no_longer() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let old = long_lived(&parent, 1);
    Late::Touch.abandon(&cache, &parent, &old);
    assert_eq!(ready(cache.remove(old.id(), None)).expect("remove"), Removal::Removed);
    // An id is not used twice; here it is, to see what the cache remembers of it.
    long_lived(&parent, 1);
    get(&cache, old.id()).expect("live");
    assert!(recall(&cache, old.id()).is_some());
}

#[test]
fn more_uncertain_writes_than_are_remembered_make_every_hit_a_probe() {
    let parent = Parent::new();
    let cache = parent.cached_with(Coherence::Exclusive, CacheConfig::new().capacity(100));
    let cached = long_lived(&parent, 1_000_000);
    let old = long_lived(&parent, 0);
    parent.fail(Step::BeforeTouch);
    let uncertain = |range: std::ops::Range<u64>, cache: &CachingSessionManager| {
        for number in range {
            let id = support::id(number);
            ready(cache.touch(&id, Version::FIRST, parent.clock_in(60))).expect_err("told to fail");
        }
    };
    uncertain(0..40_000, &cache);
    for record in [&cached, &old] {
        get(&cache, record.id()).expect("live");
        assert!(recall(&cache, record.id()).is_none(), "probed at every hit");
    }
    parent.mend(Step::BeforeTouch);
    assert!(Late::Touch.arrive(&parent, &old));
    assert_agrees(&cache, &parent, &old, "nothing is forgotten");
}

#[test]
fn uncertain_writes_of_expired_sessions_are_forgotten() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    parent.fail(Step::BeforeTouch);
    for number in 0..50_000 {
        // More than are remembered, but of sessions that last ten minutes each.
        parent.clock.advance(Duration::from_millis(100));
        let record = parent.stored(number);
        get(&cache, record.id()).expect("live");
        ready(cache.touch(record.id(), Version::FIRST, parent.clock_in(600)))
            .expect_err("told to fail");
    }
    let fresh = parent.stored(1_000_000);
    get(&cache, fresh.id()).expect("live");
    assert!(recall(&cache, fresh.id()).is_some(), "a hit like any other");
}
