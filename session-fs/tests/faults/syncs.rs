//! Which syncs a verb makes, and which it shares with others.

use std::{
    sync::{Mutex, mpsc},
    thread,
};

use session_core::{
    Clock, ErrorKind, Expect, Outcome, Removal, Result, SessionId, Timestamp, Version,
};

use super::{
    Bench,
    records::{new_id, record},
    shim::{Fate, Shim},
};
use crate::{
    Durability,
    error::TryError,
    names::Shard,
    store::Store,
    syscalls::{Errno, WaitMode},
};

fn put(store: &Store<Shim>, id: SessionId, version: u64) -> Result<Outcome> {
    let expect = match version {
        1 => Expect::Absent,
        version => Expect::Version(Version::new(version - 1)),
    };
    let record = record(id, version, Timestamp::MAX, b"value");
    store.put(&record, expect, WaitMode::Blocking).map_err(TryError::into_error)
}

/// The syncs among the calls since the beginning.
fn syncs(bench: &Bench) -> Vec<&'static str> {
    let made = bench.shim.made();
    made.iter().map(|made| made.name).filter(|name| name.starts_with("sync")).collect()
}

#[test]
fn a_settled_session_is_synced_once_a_put() {
    let bench = Bench::new(Durability::Synced);
    let id = new_id();
    for version in 1..4 {
        bench.shim.begin(Fate::Whole);
        assert_eq!(put(&bench.bad, id, version).expect("put"), Outcome::Stored);
        match version {
            // The name of the file, while it is blank, and what is in it.
            1 => assert_eq!(syncs(&bench), ["sync folder", "sync data"]),
            _ => assert_eq!(syncs(&bench), ["sync data"]),
        }
    }
}

/// Another process may have removed the file and not have come to its sync.
#[test]
fn a_removal_that_finds_nothing_is_answered_after_a_sync_of_the_folder() {
    let bench = Bench::new(Durability::Synced);
    let id = new_id();
    assert_eq!(put(&bench.bad, id, 1).expect("put"), Outcome::Stored);
    assert_eq!(bench.good.remove(&id, None).expect("remove"), Removal::Removed);
    bench.shim.begin(Fate::Whole);
    assert_eq!(bench.bad.remove(&id, None).expect("remove"), Removal::Gone);
    assert_eq!(syncs(&bench), ["sync folder"]);
}

/// What is expired is absent for everybody, also if a loss of power brings its file back.
#[test]
fn a_sweep_syncs_nothing() {
    let bench = Bench::new(Durability::Synced);
    let id = new_id();
    let soon = bench.clock.now().saturating_add(std::time::Duration::from_secs(600));
    let record = record(id, 1, soon, b"value");
    let put = bench.good.put(&record, Expect::Absent, WaitMode::Blocking);
    assert_eq!(put.map_err(TryError::into_error).expect("put"), Outcome::Stored);
    bench.clock.advance(std::time::Duration::from_secs(600));
    bench.shim.begin(Fate::Whole);
    bench.bad.sweep_only(Shard::of(&id), &[]).expect("sweep");
    assert!(bench.shim.made().iter().any(|made| made.name == "unlink"));
    assert!(syncs(&bench).is_empty());
}

const WRITERS: usize = 8;

/// Lets sessions of one folder be created at once while the first sync of the folder takes its
/// time, and tells what was answered and how often the folder was synced.
fn created_at_once(bench: &Bench, fate: Fate) -> (Vec<Result<Outcome>>, usize) {
    let mut first = *new_id().as_bytes();
    let mut id = || {
        first[15] = first[15].wrapping_add(1);
        SessionId::from_bytes(first).expect("still a version 4 UUID")
    };
    bench.shim.begin(fate);
    let (go, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    bench.shim.slow_folder_syncs(move || {
        // The second one finds the other end gone, and does not wait.
        let _ = held.lock().expect("no panic while locked").recv();
    });
    let answers = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let id = id();
                scope.spawn(move || put(&bench.bad, id, 1))
            })
            .collect();
        while bench.bad.callers_of_syncs() < WRITERS {
            thread::yield_now();
        }
        drop(go);
        writers.into_iter().map(|writer| writer.join().expect("an answer")).collect::<Vec<_>>()
    });
    let folders = syncs(bench).into_iter().filter(|name| *name == "sync folder").count();
    bench.shim.end();
    (answers, folders)
}

/// One sync for the first, and one that began after all others had written their names.
#[test]
fn creations_that_wait_for_one_folder_share_a_sync() {
    let bench = Bench::new(Durability::Synced);
    let (answers, folders) = created_at_once(&bench, Fate::Whole);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Outcome::Stored))));
    assert_eq!(folders, 2, "for {WRITERS} creations");
}

/// The system tells each failure once, so a second sync would answer as if there had been none.
#[test]
fn creations_that_wait_for_a_sync_that_fails_all_fail() {
    let bench = Bench::new(Durability::Synced);
    let (answers, folders) = created_at_once(&bench, Fate::FolderSyncsFail(Errno::IO));
    let kinds: Vec<_> =
        answers.into_iter().map(|answer| answer.map_err(|error| error.kind())).collect();
    assert_eq!(kinds, [Err(ErrorKind::Unavailable); WRITERS]);
    assert_eq!(folders, 2, "for {WRITERS} creations");
}
