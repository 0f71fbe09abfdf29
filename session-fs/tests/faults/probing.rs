//! Which calls a probe makes, and that none it spares would have told more.

use std::time::Duration;

use session_core::{Expect, Outcome, Probe, Removal, SessionId, Timestamp, Version};

use super::{
    Bench,
    records::{new_id, record},
    shim::Fate,
};
use crate::{
    Durability, FsConfig,
    error::TryError,
    store::Store,
    syscalls::{Errno, FileSystem, WaitMode},
};

const READ: [&str; 3] = ["open to read", "read", "stat"];
const LOOK: [&str; 1] = ["stat name"];
const LOOK_AND_READ: [&str; 4] = ["stat name", "open to read", "read", "stat"];

/// A session whose state is known so well that a look at its name tells whether it is the same.
fn settled(bench: &Bench) -> SessionId {
    let id = new_id();
    put(bench, &id, 1, 10, Expect::Absent);
    assert_eq!(probed(bench, &id, &mut Vec::new()), Some(1));
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

/// The version that is found, and the calls that took.
fn probed(bench: &Bench, id: &SessionId, calls: &mut Vec<&'static str>) -> Option<u64> {
    bench.shim.begin(Fate::Whole);
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
fn from_the_second_time_on_an_unchanged_session_is_probed_by_a_look_at_its_name() {
    let bench = Bench::new(Durability::Buffered);
    let id = new_id();
    put(&bench, &id, 1, 10, Expect::Absent);
    for expected in [&READ[..], &LOOK, &LOOK, &LOOK] {
        let mut calls = Vec::new();
        assert_eq!(probed(&bench, &id, &mut calls), Some(1));
        assert_eq!(calls, expected);
    }
}

/// A writer is at it, or died.
#[test]
fn a_file_without_its_date_is_read() {
    let bench = Bench::new(Durability::Buffered);
    let id = settled(&bench);
    let until = bench.clock.now_plus(Duration::from_secs(3_600));
    let next = record(id, 2, until, &[7; 10]);
    bench.shim.begin(Fate::Whole);
    let over = Expect::Version(Version::FIRST);
    assert!(bench.bad.put(&next, over, WaitMode::Blocking).is_ok());
    let dating = bench.shim.end().len() - 1;
    let third = record(id, 3, until, &[7; 10]);
    bench.shim.begin(Fate::Before(dating));
    let _ = bench.bad.put(&third, Expect::Version(Version::new(2)), WaitMode::Blocking);
    bench.shim.end();
    let mut calls = Vec::new();
    for _ in 0..3 {
        assert_eq!(probed(&bench, &id, &mut calls), Some(3));
        assert!(calls.contains(&"read"), "{calls:?}");
    }
}

/// On a file system of seconds, or of another machine's dates, no date says what it holds.
#[test]
fn where_dates_are_not_kept_every_probe_reads() {
    let bench = Bench::new(Durability::Buffered);
    let id = new_id();
    put(&bench, &id, 1, 10, Expect::Absent);
    let config = FsConfig::new(bench.folder.path()).clock(bench.clock.clone());
    bench.shim.begin(Fate::Whole);
    drop(Store::open(&config, bench.shim.clone()).expect("a store"));
    let dating = bench.shim.end().iter().position(|made| made.name == "set modified");
    for kind in [FileSystem::Network, FileSystem::Unknown, FileSystem::Fuse, FileSystem::Local] {
        let fate = match kind {
            FileSystem::Local => Fate::Fails(dating.expect("tried"), Errno::PERM),
            _ => Fate::Whole,
        };
        bench.shim.begin(fate);
        bench.shim.on(kind);
        let store = Store::open(&config.clone().single_process(), bench.shim.clone());
        let store = store.expect("a store");
        bench.shim.begin(Fate::Whole);
        for _ in 0..3 {
            let found = store.probe(&id, WaitMode::Blocking).map_err(TryError::into_error);
            assert!(found.expect("an answer").is_some());
        }
        let reads = bench.shim.end().iter().filter(|made| made.name == "read").count();
        assert_eq!(reads, 3, "{kind:?}");
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
