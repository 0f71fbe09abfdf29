//! Touching through the cache.

use std::sync::Arc;

use session_cache::Coherence;
use session_core::{Outcome, SessionManager, Version};

use crate::parent::{Parent, Request, Step, get, ready};

#[test]
fn a_touch_moves_the_deadline_of_the_entry_and_of_the_store() {
    for mode in [Coherence::Exclusive, Coherence::Checked] {
        let parent = Parent::new();
        let cache = parent.cached(mode);
        let record = parent.stored(1);
        get(&cache, record.id()).expect("live");
        for seconds in [900, 30] {
            let until = parent.clock_in(seconds);
            let touched = ready(cache.touch(record.id(), Version::FIRST, until)).expect("touch");
            assert_eq!(touched, Outcome::Stored);
            assert_eq!(get(&cache, record.id()).expect("live").expires_at(), until);
            let stored = ready(parent.store.get(record.id())).expect("get").expect("live");
            assert_eq!(stored.expires_at(), until);
        }
        assert_eq!(cache.figures().loads, 1, "{mode:?}: the entry was moved and not dropped");
    }
}

#[test]
fn a_touched_entry_shares_its_body_with_the_record_it_was() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    let before = get(&cache, record.id()).expect("live");
    let _ = ready(cache.touch(record.id(), Version::FIRST, parent.clock_in(30))).expect("touch");
    let after = get(&cache, record.id()).expect("live");
    assert!(!Arc::ptr_eq(&before, &after));
    assert_eq!(before.sealed().as_ptr(), after.sealed().as_ptr());
}

#[test]
fn touches_of_one_browser_that_overlap_are_two_parent_calls_and_the_latest_deadline_stays() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    get(&cache, record.id()).expect("live");
    parent.hold(Step::AfterTouch);
    let touch = |seconds| cache.touch(record.id(), Version::FIRST, parent.clock_in(seconds));
    let herd: Vec<_> = [700, 701, 900, 702, 703, 704].map(|s| Request::begin(touch(s))).into();
    parent.release(Step::AfterTouch);
    for request in herd {
        assert_eq!(request.end().expect("touch"), Outcome::Stored);
    }
    assert_eq!(parent.reached(Step::BeforeTouch), 2, "the first, and all that came meanwhile");
    assert_eq!(get(&cache, record.id()).expect("live").expires_at(), parent.clock_in(900));
    let stored = ready(parent.store.get(record.id())).expect("get").expect("live");
    assert_eq!(stored.expires_at(), parent.clock_in(900));
    assert_eq!(ready(touch(800)).expect("touch"), Outcome::Stored, "and the next is its own");
    assert_eq!(parent.reached(Step::BeforeTouch), 3);
}

#[test]
fn a_touch_that_waits_for_another_is_told_what_is_true_when_its_turn_comes() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    parent.hold(Step::AfterTouch);
    let touch = |version| cache.touch(record.id(), version, parent.clock_in(700));
    let first = Request::begin(touch(Version::FIRST));
    let second = Request::begin(touch(Version::FIRST));
    let of_another_version = Request::begin(touch(Version::FIRST.next()));
    let _ = ready(parent.store.remove(record.id(), None)).expect("remove");
    parent.release(Step::AfterTouch);
    assert_eq!(first.end().expect("touch"), Outcome::Stored, "it was live then");
    assert_eq!(second.end().expect("touch"), Outcome::Gone);
    assert_eq!(of_another_version.end().expect("touch"), Outcome::Conflict);
}

#[test]
fn a_touch_that_is_dropped_or_hangs_leaves_the_others_theirs() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    parent.hold(Step::BeforeTouch);
    let touch = || cache.touch(record.id(), Version::FIRST, parent.clock_in(700));
    let first = Request::begin(touch());
    let second = Request::begin(touch());
    let third = Request::begin(touch());
    drop((first, second));
    parent.clock.advance(std::time::Duration::from_secs(1));
    parent.release(Step::BeforeTouch);
    // Nothing is to be seen of those that wait: this one does not join them.
    assert_eq!(ready(touch()).expect("touch"), Outcome::Stored);
    assert_eq!(third.end().expect("touch"), Outcome::Stored);
}
