//! Dropping the cached copy of one session.

use std::{sync::Arc, time::Duration};

use session_cache::{CachingSessionManager, Coherence};
use session_core::{Expect, Outcome, SessionManager, Version};

use crate::parent::{Parent, Request, Step, get, ready};

const MODES: [Coherence; 4] = [
    Coherence::Checked,
    Coherence::Exclusive,
    Coherence::MaxAge(Duration::from_secs(60)),
    Coherence::Watching,
];

fn forget(cache: &CachingSessionManager, number: u64) {
    let forgetting = cache.forgetting().expect("every cache forgets");
    forgetting.forget(&crate::support::id(number));
}

/// Stores a second version, behind the back of every cache.
fn replaced(parent: &Parent) {
    let second = parent.record(1, 2);
    let outcome = ready(parent.store.put(&second, Expect::Version(Version::FIRST)));
    assert_eq!(outcome.expect("put"), Outcome::Stored);
}

#[test]
fn a_get_after_forget_does_not_join_a_load_that_began_before() {
    for mode in MODES {
        let parent = Parent::new();
        let cache = parent.cached(mode);
        let first = parent.stored(1);
        parent.hold(Step::AfterGet);
        let early = Request::begin(cache.get(first.id()));
        replaced(&parent);
        forget(&cache, 1);
        let late = Request::begin(cache.get(first.id()));
        assert_eq!(parent.reached(Step::AfterGet), 2, "{mode:?}: a load of its own");
        parent.release(Step::AfterGet);
        let late = late.end().expect("get").expect("live");
        assert_eq!(late.version(), Version::new(2), "{mode:?}");
        assert!(early.end().expect("get").is_some(), "{mode:?}");
        let kept = get(&cache, first.id()).expect("live");
        assert_eq!(kept.version(), Version::new(2), "{mode:?}: the early load is not kept");
    }
}

#[test]
fn forget_reaches_the_copy_of_a_parent_that_is_a_cache() {
    for mode in MODES {
        let parent = Parent::new();
        let inner = Arc::new(parent.cached(Coherence::Exclusive));
        let config = session_cache::CacheConfig::new().clock(Arc::clone(&parent.clock) as _);
        let outer = CachingSessionManager::with_config(Arc::clone(&inner), mode, config)
            .expect("the parent has every ability");
        let first = parent.stored(1);
        assert!(get(&outer, first.id()).is_some());
        replaced(&parent);
        let known = get(&inner, first.id()).expect("live").version();
        assert_eq!(known, Version::FIRST, "the inner one has a copy that is behind");
        forget(&outer, 1);
        let found = get(&outer, first.id()).expect("live").version();
        assert_eq!(found, Version::new(2), "{mode:?}");
    }
}
