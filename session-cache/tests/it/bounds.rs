//! How much a cache holds, and what enters it.

use std::sync::Arc;

use session_cache::{CacheConfig, Coherence, RecordTable};
use session_core::{ErrorKind, Expect, Record, SessionManager};

use crate::{
    parent::{Parent, get, ready},
    support,
};

/// Numbers without an order, the same in every run.
fn random(seed: u64) -> impl Iterator<Item = u64> {
    (0_u64..).map(move |at| {
        u64::from_le_bytes(
            support::id(at ^ seed << 32).as_bytes()[..8].try_into().expect("eight bytes"),
        )
    })
}

#[test]
fn never_more_entries_than_the_capacity() {
    for capacity in [0, 1, 2, 3, 100, 5_000] {
        let table = RecordTable::new(capacity, usize::MAX);
        for number in random(7).take(20_000) {
            let id = support::id(number % 8_000);
            match number >> 60 {
                0 => table.remove(&id),
                1..6 => drop(table.get(&id)),
                _ => table.insert(&support::record(id, 1, 0)),
            }
            let entries = table.figures().entries as usize;
            assert!(entries <= capacity, "{entries} of {capacity}");
        }
        for newcomer in 0..4 * capacity as u64 {
            table.insert(&support::record(support::id(1_000_000 + newcomer), 1, 0));
        }
        assert_eq!(table.figures().entries as usize, capacity, "and it fills up");
    }
}

#[test]
fn never_more_bytes_than_the_bound() {
    for max_bytes in [0, 1_000, 50_000, 3_000_000, 40_000_000] {
        let table = RecordTable::new(100_000, max_bytes);
        for number in random(8).take(3_000) {
            let id = support::id(number % 500);
            let length = (number >> 32) as usize % 40_000;
            table.insert(&support::record(id, 1, length));
            let bytes = table.figures().bytes as usize;
            assert!(bytes <= max_bytes, "{bytes} of {max_bytes}");
        }
        table.clear();
        assert_eq!(table.figures().bytes, 0);
    }
}

#[test]
fn a_table_agrees_with_a_map_that_forgets() {
    let table = RecordTable::new(300, 200_000);
    let mut last = std::collections::HashMap::<u64, Arc<Record>>::new();
    for number in random(9).take(100_000) {
        let key = number % 600;
        let id = support::id(key);
        match number >> 61 {
            0 => {
                table.remove(&id);
                last.remove(&key);
            }
            1..5 => {
                if let Some(found) = table.get(&id) {
                    assert!(Arc::ptr_eq(&found, &last[&key]), "what is there is what came last");
                }
            }
            _ => {
                let record = support::record(id, 1, (number >> 40) as usize % 2_000);
                table.insert(&record);
                last.insert(key, record);
            }
        }
    }
    let found = last.iter().filter(|(key, _)| table.get(&support::id(**key)).is_some()).count();
    assert_eq!(found, table.figures().entries as usize, "and nothing else is there");
}

#[test]
fn a_table_without_room_and_one_with_room_for_one_answer_as_the_parent_does() {
    for capacity in [0, 1] {
        let parent = Parent::new();
        let cache = parent.cached_with(Coherence::Exclusive, CacheConfig::new().capacity(capacity));
        let records: Vec<_> = (0..5).map(|number| parent.stored(number)).collect();
        for _ in 0..3 {
            for record in &records {
                assert!(get(&cache, record.id()).is_some());
            }
        }
        assert_eq!(cache.figures().entries as usize, capacity);
    }
}

#[test]
fn a_record_that_is_evicted_while_a_request_uses_it_stays_whole() {
    let parent = Parent::new();
    let cache = parent.cached_with(Coherence::Exclusive, CacheConfig::new().capacity(1));
    let record = parent.stored(1);
    let in_use = get(&cache, record.id()).expect("live");
    parent.stored(2);
    get(&cache, &support::id(2)).expect("live");
    assert_eq!(cache.figures().evictions, 1);
    assert_eq!(in_use.to_bytes(), record.to_bytes());
}

#[test]
fn a_flood_of_strangers_does_not_push_out_those_who_come_back() {
    let table = RecordTable::new(1_000, usize::MAX);
    let regulars: Vec<_> = (0..500).map(support::id).collect();
    for _ in 0..3 {
        for id in &regulars {
            if table.get(id).is_none() {
                table.insert(&support::record(*id, 1, 0));
            }
        }
    }
    for stranger in 0..100_000 {
        table.insert(&support::record(support::id(1_000_000 + stranger), 1, 0));
    }
    let stayed = regulars.iter().filter(|id| table.get(id).is_some()).count();
    assert_eq!(stayed, regulars.len());
}

#[test]
fn those_who_log_out_do_not_disturb_the_turns_of_the_others() {
    let table = RecordTable::new(1_000, usize::MAX);
    let regulars: Vec<_> = (0..400).map(support::id).collect();
    for (at, id) in regulars.iter().enumerate() {
        table.insert(&support::record(support::id(1_000_000 + at as u64), 1, 0));
        table.insert(&support::record(*id, 1, 0));
        assert!(table.get(id).is_some());
    }
    // There is room for all: nobody's turn to leave comes, and all of these leave before it.
    for stranger in 0..20_000 {
        let id = support::id(1_000_000 + stranger);
        table.insert(&support::record(id, 1, 0));
        table.remove(&id);
    }
    assert_eq!(table.figures().evictions, 0);
    for stranger in 0..20_000 {
        table.insert(&support::record(support::id(2_000_000 + stranger), 1, 0));
        assert!(table.figures().entries <= 1_000);
    }
    assert!(regulars.iter().all(|id| table.get(id).is_some()), "they were asked for");
    for stranger in 0..20_000 {
        let id = support::id(3_000_000 + stranger);
        table.insert(&support::record(id, 1, 0));
        // Twice, so that it goes to the main queue, and the regulars' turns come.
        assert!(table.get(&id).is_some() && table.get(&id).is_some());
    }
    assert!(regulars.iter().all(|id| table.get(id).is_none()), "they were not asked for again");
}

#[test]
fn requests_without_a_session_cannot_evict_anything() {
    let parent = Parent::new();
    let cache = parent.cached_with(Coherence::Exclusive, CacheConfig::new().capacity(10));
    let records: Vec<_> = (0..10).map(|number| parent.stored(number)).collect();
    for record in &records {
        assert!(get(&cache, record.id()).is_some());
    }
    let before = cache.figures();
    for stranger in 0..10_000 {
        assert!(get(&cache, &support::id(1_000_000 + stranger)).is_none());
    }
    let after = cache.figures();
    assert_eq!(
        (before.entries, before.bytes, before.evictions),
        (after.entries, after.bytes, after.evictions)
    );
}

#[test]
fn a_record_of_another_session_never_enters() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let (asked, other) = (parent.stored(1), parent.stored(2));
    parent.lie(&other);
    let error = ready(cache.get(asked.id())).expect_err("the parent lies");
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(error.to_string(), "cache: the store returned the record of another session");
    assert_eq!(cache.figures().entries, 0);
}

#[test]
fn an_expired_record_never_enters_and_is_never_answered() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.record(1, 1);
    parent.clock.advance(std::time::Duration::from_secs(600));
    parent.lie(&record);
    assert!(get(&cache, record.id()).is_none(), "the parent answers with what is expired");
    let _ = ready(cache.put(&record, Expect::Absent)).expect("put");
    assert_eq!(cache.figures().entries, 0);
}

#[test]
fn a_hit_is_expired_at_the_deadline() {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::Exclusive);
    let record = parent.stored(1);
    get(&cache, record.id()).expect("live");
    parent.clock.set(parent.clock_in(600).saturating_sub(std::time::Duration::from_millis(1)));
    assert!(get(&cache, record.id()).is_some());
    parent.clock.advance(std::time::Duration::from_millis(1));
    parent.lie(&record);
    assert!(get(&cache, record.id()).is_none(), "whatever the parent says");
}
