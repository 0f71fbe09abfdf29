//! A file system that refuses: no space, no quota, no handles, no rights, a broken disk.

use session_core::{Clock, ErrorKind, Expect, Outcome, Record, SessionId, Timestamp, Version};

use super::{
    ALICE, Bench, bytes,
    records::{new_id, tagged},
    shim::Fate,
};
use crate::{
    Durability, FsConfig, SweepProgress,
    error::TryError,
    store::{Pass, Store},
    syscalls::{Errno, FileSystem, WaitMode},
};

const KINDS: [(Errno, ErrorKind); 7] = [
    (Errno::NOSPC, ErrorKind::Full),
    (Errno::DQUOT, ErrorKind::Full),
    (Errno::IO, ErrorKind::Unavailable),
    (Errno::MFILE, ErrorKind::Unavailable),
    (Errno::NFILE, ErrorKind::Unavailable),
    (Errno::ACCESS, ErrorKind::Unavailable),
    (Errno::ROFS, ErrorKind::Unavailable),
];

fn made(id: SessionId, version: u64, len: usize) -> std::sync::Arc<Record> {
    tagged(id, version, Timestamp::MAX, Some(ALICE), &vec![1; len])
}

fn put<C: crate::syscalls::Syscalls>(
    store: &Store<C>,
    record: &Record,
    over: u64,
) -> Result<Outcome, ErrorKind> {
    let expect = match over {
        0 => Expect::Absent,
        over => Expect::Version(Version::new(over)),
    };
    store.put(record, expect, WaitMode::Blocking).map_err(|stop| stop.into_error().kind())
}

/// Fails each call of a put of `len` bytes over version `over` in turn, with each error.
fn every_failure(over: u64, len: usize) {
    let bench = Bench::new(Durability::Buffered);
    for (errno, kind) in KINDS {
        for number in 0.. {
            let id = new_id();
            let first = made(id, 1, 40);
            if over > 0 {
                assert_eq!(put(&bench.good, &first, 0), Ok(Outcome::Stored));
            }
            let new = made(id, over + 1, len);
            bench.shim.begin(Fate::Fails(number, errno));
            let answered = put(&bench.bad, &new, over);
            let calls = bench.shim.end();
            let before = (over > 0).then(|| bytes(&first));
            match answered {
                // What fails may be something the put does not depend on.
                Ok(Outcome::Stored) => assert_eq!(bench.look(&id), Some(bytes(&new))),
                Err(answered) => {
                    let failed = calls[number].name;
                    assert_eq!(answered, kind, "{errno} at {failed}");
                    assert_eq!(bench.look(&id), before, "{errno} at {failed}: nothing was stored");
                }
                other => panic!("{errno} at call {number}: {other:?}"),
            }
            assert_eq!(bench.good.damaged(), 0, "{errno} at call {number}");
            if calls.len() <= number {
                assert_eq!(answered, Ok(Outcome::Stored), "no call was left to fail");
                break;
            }
            // The next try, with the trouble gone, is as good as the first.
            if answered.is_err() {
                assert_eq!(put(&bench.bad, &new, over), Ok(Outcome::Stored));
                assert_eq!(bench.look(&id), Some(bytes(&new)));
            }
        }
    }
}

#[test]
fn a_file_system_without_inodes_is_told_from_one_without_space() {
    let bench = Bench::new(Durability::Buffered);
    let record = made(new_id(), 1, 40);
    for (left, word) in [(0, "inodes"), (1, "space")] {
        bench.shim.begin(Fate::Fails(0, Errno::NOSPC));
        bench.shim.files_left(left);
        let put = bench.bad.put(&record, Expect::Absent, WaitMode::Blocking);
        let error = put.map_err(TryError::into_error).expect_err("full");
        bench.shim.end();
        assert_eq!(error.kind(), ErrorKind::Full);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_network_file_system_is_refused_and_works_for_a_single_process() {
    let bench = Bench::new(Durability::Buffered);
    let config = FsConfig::new(bench.folder.path());
    let open = |kind, config: &FsConfig| {
        bench.shim.begin(Fate::Whole);
        bench.shim.on(kind);
        Store::open(config, bench.shim.clone()).map(|_| ()).map_err(|error| error.to_string())
    };
    let refused = open(FileSystem::Network, &config).expect_err("refused");
    assert!(refused.contains("network") && refused.contains("single_process"), "{refused}");
    assert_eq!(open(FileSystem::Network, &config.clone().single_process()), Ok(()));
    assert_eq!(open(FileSystem::Fuse, &config), Ok(()), "with a warning");
    assert_eq!(open(FileSystem::Unknown, &config), Ok(()));
}

#[test]
fn a_creation_that_fails_stores_nothing_and_may_be_tried_again() {
    every_failure(0, 40);
}

#[test]
fn a_put_that_fails_leaves_the_old_session_whole() {
    every_failure(1, 40);
}

#[test]
fn a_growth_that_fails_leaves_the_old_session_whole() {
    every_failure(1, 9_000);
}

#[test]
fn a_disk_that_fails_is_no_logout() {
    let bench = Bench::new(Durability::Buffered);
    let id = new_id();
    assert_eq!(put(&bench.good, &made(id, 1, 40), 0), Ok(Outcome::Stored));
    for (errno, _) in KINDS {
        for number in 0..2 {
            bench.shim.begin(Fate::Fails(number, errno));
            let got = bench.bad.get(&id, WaitMode::Blocking).map_err(TryError::into_error);
            let failed = bench.shim.end()[number].name;
            let kind = got.map(|_| ()).map_err(|error| error.kind());
            assert!(
                matches!(kind, Err(ErrorKind::Unavailable | ErrorKind::Full)),
                "{errno} at {failed}"
            );
        }
    }
    assert!(bench.look(&id).is_some());
}

#[test]
fn a_folder_that_refuses_is_refused_at_construction() {
    for errno in [Errno::ACCESS, Errno::ROFS, Errno::PERM] {
        let fresh = Bench::new(Durability::Buffered);
        let config = FsConfig::new(fresh.folder.path());
        let calls = {
            fresh.shim.begin(Fate::Whole);
            drop(Store::open(&config, fresh.shim.clone()).expect("a store"));
            fresh.shim.end()
        };
        for (number, made) in
            calls.iter().enumerate().filter(|(_, made)| !made.name.starts_with("stat"))
        {
            fresh.shim.begin(Fate::Fails(number, errno));
            let refused = Store::open(&config, fresh.shim.clone());
            fresh.shim.end();
            // Without dates that are kept the store works.
            if made.name == "set modified" && refused.is_ok() {
                continue;
            }
            let error = refused.map(|_| ()).expect_err(made.name);
            assert_eq!(error.kind(), ErrorKind::Config, "{errno} at {}", made.name);
            assert!(error.to_string().contains("fs: the f"), "{error}");
        }
    }
}

#[test]
fn a_file_system_without_locks_is_refused_and_works_for_a_single_process() {
    let bench = Bench::new(Durability::Buffered);
    let config = FsConfig::new(bench.folder.path());
    bench.shim.begin(Fate::Whole);
    drop(Store::open(&config, bench.shim.clone()).expect("a store"));
    let lock = bench.shim.end().iter().position(|made| made.name == "lock").expect("a lock");
    bench.shim.begin(Fate::Fails(lock, Errno::OPNOTSUPP));
    let error = Store::open(&config, bench.shim.clone()).map(|_| ()).expect_err("refused");
    bench.shim.end();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("single_process"), "{error}");

    bench.shim.begin(Fate::Whole);
    let alone = Store::open(&config.single_process(), bench.shim.clone()).expect("a store");
    let record = made(new_id(), 1, 40);
    assert_eq!(put(&alone, &record, 0), Ok(Outcome::Stored));
    assert_eq!(put(&alone, &made(*record.id(), 2, 9_000), 1), Ok(Outcome::Stored));
    assert!(bench.shim.end().iter().all(|made| made.name != "lock"));
}

#[test]
fn a_lock_that_is_held_for_too_long_is_contention_and_blocks_nobody_afterwards() {
    use std::os::fd::AsFd;

    let bench = Bench::new(Durability::Buffered);
    let id = new_id();
    assert_eq!(put(&bench.good, &made(id, 1, 40), 0), Ok(Outcome::Stored));
    let held = std::fs::File::open(file_of(&bench, &id)).expect("there");
    rustix::fs::flock(held.as_fd(), rustix::fs::FlockOperation::LockExclusive).expect("locked");
    // The good store of a bench does not wait.
    assert_eq!(put(&bench.good, &made(id, 2, 40), 1), Err(ErrorKind::Contended));
    assert!(bench.look(&id).is_some(), "readers do not wait for locks");
    drop(held);
    assert_eq!(put(&bench.good, &made(id, 2, 40), 1), Ok(Outcome::Stored));
}

fn file_of(bench: &Bench, id: &SessionId) -> std::path::PathBuf {
    let mut buffer = [0; SessionId::TEXT_BYTES];
    let name = id.encode(&mut buffer);
    bench.folder.path().join("records").join(&name[..3]).join(name)
}

/// The file of a fresh session, with nothing of it left but its beginning.
fn damaged(bench: &Bench) -> SessionId {
    let id = new_id();
    assert_eq!(put(&bench.good, &made(id, 1, 40), 0), Ok(Outcome::Stored));
    std::fs::write(file_of(bench, &id), b"SSNF").expect("write");
    id
}

/// Readers are told what the file is, and writers why nothing can be done about it.
#[test]
fn a_damaged_file_that_cannot_be_moved_aside_is_corrupt_for_readers_and_an_outage_for_writers() {
    type Verb = fn(&Bench, &SessionId) -> Option<ErrorKind>;
    let verbs: [(Verb, ErrorKind); 3] = [
        (
            |bench, id| {
                let got = bench.bad.get(id, WaitMode::Blocking).map_err(TryError::into_error);
                got.map_err(|error| error.kind()).err()
            },
            ErrorKind::Corrupt,
        ),
        (|bench, id| put(&bench.bad, &made(*id, 1, 40), 0).err(), ErrorKind::Unavailable),
        (
            |bench, id| bench.bad.remove(id, None).map_err(|error| error.kind()).err(),
            ErrorKind::Unavailable,
        ),
    ];
    let bench = Bench::new(Durability::Buffered);
    for (verb, kind) in verbs {
        let id = damaged(&bench);
        bench.shim.begin(Fate::Whole);
        let _ = verb(&bench, &id);
        let made = bench.shim.end();
        let rename = made.iter().position(|made| made.name == "rename").expect("moved aside");
        for _ in 0..2 {
            let id = damaged(&bench);
            bench.shim.begin(Fate::Fails(rename, Errno::ROFS));
            assert_eq!(verb(&bench, &id), Some(kind));
            bench.shim.end();
        }
    }
}

#[test]
fn a_folder_that_cannot_be_read_keeps_a_sweep_from_nothing_else() {
    let bench = Bench::new(Durability::Buffered);
    // In three folders, and none of them the first.
    let ids = [1, 2, 3].map(|first| {
        let mut bytes = *new_id().as_bytes();
        bytes[0] = first;
        SessionId::from_bytes(bytes).expect("still a version 4 UUID")
    });
    let soon = bench.clock.now().saturating_add(std::time::Duration::from_secs(600));
    for id in ids {
        let record = tagged(id, 1, soon, Some(ALICE), b"value");
        assert_eq!(put(&bench.good, &record, 0), Ok(Outcome::Stored));
    }
    let sweep = |store: &Store<_>| {
        let (mut pass, mut progress) = (Pass::new(), SweepProgress::default());
        while store.sweep_step(&mut pass, &mut progress, &|| false).expect("sweep") {}
        progress
    };
    // The first sweep leaves a note of itself, which the calls of the others lack.
    sweep(&bench.bad);
    bench.shim.begin(Fate::Whole);
    let swept = sweep(&bench.bad);
    assert_eq!((swept.scanned, swept.unreadable_folders), (3, 0));
    let made = bench.shim.end();
    let first = |name| made.iter().position(|made| made.name == name).expect("a call");
    // The first folder is empty, or rather was never made; the first that is read has a session.
    for (number, scanned) in [(first("open folder"), 3), (first("list"), 2)] {
        bench.shim.begin(Fate::Fails(number, Errno::IO));
        let swept = sweep(&bench.bad);
        bench.shim.end();
        assert_eq!((swept.scanned, swept.unreadable_folders), (scanned, 1));
    }
}

#[test]
fn a_put_that_is_on_the_disk_is_no_error_because_its_mark_is_missing() {
    let bench = Bench::new(Durability::Synced);
    let mut seen = false;
    for number in 0.. {
        let new = made(new_id(), 1, 40);
        bench.shim.begin(Fate::Fails(number, Errno::IO));
        let answered = put(&bench.bad, &new, 0);
        let calls = bench.shim.end();
        let Some(failed) = calls.get(number) else { break };
        if failed.name == "write" && answered == Ok(Outcome::Stored) {
            assert_eq!(bench.look(new.id()), Some(bytes(&new)));
            seen = true;
        }
    }
    assert!(seen, "no write but that of the mark may fail");
}

#[test]
fn a_put_beyond_the_last_number_a_file_can_count_to_is_there_to_be_read() {
    let bench = Bench::new(Durability::Buffered);
    let id = new_id();
    let first = made(id, 1, 40);
    assert_eq!(put(&bench.good, &first, 0), Ok(Outcome::Stored));
    let mut buffer = [0; SessionId::TEXT_BYTES];
    let name = id.encode(&mut buffer);
    let path = bench.folder.path().join("records").join(&name[..3]).join(name);
    let mut file = std::fs::read(&path).expect("read");
    // A slot begins with its number, the length of its record and the sum of both and the record.
    let record = bytes(&first);
    let at = file.windows(record.len()).position(|it| it == record).expect("the record") - 16;
    file[at..at + 8].copy_from_slice(&(u64::MAX - 1).to_le_bytes());
    let mut sum = crc32fast::Hasher::new();
    sum.update(&file[at..at + 12]);
    sum.update(&record);
    file[at + 12..at + 16].copy_from_slice(&sum.finalize().to_le_bytes());
    std::fs::write(&path, &file).expect("write");
    assert_eq!(bench.look(&id), Some(record));
    for version in 2..5 {
        let next = made(id, version, 40);
        assert_eq!(put(&bench.good, &next, version - 1), Ok(Outcome::Stored));
        assert_eq!(bench.look(&id), Some(bytes(&next)));
    }
}
