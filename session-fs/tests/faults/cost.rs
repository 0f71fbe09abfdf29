//! Which system calls a verb makes, and which of them it can do without.

use session_core::{Expect, Outcome, Record, SessionId, Timestamp, Version};

use super::{
    ALICE, Bench,
    records::{new_id, record, tagged},
    shim::{Fate, Shim},
};
use crate::{
    Durability, error::TryError, names::Shard, native::NativeSyscalls, store::Store,
    syscalls::WaitMode,
};

fn names(bench: &Bench) -> Vec<&'static str> {
    bench.shim.end().iter().map(|made| made.name).collect()
}

/// What a put or a touch of a session that fits asks of the system.
const WRITE: [&str; 6] = ["open to write", "lock", "stat", "read", "write", "set modified"];
/// The same just after the file was changed. The name is looked at: it may be another file's by
/// now.
const WRITE_AGAIN: [&str; 7] =
    ["open to write", "lock", "stat", "stat name", "read", "write", "set modified"];

#[test]
fn a_session_is_read_and_changed_in_as_few_calls_as_that_takes() {
    let bench = Bench::new(Durability::Buffered);
    let id = new_id();
    let made = record(id, 1, Timestamp::MAX, b"value");
    let _ = bench.good.put(&made, Expect::Absent, WaitMode::Blocking).map_err(TryError::into_error);

    bench.shim.begin(Fate::Whole);
    let _ = bench.bad.get(&id, WaitMode::Blocking).map_err(TryError::into_error).expect("get");
    assert_eq!(names(&bench), ["open to read", "read"]);

    let next = record(id, 2, Timestamp::MAX, b"value");
    let over = Expect::Version(Version::FIRST);
    bench.shim.begin(Fate::Whole);
    let _ =
        bench.bad.put(&next, over, WaitMode::Blocking).map_err(TryError::into_error).expect("put");
    assert_eq!(names(&bench), WRITE_AGAIN);

    let next = record(id, 3, Timestamp::MAX, b"value");
    let over = Expect::Version(Version::new(2));
    bench.shim.begin(Fate::Whole);
    bench.shim.long_after();
    let _ =
        bench.bad.put(&next, over, WaitMode::Blocking).map_err(TryError::into_error).expect("put");
    assert_eq!(names(&bench), WRITE);

    bench.shim.begin(Fate::Whole);
    bench.shim.long_after();
    let later = Timestamp::from_millis(1 << 50);
    let touched = bench.bad.touch(&id, Version::new(3), later, WaitMode::Blocking);
    assert_eq!(touched.map_err(TryError::into_error).expect("touch"), Outcome::Stored);
    assert_eq!(names(&bench), WRITE);
}

/// A session in the page cache needs no hop, on every file system that can tell what is there.
#[cfg(target_os = "linux")]
#[test]
fn a_warm_session_is_read_and_changed_without_a_hop() {
    use rustix::io::{Errno, IoSliceMut, ReadWriteFlags, preadv2};

    let folder = tempfile::tempdir().expect("a folder for the test");
    let config = crate::FsConfig::new(folder.path());
    let store = Store::open(&config, NativeSyscalls::NATIVE).expect("a store");
    let id = new_id();
    let small = record(id, 1, Timestamp::MAX, b"value");
    let put = store.put(&small, Expect::Absent, WaitMode::Blocking).map_err(TryError::into_error);
    assert_eq!(put.expect("put"), Outcome::Stored);

    let layout = std::fs::File::open(folder.path().join("layout")).expect("there");
    let mut byte = [0];
    let can_tell = preadv2(&layout, &mut [IoSliceMut::new(&mut byte)], 0, ReadWriteFlags::NOWAIT);
    let inline = WaitMode::Inline;
    // A write that took long, on a busy machine, makes a store cautious for a while.
    let fresh = || Store::open(&config, NativeSyscalls::NATIVE).expect("a store");
    if can_tell == Err(Errno::OPNOTSUPP) {
        assert!(
            matches!(store.get(&id, inline), Err(TryError::WouldBlock)),
            "a hop instead of a wait"
        );
        return;
    }
    assert!(store.get(&id, inline).is_ok_and(|found| found.is_some()));
    let over = |version| Expect::Version(Version::new(version));
    let next = record(id, 2, Timestamp::MAX, b"next");
    assert!(fresh().put(&next, over(1), inline).is_ok());
    assert!(fresh().touch(&id, Version::new(2), Timestamp::MAX, inline).is_ok());

    let large = record(id, 3, Timestamp::MAX, &vec![1; 50_000]);
    assert!(
        matches!(store.put(&large, over(2), inline), Err(TryError::WouldBlock)),
        "growth waits"
    );
    assert!(store.put(&large, over(2), WaitMode::Blocking).is_ok());
    let found = store.get(&id, inline).expect("also a large one").expect("live");
    assert_eq!(found.to_bytes(), large.to_bytes());
    let again = record(id, 4, Timestamp::MAX, &vec![2; 50_000]);
    assert!(matches!(store.put(&again, over(3), inline), Err(TryError::WouldBlock)), "many pages");
    assert!(fresh().touch(&id, Version::new(3), Timestamp::MAX, inline).is_ok(), "a few bytes");

    let huge = record(id, 4, Timestamp::MAX, &vec![3; 200_000]);
    assert!(store.put(&huge, over(3), WaitMode::Blocking).is_ok());
    assert!(
        matches!(store.get(&id, inline), Err(TryError::WouldBlock)),
        "much to copy and to check"
    );
    assert!(store.get(&id, WaitMode::Blocking).is_ok_and(|found| found.is_some()));
}

#[test]
fn without_a_warm_cache_every_verb_says_so_instead_of_waiting() {
    let bench = Bench::new(Durability::Buffered);
    let id = new_id();
    let made = record(id, 1, Timestamp::MAX, b"value");
    let _ = bench.good.put(&made, Expect::Absent, WaitMode::Blocking).map_err(TryError::into_error);
    let would_block = |stop: TryError| matches!(stop, TryError::WouldBlock);
    bench.shim.begin(Fate::Cold);
    let inline = WaitMode::Inline;
    assert!(bench.bad.get(&id, inline).is_err_and(would_block));
    let next = record(id, 2, Timestamp::MAX, b"next");
    let over = Expect::Version(Version::FIRST);
    assert!(bench.bad.put(&next, over, inline).is_err_and(would_block));
    assert!(bench.bad.touch(&id, Version::FIRST, Timestamp::MAX, inline).is_err_and(would_block));
    // What waits does the same job.
    assert!(bench.bad.get(&id, WaitMode::Blocking).is_ok_and(|found| found.is_some()));
    bench.shim.end();
}

/// How many files a sweep of the shards that concern a session opens.
fn opened_by_a_sweep(bench: &Bench, id: &SessionId) -> usize {
    bench.shim.begin(Fate::Whole);
    bench.bad.sweep_only(Shard::of(id), &[Shard::of_tag(&ALICE)]).expect("sweep");
    names(bench).into_iter().filter(|name| name.starts_with("open to")).count()
}

#[test]
fn a_sweep_opens_no_file_of_a_session_that_goes_on_once_it_has_looked_into_all() {
    for durability in [Durability::Buffered, Durability::Synced] {
        let bench = Bench::new(durability);
        let id = new_id();
        let made = tagged(id, 1, Timestamp::MAX, Some(ALICE), b"value");
        let _ =
            bench.good.put(&made, Expect::Absent, WaitMode::Blocking).map_err(TryError::into_error);
        assert!(opened_by_a_sweep(&bench, &id) > 0, "the first looks into all");
        bench.bad.looked_into_all();
        assert_eq!(opened_by_a_sweep(&bench, &id), 0);
        let next = tagged(id, 2, Timestamp::MAX, Some(ALICE), b"value");
        let over = Expect::Version(Version::FIRST);
        let put = bench.good.put(&next, over, WaitMode::Blocking).map_err(TryError::into_error);
        assert_eq!(put.expect("put"), Outcome::Stored);
        assert_eq!(opened_by_a_sweep(&bench, &id), 0, "put");
        let touched = bench.good.touch(&id, Version::new(2), Timestamp::MAX, WaitMode::Blocking);
        assert_eq!(touched.map_err(TryError::into_error).expect("touch"), Outcome::Stored);
        assert_eq!(opened_by_a_sweep(&bench, &id), 0, "touched");
    }
}

/// The system dates what is written; a writer that dies leaves that date.
#[test]
fn a_file_without_its_date_is_given_it_by_the_next_sweep() {
    let bench = Bench::new(Durability::Buffered);
    bench.bad.looked_into_all();
    let id = new_id();
    let made = record(id, 1, Timestamp::MAX, b"value");
    let put = |store: &Store<Shim>, record: &Record, expect| {
        store.put(record, expect, WaitMode::Blocking).is_ok()
    };
    assert!(put(&bench.bad, &made, Expect::Absent));
    bench.clock.set(session_core::Clock::now(&session_core::SystemClock::new()));
    let next = record(id, 2, Timestamp::MAX, b"value");
    bench.shim.begin(Fate::Before(6));
    put(&bench.bad, &next, Expect::Version(Version::FIRST));
    bench.shim.end();
    bench.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(opened_by_a_sweep(&bench, &id), 1);
    assert_eq!(opened_by_a_sweep(&bench, &id), 0);
}

/// Pages that each read the folder again took a time that grew with the square of the sessions.
#[test]
fn a_listing_in_pages_reads_its_folder_once() {
    let bench = Bench::new(Durability::Buffered);
    for _ in 0..40 {
        let made = tagged(new_id(), 1, Timestamp::MAX, Some(ALICE), b"value");
        assert!(bench.good.put(&made, Expect::Absent, WaitMode::Blocking).is_ok());
    }
    bench.shim.begin(Fate::Whole);
    let (mut cursor, mut pages) = (None, 0);
    loop {
        let page = bench.bad.by_principal(&ALICE, cursor.as_ref(), 3).expect("a page");
        (cursor, pages) = (page.next, pages + 1);
        if cursor.is_none() {
            break;
        }
    }
    let lists = names(&bench).into_iter().filter(|name| *name == "list").count();
    assert_eq!((pages, lists), (14, 1));
}

/// Of a write that waits no call tells beforehand.
#[test]
fn while_a_write_is_stuck_the_others_hop() {
    let bench = Bench::new(Durability::Buffered);
    let ids: Vec<_> = (0..2).map(|_| new_id()).collect();
    for id in &ids {
        let made = record(*id, 1, Timestamp::MAX, b"value");
        assert!(bench.good.put(&made, Expect::Absent, WaitMode::Blocking).is_ok());
    }
    let touch = |id, wait| bench.bad.touch(id, Version::FIRST, Timestamp::MAX, wait);
    let (thaw, frozen) = std::sync::mpsc::channel::<()>();
    let (starts, has_started) = std::sync::mpsc::channel::<()>();
    let frozen = std::sync::Mutex::new((frozen, starts));
    bench.shim.begin(Fate::Warm);
    bench.shim.slow_writes(move || {
        let (frozen, starts) = &*frozen.lock().expect("no panic while locked");
        let _ = starts.send(());
        let _ = frozen.recv();
    });
    std::thread::scope(|scope| {
        let stuck = scope.spawn(|| touch(&ids[0], WaitMode::Inline).is_ok());
        has_started.recv().expect("it writes");
        bench.shim.slow_writes(|| {});
        // In the first millisecond the others write where they are; this waits until it is over.
        while touch(&ids[1], WaitMode::Inline).is_ok() {
            std::thread::yield_now();
        }
        assert!(matches!(touch(&ids[1], WaitMode::Inline), Err(TryError::WouldBlock)));
        let next = record(ids[1], 2, Timestamp::MAX, b"next");
        let over = Expect::Version(Version::FIRST);
        assert!(matches!(bench.bad.put(&next, over, WaitMode::Inline), Err(TryError::WouldBlock)));
        assert!(bench.bad.get(&ids[1], WaitMode::Inline).is_ok_and(|found| found.is_some()));
        assert!(touch(&ids[1], WaitMode::Blocking).is_ok());
        drop(thaw);
        assert!(stuck.join().expect("an answer"));
        assert!(
            matches!(touch(&ids[1], WaitMode::Inline), Err(TryError::WouldBlock)),
            "for a while"
        );
    });
}
