//! One load for many waiters.

use std::{error::Error as _, sync::Arc, task::Poll, time::Duration};

use session_cache::{CacheConfig, CachingSessionManager, Coherence};
use session_core::{ErrorKind, SessionManager};

use crate::{
    failing::Without,
    parent::{Parent, Request, Step, get, ready},
    support,
};

#[test]
fn a_thundering_herd_is_one_parent_call() {
    let age = Coherence::MaxAge(Duration::from_secs(60));
    for mode in [Coherence::Exclusive, age, Coherence::Watching, Coherence::Checked] {
        let parent = Parent::new();
        let cache = parent.cached(mode);
        let record = parent.stored(1);
        parent.hold(Step::AfterGet);
        let herd: Vec<_> = (0..100).map(|_| Request::begin(cache.get(record.id()))).collect();
        parent.release(Step::AfterGet);
        for request in herd {
            assert!(request.end().expect("get").is_some());
        }
        assert_eq!(parent.reached(Step::BeforeGet), 1, "{mode:?}");
        // Who joined a call that began before, and wants each hit checked, has it checked.
        let checked = if mode == Coherence::Checked { 99 } else { 0 };
        assert_eq!(parent.reached(Step::BeforeProbe), checked, "{mode:?}");
        let figures = cache.figures();
        assert_eq!((figures.misses, figures.loads), (100, 1));
    }
}

#[test]
fn a_store_that_cannot_be_asked_for_versions_answers_all_who_share_a_call() {
    for mode in [Coherence::Exclusive, Coherence::MaxAge(Duration::from_secs(60))] {
        let parent = Parent::new();
        let config = CacheConfig::new().clock(Arc::clone(&parent.clock) as _);
        let cache = CachingSessionManager::with_config(Without(parent.clone()), mode, config)
            .expect("these modes need no ability");
        let record = parent.stored(1);
        parent.hold(Step::BeforeGet);
        let herd: Vec<_> = (0..2).map(|_| Request::begin(cache.get(record.id()))).collect();
        parent.release(Step::BeforeGet);
        for request in herd {
            assert!(request.end().expect("get").is_some(), "{mode:?}");
        }
        assert_eq!(parent.reached(Step::BeforeGet), 1, "{mode:?}");
    }
}

#[test]
fn a_thundering_herd_on_an_expired_entry_is_one_parent_call() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    get(&cache, record.id()).expect("live");
    parent.clock.advance(Duration::from_secs(600));
    parent.hold(Step::BeforeGet);
    let herd: Vec<_> = (0..10).map(|_| Request::begin(cache.get(record.id()))).collect();
    parent.release(Step::BeforeGet);
    for request in herd {
        assert!(request.end().expect("get").is_none());
    }
    assert_eq!(parent.reached(Step::BeforeGet), 2);
}

#[test]
fn a_request_that_is_dropped_leaves_the_load_to_the_others() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    parent.hold(Step::BeforeGet);
    let first = Request::begin(cache.get(record.id()));
    let others: Vec<_> = (0..3).map(|_| Request::begin(cache.get(record.id()))).collect();
    drop(first);
    parent.release(Step::BeforeGet);
    for request in others {
        assert!(request.end().expect("get").is_some());
    }
    assert_eq!(parent.reached(Step::BeforeGet), 1, "the others go on with the same call");
    assert_eq!(cache.figures().entries, 1);
}

#[test]
fn a_request_that_is_not_polled_any_more_does_not_hold_up_the_others() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    parent.hold(Step::BeforeGet);
    let mut forgotten = Request::begin(cache.get(record.id()));
    let other = Request::begin(cache.get(record.id()));
    parent.release(Step::BeforeGet);
    assert!(other.end().expect("get").is_some());
    assert!(matches!(forgotten.poll(), Poll::Ready(Ok(Some(_)))));
}

#[test]
fn a_load_that_all_left_is_begun_anew() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    parent.hold(Step::BeforeGet);
    let (one, two) =
        (Request::begin(cache.get(record.id())), Request::begin(cache.get(record.id())));
    drop(one);
    drop(two);
    parent.release(Step::BeforeGet);
    assert!(get(&cache, record.id()).is_some());
    assert_eq!(parent.reached(Step::BeforeGet), 2);
}

#[test]
fn a_load_that_hangs_does_not_hold_up_who_comes_a_second_later() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    parent.hold(Step::AfterGet);
    let mut hanging = Request::begin(cache.get(record.id()));
    let with_it = Request::begin(cache.get(record.id()));
    parent.clock.advance(Duration::from_secs(1));
    let later: Vec<_> = (0..3).map(|_| Request::begin(cache.get(record.id()))).collect();
    assert_eq!(parent.reached(Step::BeforeGet), 2, "they share a call of their own");
    parent.release(Step::AfterGet);
    for request in later {
        assert!(request.end().expect("get").is_some());
    }
    assert!(hanging.poll().is_ready());
    assert!(with_it.end().expect("get").is_some());
    assert_eq!(cache.figures().entries, 1);
}

#[test]
fn a_load_that_fails_is_tried_once_more_by_those_who_did_not_begin_it() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    parent.hold(Step::BeforeGet);
    parent.fail(Step::BeforeGet);
    let first = Request::begin(cache.get(record.id()));
    let others: Vec<_> = (0..5).map(|_| Request::begin(cache.get(record.id()))).collect();
    parent.release(Step::BeforeGet);
    first.end().expect_err("told to fail");
    parent.mend(Step::BeforeGet);
    for request in others {
        assert!(request.end().expect("get").is_some());
    }
    assert_eq!(parent.reached(Step::BeforeGet), 2, "all the others share the second call");
}

#[test]
fn a_parent_that_stays_down_is_asked_twice_by_a_herd_and_not_once_each() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    parent.hold(Step::BeforeGet);
    parent.fail(Step::BeforeGet);
    let id = support::id(1);
    let mut herd: Vec<_> = (0..50).map(|_| Request::begin(cache.get(&id))).collect();
    parent.release(Step::BeforeGet);
    let first = herd.remove(0);
    first.end().expect_err("told to fail");
    parent.hold(Step::BeforeGet);
    assert!(herd.iter_mut().all(|request| request.poll().is_pending()));
    parent.release(Step::BeforeGet);
    for request in herd {
        request.end().expect_err("told to fail");
    }
    assert_eq!(parent.reached(Step::BeforeGet), 2);
}

#[test]
fn every_waiter_is_told_the_parents_error_with_its_cause() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let id = support::id(1);
    parent.fail(Step::BeforeGet);
    let error = ready(cache.get(&id)).expect_err("told to fail");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.to_string(), "parent: told to fail");
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some("pulled plug"));
}

#[test]
fn absence_is_not_kept() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    assert!(get(&cache, &support::id(1)).is_none());
    assert_eq!(cache.figures().entries, 0);
    parent.stored(1);
    assert!(get(&cache, &support::id(1)).is_some());
}

#[test]
fn a_hit_hands_out_the_record_itself() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.record(1, 1);
    let _ = ready(cache.put(&record, session_core::Expect::Absent)).expect("put");
    assert!(Arc::ptr_eq(&get(&cache, record.id()).expect("live"), &record));
    assert!(Arc::ptr_eq(&get(&cache, record.id()).expect("live"), &record));
    assert_eq!(parent.reached(Step::BeforeGet), 0);
}
