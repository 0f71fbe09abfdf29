//! Which calls a probe makes, and that none it spares would have told more.

use std::time::Duration;

use session_core::{Expect, Outcome, Probe, Removal, SessionId, Timestamp, Version};

use super::{
    Bench,
    records::{new_id, record},
    shim::Fate,
};
use crate::{Durability, error::TryError, syscalls::WaitMode};

const READ: [&str; 2] = ["open to read", "read"];
const READ_LOCKED: [&str; 4] = ["open to read", "lock", "stat", "read"];
const LOOK: [&str; 1] = ["stat name"];
const LOOK_AND_READ: [&str; 3] = ["stat name", "open to read", "read"];

/// A session whose state is known so well that a look at its name tells whether it is the same.
fn settled(bench: &Bench) -> SessionId {
    let id = new_id();
    put(bench, &id, 1, 10, Expect::Absent);
    for _ in 0..2 {
        assert_eq!(probed(bench, &id, &mut Vec::new()), Some(1));
    }
    let mut calls = Vec::new();
    assert_eq!(probed(bench, &id, &mut calls), Some(1));
    assert_eq!(calls, LOOK);
    id
}

/// By another process, as far as the probing store knows.
fn put(bench: &Bench, id: &SessionId, version: u64, len: usize, expect: Expect) {
    let until = bench.clock.now_plus(Duration::from_secs(3_600));
    let record = record(*id, version, until, &vec![7; len]);
    let put = bench.good.put(&record, expect, WaitMode::Blocking).map_err(TryError::into_error);
    assert_eq!(put.expect("put"), Outcome::Stored);
}

fn probe(bench: &Bench, id: &SessionId) -> Option<Probe> {
    bench.bad.probe(id, WaitMode::Blocking).map_err(TryError::into_error).expect("an answer")
}

/// The version that is found a while after the last change, and the calls that took.
fn probed(bench: &Bench, id: &SessionId, calls: &mut Vec<&'static str>) -> Option<u64> {
    bench.shim.begin(Fate::Whole);
    bench.shim.long_after();
    let found = probe(bench, id);
    *calls = bench.shim.end().iter().map(|made| made.name).collect();
    found.map(|probe| probe.version.get())
}

trait Later {
    fn now_plus(&self, by: Duration) -> Timestamp;
}

impl Later for session_core::ManualClock {
    fn now_plus(&self, by: Duration) -> Timestamp {
        session_core::Clock::now(self).saturating_add(by)
    }
}

#[test]
fn from_the_third_time_on_an_unchanged_session_is_probed_by_a_look_at_its_name() {
    let bench = Bench::new(Durability::Buffered);
    let id = new_id();
    put(&bench, &id, 1, 10, Expect::Absent);
    for expected in [&READ[..], &READ_LOCKED, &LOOK, &LOOK, &LOOK] {
        let mut calls = Vec::new();
        assert_eq!(probed(&bench, &id, &mut calls), Some(1));
        assert_eq!(calls, expected);
    }
}

#[test]
fn a_file_that_may_have_been_changed_a_moment_ago_is_read() {
    let bench = Bench::new(Durability::Buffered);
    let id = new_id();
    put(&bench, &id, 1, 10, Expect::Absent);
    for _ in 0..5 {
        bench.shim.begin(Fate::Whole);
        assert!(probe(&bench, &id).is_some());
        let calls = bench.shim.end();
        assert!(calls.iter().any(|made| made.name == "read"), "{calls:?}");
    }
}

#[test]
fn every_change_of_another_process_is_seen_by_the_next_probe() {
    let bench = Bench::new(Durability::Buffered);
    let mut calls = Vec::new();

    let id = settled(&bench);
    put(&bench, &id, 2, 10, Expect::Version(Version::FIRST));
    assert_eq!(probed(&bench, &id, &mut calls), Some(2), "put");
    assert_eq!(calls, LOOK_AND_READ);

    let id = settled(&bench);
    put(&bench, &id, 2, 30_000, Expect::Version(Version::FIRST));
    assert_eq!(probed(&bench, &id, &mut calls), Some(2), "put into a larger file");

    let id = settled(&bench);
    let later = bench.clock.now_plus(Duration::from_secs(7_200));
    let touched = bench.good.touch(&id, Version::FIRST, later, WaitMode::Blocking);
    assert_eq!(touched.map_err(TryError::into_error).expect("touch"), Outcome::Stored);
    assert_eq!(probe(&bench, &id).map(|probe| probe.expires_at), Some(later), "touch");

    let id = settled(&bench);
    assert_eq!(bench.good.remove(&id, None).expect("remove"), Removal::Removed);
    assert_eq!(probed(&bench, &id, &mut calls), None, "remove");

    put(&bench, &id, 9, 10, Expect::Absent);
    assert_eq!(probed(&bench, &id, &mut calls), Some(9), "made anew");
}

#[test]
fn a_session_ends_for_a_probe_without_a_change_of_its_file() {
    let bench = Bench::new(Durability::Buffered);
    let id = settled(&bench);
    let mut calls = Vec::new();
    for _ in 0..400 {
        bench.clock.advance(Duration::from_secs(9));
        let left = bench.look(&id).is_some();
        assert_eq!(probed(&bench, &id, &mut calls).is_some(), left);
        assert_eq!(calls, LOOK);
        if !left {
            return;
        }
    }
    panic!("the session never ended");
}

/// The kernel may have forgotten the name by then, and a look at it would wait for the disk.
#[test]
fn a_session_nobody_asked_for_in_ten_seconds_is_opened_in_a_way_that_does_not_wait() {
    let bench = Bench::new(Durability::Buffered);
    let id = settled(&bench);
    bench.clock.advance(Duration::from_secs(10));
    bench.shim.begin(Fate::Cold);
    let cold = bench.bad.probe(&id, WaitMode::Inline);
    assert!(matches!(cold, Err(TryError::WouldBlock)));
    bench.shim.end();
    let mut calls = Vec::new();
    assert_eq!(probed(&bench, &id, &mut calls), Some(1));
    assert_eq!(calls, READ_LOCKED);
}
