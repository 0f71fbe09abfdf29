//! What is passed through, and what is shown.

use std::{sync::Arc, time::Duration};

use session_cache::{CachingSessionManager, Coherence, Figures};
use session_core::{Expect, SessionManager, Version};

use crate::{
    failing::Without,
    parent::{Parent, Request, Step, get, ready, recall},
};

#[test]
fn all_abilities_but_recalling_are_those_of_the_parent() {
    let cache = Parent::new().cached(Coherence::Exclusive);
    assert!(cache.sweeping().is_some());
    assert!(cache.listing().is_some());
    assert!(cache.probing().is_some());
    assert!(cache.watching().is_some());
    let cache = CachingSessionManager::new(Without(Parent::new()), Coherence::Exclusive);
    let cache = cache.expect("needs nothing");
    assert!(cache.sweeping().is_none());
    assert!(cache.listing().is_none());
    assert!(cache.probing().is_none());
    assert!(cache.watching().is_none());
}

#[test]
fn a_cache_recalls_unless_each_hit_is_checked() {
    let parent = Parent::new();
    assert!(parent.cached(Coherence::Checked).recalling().is_none());
    let unchecked =
        [Coherence::Exclusive, Coherence::Watching, Coherence::MaxAge(Duration::from_secs(1))];
    for coherence in unchecked {
        assert!(parent.cached(coherence).recalling().is_some(), "{coherence:?}");
    }
}

#[test]
fn what_is_recalled_is_a_hit_and_what_is_not_is_no_miss() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    assert!(recall(&cache, record.id()).is_none());
    assert_eq!(cache.figures(), Figures::default(), "who asked so will ask again");
    get(&cache, record.id()).expect("live");
    assert!(recall(&cache, record.id()).is_some());
    assert_eq!(parent.reached(Step::BeforeGet), 1);
    let figures = cache.figures();
    assert_eq!((figures.hits, figures.misses, figures.loads), (1, 1, 1));
}

#[test]
fn a_probe_of_the_cache_asks_the_parent() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    get(&cache, record.id()).expect("live");
    let probing = cache.probing().expect("the parent can probe");
    let probe = ready(probing.probe(record.id())).expect("probe").expect("live");
    assert_eq!(probe.version, Version::FIRST);
    assert_eq!(parent.reached(Step::BeforeProbe), 1);
}

#[test]
fn a_cache_works_over_a_shared_parent_and_behind_one() {
    let parent: Arc<dyn SessionManager> = Arc::new(Parent::new());
    let cache = CachingSessionManager::new(Arc::clone(&parent), Coherence::Checked);
    let cache: Arc<dyn SessionManager> = Arc::new(cache.expect("the parent can probe"));
    let outer = CachingSessionManager::new(cache, Coherence::Checked).expect("a cache can probe");
    let record = crate::support::record(crate::support::id(1), 1, 0);
    let _ = ready(outer.put(&record, Expect::Absent)).expect("put");
    assert!(ready(parent.get(record.id())).expect("get").is_some());
    assert!(get(&outer, record.id()).is_some());
}

#[test]
fn figures_count_what_happened() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    assert_eq!(cache.figures(), Figures::default());
    let record = parent.stored(1);
    get(&cache, record.id());
    get(&cache, record.id());
    let figures = cache.figures();
    assert_eq!((figures.hits, figures.misses, figures.loads, figures.entries), (1, 1, 1, 1));
    assert!(figures.bytes as usize > record.memory_len(), "key and table are counted too");
    ready(cache.remove(record.id(), None)).expect("remove");
    let figures = cache.figures();
    assert_eq!((figures.invalidations, figures.entries, figures.bytes), (1, 0, 0));
    assert!(get(&cache, record.id()).is_none());
    assert_eq!(cache.figures().misses, 2);
}

#[test]
fn a_cleared_cache_asks_again() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    parent.hold(Step::AfterGet);
    let load = Request::begin(cache.get(record.id()));
    cache.clear();
    parent.release(Step::AfterGet);
    load.end().expect("get");
    assert_eq!(cache.figures().entries, 0, "also what was under way does not come in");
    get(&cache, record.id());
    cache.clear();
    assert_eq!(cache.figures().entries, 0);
    get(&cache, record.id());
    assert_eq!(parent.reached(Step::BeforeGet), 3);
}

#[test]
fn managers_and_tables_are_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<CachingSessionManager>();
    shared::<session_cache::RecordTable>();
    shared::<session_cache::CacheConfig>();
}
