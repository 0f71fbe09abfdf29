//! Touching through the cache.

use std::sync::Arc;

use session_cache::Coherence;
use session_core::{Outcome, SessionManager, Version};

use crate::parent::{Parent, get, ready};

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
