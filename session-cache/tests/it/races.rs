//! What was read before a change never enters after it.

use std::sync::Arc;

use session_cache::{CachingSessionManager, Coherence};
use session_core::{Expect, Outcome, Record, Removal, SessionManager, Version};

use crate::parent::{Parent, Request, Step, get, ready};

const MODES: [Coherence; 2] = [Coherence::Exclusive, Coherence::Checked];

/// A load is held after it has read the first version; then `change` takes place through the cache;
/// then the load ends.
fn load_around(
    coherence: Coherence,
    change: impl FnOnce(&CachingSessionManager, &Parent, &Arc<Record>),
) {
    let parent = Parent::new();
    let cache = parent.cached(coherence);
    let old = parent.stored(1);
    parent.hold(Step::AfterGet);
    let load = Request::begin(cache.get(old.id()));
    change(&cache, &parent, &old);
    parent.release(Step::AfterGet);
    let read = load.end().expect("get").expect("it was live when it was read");
    assert_eq!(read.version(), Version::FIRST);
    let now = ready(parent.store.get(old.id())).expect("get");
    let seen = get(&cache, old.id());
    assert_eq!(
        seen.as_ref().map(|record| (record.version(), record.expires_at())),
        now.as_ref().map(|record| (record.version(), record.expires_at())),
        "{coherence:?}: the cache answers as the parent does"
    );
}

#[test]
fn a_load_that_overlaps_a_put_does_not_bring_the_older_record_back() {
    for mode in MODES {
        load_around(mode, |cache, parent, old| {
            let new = parent.record(1, 2);
            let put = ready(cache.put(&new, Expect::Version(old.version()))).expect("put");
            assert_eq!(put, Outcome::Stored);
        });
    }
}

#[test]
fn a_load_that_overlaps_a_remove_does_not_bring_the_record_back() {
    for mode in MODES {
        load_around(mode, |cache, _, old| {
            assert_eq!(ready(cache.remove(old.id(), None)).expect("remove"), Removal::Removed);
        });
    }
}

#[test]
fn a_load_that_overlaps_a_touch_does_not_bring_the_older_deadline_back() {
    for mode in MODES {
        load_around(mode, |cache, _, old| {
            let later = old.expires_at().saturating_add(std::time::Duration::from_secs(60));
            let touched = ready(cache.touch(old.id(), old.version(), later)).expect("touch");
            assert_eq!(touched, Outcome::Stored);
        });
    }
}

#[test]
fn a_load_that_overlaps_a_put_with_an_unknown_end_does_not_bring_the_older_record_back() {
    for mode in MODES {
        load_around(mode, |cache, parent, old| {
            parent.fail(Step::AfterPut);
            let new = parent.record(1, 2);
            ready(cache.put(&new, Expect::Version(old.version()))).expect_err("told to fail");
        });
    }
}

#[test]
fn a_load_that_overlaps_a_remove_that_was_dropped_does_not_bring_the_record_back() {
    for mode in MODES {
        load_around(mode, |cache, parent, old| {
            parent.hold(Step::AfterRemove);
            drop(Request::begin(cache.remove(old.id(), None)));
        });
    }
}

#[test]
fn a_request_after_a_remove_does_not_wait_for_a_load_from_before_it() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    parent.hold(Step::AfterGet);
    let before = Request::begin(cache.get(record.id()));
    assert_eq!(ready(cache.remove(record.id(), None)).expect("remove"), Removal::Removed);
    let after = Request::begin(cache.get(record.id()));
    parent.release(Step::AfterGet);
    assert!(before.end().expect("get").is_some(), "it began before the remove");
    assert!(after.end().expect("get").is_none(), "it began after the remove");
    assert!(get(&cache, record.id()).is_none());
}

#[test]
fn a_write_that_fails_leaves_no_entry() {
    for step in [Step::BeforePut, Step::AfterPut] {
        let parent = Parent::new();
        let cache = parent.cached(Coherence::Exclusive);
        let old = parent.stored(1);
        get(&cache, old.id()).expect("live");
        assert_eq!(cache.figures().entries, 1);
        parent.fail(step);
        ready(cache.put(&parent.record(1, 2), Expect::Version(old.version())))
            .expect_err("told to fail");
        assert_eq!(cache.figures().entries, 0, "{step:?}");
        let version = get(&cache, old.id()).expect("live").version().get();
        assert_eq!(version, if step == Step::AfterPut { 2 } else { 1 });
    }
}

#[test]
fn a_remove_or_touch_that_fails_leaves_no_entry() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let (first, second) = (parent.stored(1), parent.stored(2));
    parent.fail(Step::AfterRemove);
    parent.fail(Step::AfterTouch);
    get(&cache, first.id()).expect("live");
    get(&cache, second.id()).expect("live");
    ready(cache.remove(first.id(), None)).expect_err("told to fail");
    ready(cache.touch(second.id(), Version::FIRST, parent.clock_in(30))).expect_err("told to fail");
    assert_eq!(cache.figures().entries, 0);
    assert!(get(&cache, first.id()).is_none(), "the remove took place although it failed");
    let touched = get(&cache, second.id()).expect("live");
    assert_eq!(
        touched.expires_at(),
        parent.clock_in(30),
        "the touch took place although it failed"
    );
}

#[test]
fn a_late_write_is_not_hidden_by_an_entry() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let old = parent.stored(1);
    parent.hold(Step::BeforePut);
    let new = parent.record(1, 2);
    drop(Request::begin(cache.put(&new, Expect::Version(old.version()))));
    // Read after the request was dropped, and before the store does what it was asked for.
    assert_eq!(get(&cache, old.id()).expect("live").version().get(), 1);
    let late = ready(parent.store.put(&new, Expect::Version(old.version()))).expect("put");
    assert_eq!(late, Outcome::Stored);
    assert_eq!(get(&cache, old.id()).expect("live").version().get(), 2);
}

#[test]
fn of_two_puts_that_overlap_the_older_record_never_stays() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    parent.stored(1);
    parent.hold(Step::AfterPut);
    let (second, third) = (parent.record(1, 2), parent.record(1, 3));
    let one = Request::begin(cache.put(&second, Expect::Version(Version::new(1))));
    let two = Request::begin(cache.put(&third, Expect::Version(Version::new(2))));
    parent.release(Step::AfterPut);
    // The later write is told first, then the earlier one.
    assert_eq!(two.end().expect("put"), Outcome::Stored);
    assert_eq!(one.end().expect("put"), Outcome::Stored);
    assert_eq!(get(&cache, third.id()).expect("live").version().get(), 3);
}

#[test]
fn a_put_that_ends_after_a_remove_does_not_bring_the_record_back() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    parent.stored(1);
    parent.hold(Step::AfterPut);
    let second = parent.record(1, 2);
    let put = Request::begin(cache.put(&second, Expect::Version(Version::new(1))));
    assert_eq!(ready(cache.remove(second.id(), None)).expect("remove"), Removal::Removed);
    parent.release(Step::AfterPut);
    assert_eq!(put.end().expect("put"), Outcome::Stored);
    assert!(get(&cache, second.id()).is_none());
}
