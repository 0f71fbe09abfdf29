//! What another process changed is honoured within the bound of the mode.

use std::time::Duration;

use session_cache::{CachingSessionManager, Coherence};
use session_core::{ErrorKind, Expect, Outcome, Removal, SessionManager, Version};

use crate::{
    failing::Without,
    parent::{Parent, Request, Step, get, ready, recall},
};

#[test]
fn a_logout_in_one_process_is_refused_by_the_next_request_in_the_other() {
    let parent = Parent::new();
    let (here, there) = (parent.cached(Coherence::Checked), parent.cached(Coherence::Checked));
    for number in 0..1_000 {
        let record = parent.record(number, 1);
        assert_eq!(ready(here.put(&record, Expect::Absent)).expect("put"), Outcome::Stored);
        assert!(get(&here, record.id()).is_some());
        assert!(get(&there, record.id()).is_some());
        assert_eq!(ready(there.remove(record.id(), None)).expect("remove"), Removal::Removed);
        assert!(get(&here, record.id()).is_none(), "logout {number}");
        assert!(!ready(here.exists(record.id())).expect("exists"));
    }
}

#[test]
fn checked_sees_another_version_and_another_deadline() {
    let parent = Parent::new();
    let (here, there) = (parent.cached(Coherence::Checked), parent.cached(Coherence::Checked));
    let record = parent.stored(1);
    get(&here, record.id()).expect("live");
    let new = parent.record(1, 2);
    let put = ready(there.put(&new, Expect::Version(Version::FIRST))).expect("put");
    assert_eq!(put, Outcome::Stored);
    assert_eq!(get(&here, record.id()).expect("live").version().get(), 2);
    let loads = here.figures().loads;
    let touched = ready(there.touch(record.id(), Version::new(2), parent.clock_in(30)));
    assert_eq!(touched.expect("touch"), Outcome::Stored);
    let seen = get(&here, record.id()).expect("live");
    assert_eq!(seen.expires_at(), parent.clock_in(30));
    assert_eq!(here.figures().loads, loads, "another deadline needs no load");
    parent.clock.advance(Duration::from_secs(30));
    assert!(get(&here, record.id()).is_none());
}

#[test]
fn checked_does_not_answer_from_a_load_that_read_before_the_request_began() {
    let parent = Parent::new();
    let (here, there) = (parent.cached(Coherence::Checked), parent.cached(Coherence::Checked));
    let record = parent.stored(1);
    parent.hold(Step::AfterGet);
    let before = Request::begin(here.get(record.id()));
    assert_eq!(ready(there.remove(record.id(), None)).expect("remove"), Removal::Removed);
    let after = Request::begin(here.get(record.id()));
    parent.release(Step::AfterGet);
    assert!(before.end().expect("get").is_some(), "it read before the logout");
    assert!(after.end().expect("get").is_none(), "it began after the logout");
}

#[test]
fn checked_does_not_answer_absence_from_a_load_that_read_before_the_request_began() {
    let parent = Parent::new();
    let here = parent.cached(Coherence::Checked);
    let record = parent.record(1, 1);
    parent.hold(Step::AfterGet);
    let before = Request::begin(here.get(record.id()));
    parent.stored(1);
    let after = Request::begin(here.get(record.id()));
    parent.release(Step::AfterGet);
    assert!(before.end().expect("get").is_none(), "it read before the login");
    assert!(after.end().expect("get").is_some(), "it began after the login");
}

#[test]
fn checked_answers_nothing_that_it_could_not_check() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Checked);
    let record = parent.stored(1);
    get(&cache, record.id()).expect("live");
    parent.fail(Step::BeforeProbe);
    let error = ready(cache.get(record.id())).expect_err("told to fail");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn exclusive_asks_the_parent_once() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    for _ in 0..10 {
        get(&cache, record.id()).expect("live");
    }
    assert_eq!(parent.reached(Step::BeforeGet), 1);
    assert_eq!(parent.reached(Step::BeforeProbe), 0);
    let figures = cache.figures();
    assert_eq!((figures.hits, figures.misses), (9, 1));
}

#[test]
fn max_age_honours_a_change_elsewhere_within_the_age() {
    let parent = Parent::new();
    let age = Duration::from_secs(5);
    let cache = parent.cached(Coherence::MaxAge(age));
    let record = parent.stored(1);
    get(&cache, record.id()).expect("live");
    ready(parent.store.remove(record.id(), None)).expect("remove");
    parent.clock.advance(age.saturating_sub(Duration::from_millis(1)));
    assert!(get(&cache, record.id()).is_some(), "not asked for again before the age");
    assert!(recall(&cache, record.id()).is_some(), "nor then");
    parent.clock.advance(Duration::from_millis(1));
    assert!(recall(&cache, record.id()).is_none());
    assert!(get(&cache, record.id()).is_none());
}

#[test]
fn max_age_counts_from_before_the_parent_was_asked() {
    let parent = Parent::new();
    let age = Duration::from_secs(5);
    let cache = parent.cached(Coherence::MaxAge(age));
    let record = parent.stored(1);
    parent.hold(Step::AfterGet);
    let load = Request::begin(cache.get(record.id()));
    ready(parent.store.remove(record.id(), None)).expect("remove");
    parent.clock.advance(Duration::from_secs(4));
    parent.release(Step::AfterGet);
    assert!(load.end().expect("get").is_some());
    parent.clock.advance(Duration::from_secs(1));
    assert!(get(&cache, record.id()).is_none(), "five seconds after it was read");
}

#[test]
fn max_age_does_not_wait_for_a_load_older_than_the_age() {
    let parent = Parent::new();
    let age = Duration::from_secs(5);
    let cache = parent.cached(Coherence::MaxAge(age));
    let record = parent.stored(1);
    parent.hold(Step::AfterGet);
    let slow = Request::begin(cache.get(record.id()));
    ready(parent.store.remove(record.id(), None)).expect("remove");
    parent.clock.advance(age);
    let late = Request::begin(cache.get(record.id()));
    parent.release(Step::AfterGet);
    assert!(slow.end().expect("get").is_some());
    assert!(late.end().expect("get").is_none());
}

#[test]
fn a_conflict_makes_the_next_get_ask_the_parent() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::MaxAge(Duration::from_secs(3_600)));
    let record = parent.stored(1);
    get(&cache, record.id()).expect("live");
    let elsewhere = ready(parent.store.put(&parent.record(1, 2), Expect::Version(Version::FIRST)));
    assert_eq!(elsewhere.expect("put"), Outcome::Stored);
    let here = ready(cache.put(&parent.record(1, 2), Expect::Version(Version::FIRST)));
    assert_eq!(here.expect("put"), Outcome::Conflict);
    assert_eq!(get(&cache, record.id()).expect("live").version().get(), 2);
}

#[test]
fn a_mode_the_parent_cannot_keep_is_refused_at_construction() {
    let cases = [
        (
            Coherence::Checked,
            "cache: the store cannot be asked for versions: use `Coherence::Watching` or `Coherence::MaxAge`",
        ),
        (
            Coherence::Watching,
            "cache: the store has no feed of changes: use `Coherence::Checked` or `Coherence::MaxAge`",
        ),
        (
            Coherence::MaxAge(Duration::ZERO),
            "cache: an age of zero keeps nothing: set a longer one, or use the store without a cache",
        ),
    ];
    for (coherence, says) in cases {
        let error = CachingSessionManager::new(Without(Parent::new()), coherence)
            .expect_err("the parent has no abilities");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.to_string(), says);
    }
    CachingSessionManager::new(Without(Parent::new()), Coherence::Exclusive)
        .expect("needs nothing");
}
