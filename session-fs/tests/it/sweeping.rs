//! Clearing away.

use std::{
    fs,
    time::{Duration, Instant},
};

use session_core::{Clock, Expect, ListSessions, Outcome, PrincipalTag, Removal, SessionManager};
use session_fs::{FileBackedSessionManager, FsConfig};

use crate::{
    records::{new_id, record, tagged},
    store::{IDLE, Store, block_on, open},
};

#[test]
fn a_sweep_tells_what_it_did() {
    let store = Store::new();
    let expired: Vec<_> = (0..5).map(|_| store.created(&[1; 100])).collect();
    store.clock.advance(IDLE);
    let live = store.created(b"live");
    let mut steps = 0;
    let swept = block_on(store.manager.sweep_now(|_| steps += 1)).expect("sweep");
    assert!(steps >= 2, "bounded steps");
    assert_eq!((swept.scanned, swept.removed, swept.left), (6, 5, 1));
    assert_eq!(swept.bytes, expired.iter().map(|record| record.encoded_len() as u64).sum::<u64>());
    assert_eq!(store.get(live.id()), Ok(Some(live.to_bytes().to_vec())));
    assert_eq!(store.count("records"), 1);
}

#[test]
fn nothing_is_swept_while_the_clock_doubts_itself() {
    let store = Store::new();
    store.created(b"expired");
    store.clock.advance(IDLE);
    store.clock.set_settled(false);
    let swept = block_on(store.manager.sweep_now(|_| {})).expect("sweep");
    assert!(swept.held_back);
    assert_eq!((swept.removed, store.count("records")), (0, 1));
    store.clock.set_settled(true);
    assert_eq!(block_on(store.manager.sweep_now(|_| {})).expect("sweep").removed, 1);
}

#[test]
fn sweeping_needs_no_traffic() {
    let store = Store::new();
    store.created(b"expired");
    store.clock.advance(IDLE);
    let config = FsConfig::new(store.folder.path())
        .clock(store.clock.clone())
        .sweep_interval(Duration::from_millis(5));
    let sweeping = FileBackedSessionManager::with_config(&config).expect("a manager");
    let give_up = Instant::now() + Duration::from_secs(30);
    while store.count("records") > 0 {
        assert!(Instant::now() < give_up, "the file was not swept");
        std::thread::yield_now();
    }
    drop(sweeping);
}

#[test]
fn a_session_expires_for_the_sweep_when_its_last_touch_says() {
    let store = Store::new();
    let record = store.created(b"value");
    let sweep = || block_on(store.manager.sweep_now(|_| {})).expect("sweep").removed;
    assert_eq!(sweep(), 0, "leaves a hint");
    store.clock.advance(IDLE / 2);
    assert_eq!(store.touch(record.id(), 1), Ok(Outcome::Stored));
    store.clock.advance(IDLE / 2);
    assert_eq!(sweep(), 0, "the hint was of before the touch");
    store.clock.advance(IDLE / 2);
    assert_eq!(sweep(), 1);
}

#[test]
fn a_shortened_session_is_swept_at_its_new_deadline() {
    let store = Store::new();
    let first = store.created(b"value");
    let sweep = || block_on(store.manager.sweep_now(|_| {})).expect("sweep").removed;
    assert_eq!(sweep(), 0, "leaves a hint");
    let sooner = store.clock.now().saturating_add(IDLE / 10);
    let second = record(*first.id(), 2, sooner, b"shorter");
    assert_eq!(store.put(&second, Expect::Version(first.version())), Ok(Outcome::Stored));
    store.clock.advance(IDLE / 10);
    assert_eq!(sweep(), 1);
}

#[test]
fn foreign_files_outlive_every_sweep() {
    let store = Store::new();
    let id = new_id();
    let shard = store.file(&id).parent().expect("a folder").to_path_buf();
    fs::create_dir_all(&shard).expect("create");
    let names =
        [".gitignore", "backup~", "a\nb", "CON", "0123", "00000000-0000-0000-0000-000000000000"];
    let paths: Vec<_> = names.iter().map(|name| shard.join(name)).collect();
    for path in paths.iter().chain([&store.folder.path().join("records/README")]) {
        fs::write(path, b"").expect("write");
    }
    // Ours by name, in a folder where ours are not.
    let mut buffer = [0; session_core::SessionId::TEXT_BYTES];
    let misplaced = store.folder.path().join("records").join(id.encode(&mut buffer));
    fs::write(&misplaced, b"").expect("write");
    store.clock.advance(IDLE);
    let swept = block_on(store.manager.sweep_now(|_| {})).expect("sweep");
    assert_eq!((swept.scanned, swept.removed), (0, 0));
    assert!(paths.iter().chain([&misplaced]).all(|path| path.exists()));
}

#[test]
fn leftovers_of_a_process_that_died_are_cleared_away() {
    let store = Store::new();
    let live = store.created(b"live");
    let dead = new_id();
    for id in [live.id(), &dead] {
        let mut unfinished = store.file(id).into_os_string();
        fs::create_dir_all(store.file(id).parent().expect("a folder")).expect("create");
        unfinished.push(".new");
        fs::write(unfinished, b"SSNF half a file").expect("write");
    }
    fs::create_dir_all(store.file(&new_id()).parent().expect("a folder")).expect("create");
    block_on(store.manager.sweep_now(|_| {})).expect("sweep");
    assert_eq!(store.count("records"), 1);
    assert_eq!(store.get(live.id()), Ok(Some(live.to_bytes().to_vec())));
}

#[test]
fn entries_of_the_index_that_point_nowhere_vanish() {
    let store = Store::new();
    let (alice, bob) = (PrincipalTag::from_bytes([0xa1; 16]), PrincipalTag::from_bytes([0xb0; 16]));
    let kept = tagged(new_id(), 1, store.idle(), Some(alice), b"kept");
    let gone = tagged(new_id(), 1, store.idle(), Some(alice), b"gone");
    let moved = tagged(new_id(), 1, store.idle(), Some(alice), b"moved");
    for record in [&kept, &gone, &moved] {
        assert_eq!(store.put(record, Expect::Absent), Ok(Outcome::Stored));
    }
    // As a process that died between the record and the index would leave it.
    fs::remove_file(store.file(gone.id())).expect("removed");
    let entry = |tag: &str, record: &session_core::Record| {
        let mut buffer = [0; session_core::SessionId::TEXT_BYTES];
        let name = format!("{}.{}", tag.repeat(16), record.id().encode(&mut buffer));
        store.folder.path().join("principals").join(&name[..3]).join(name)
    };
    fs::create_dir_all(entry("b0", &moved).parent().expect("a folder")).expect("create");
    fs::write(entry("b0", &moved), b"").expect("write");
    block_on(store.manager.sweep_now(|_| {})).expect("sweep");
    assert!(entry("a1", &kept).exists() && entry("a1", &moved).exists());
    assert!(!entry("a1", &gone).exists() && !entry("b0", &moved).exists());
    let named = |tag| block_on(store.manager.by_principal(&tag, None, 10)).expect("list").ids.len();
    assert_eq!((named(alice), named(bob)), (2, 0));
    assert_eq!(store.count("records"), 2, "nothing was left to have something to lock");
}

#[test]
fn a_clock_that_jumped_removes_nothing_for_an_hour() {
    let store = Store::new();
    let record = store.created(b"value");
    let sweep = || block_on(store.manager.sweep_now(|_| {})).expect("sweep");
    assert!(!sweep().held_back);
    let right = store.clock.now();
    store.clock.advance(Duration::from_secs(366 * 86_400));
    assert_eq!(store.get(record.id()), Ok(None), "expired for every reader");
    assert!(sweep().held_back);
    assert_eq!(sweep().scanned, 0);
    let restarted = open(store.folder.path(), &store.clock);
    assert!(block_on(restarted.sweep_now(|_| {})).expect("sweep").held_back, "a restart too");

    store.clock.set(right);
    assert_eq!(store.get(record.id()), Ok(Some(record.to_bytes().to_vec())), "nothing was lost");
    assert!(!sweep().held_back);

    store.clock.advance(Duration::from_secs(366 * 86_400));
    assert!(sweep().held_back);
    store.clock.advance(Duration::from_secs(3_600));
    let believed = sweep();
    assert_eq!((believed.held_back, believed.removed), (false, 1), "the clock stays as it is");
}

/// Each of them sees the clock a day ahead of the sweep before it, and none lives for an hour.
#[test]
fn processes_that_come_once_a_day_and_sweep_are_not_held_back_for_ever() {
    let store = Store::new();
    let sweep = || {
        let restarted = open(store.folder.path(), &store.clock);
        block_on(restarted.sweep_now(|_| {})).expect("sweep")
    };
    assert!(!sweep().held_back);
    store.created(b"expired by the next one");
    let swept: Vec<_> = (0..4)
        .map(|_| {
            store.clock.advance(Duration::from_secs(25 * 3_600));
            sweep()
        })
        .collect();
    assert_eq!(swept.iter().map(|swept| swept.removed).collect::<Vec<_>>(), [0, 1, 0, 0]);
    assert_eq!(store.count("records"), 0);
}

#[test]
fn a_doubt_outlives_the_process_that_had_it() {
    let store = Store::new();
    let sweep = || {
        let restarted = open(store.folder.path(), &store.clock);
        block_on(restarted.sweep_now(|_| {})).expect("sweep").held_back
    };
    assert!(!sweep());
    store.clock.advance(Duration::from_secs(366 * 86_400));
    let held = [0, 1_800, 1_799, 1].map(|pause| {
        store.clock.advance(Duration::from_secs(pause));
        sweep()
    });
    assert_eq!(held, [true, true, true, false], "an hour after the first doubt");
    store.clock.advance(Duration::from_secs(86_400));
    assert!(!sweep(), "the clock is believed from then on");
}

#[test]
fn what_is_no_folder_among_the_folders_stops_neither_a_sweep_nor_a_scan() {
    let store = Store::new();
    let records: Vec<_> = (0..3).map(|_| store.created(b"value")).collect();
    let free = (0..4096_u16)
        .map(|number| store.folder.path().join("records").join(format!("{number:03x}")))
        .filter(|path| !path.exists());
    for (at, path) in free.take(2).enumerate() {
        match at {
            0 => fs::write(path, b"not ours").expect("write"),
            _ => std::os::unix::fs::symlink("/nowhere", path).expect("link"),
        }
    }
    let scanned = block_on(store.manager.scan(None, 10)).expect("a scan").ids;
    assert_eq!(scanned.len(), records.len());
    store.clock.advance(IDLE);
    let swept = block_on(store.manager.sweep_now(|_| {})).expect("sweep");
    assert_eq!((swept.removed, swept.unreadable_folders), (3, 2));
}

#[test]
fn removing_an_expired_session_leaves_no_file() {
    let store = Store::new();
    let record = store.created(b"value");
    store.clock.advance(IDLE);
    let removed = block_on(store.manager.remove(record.id(), None));
    assert_eq!(removed.map_err(|error| error.kind()), Ok(Removal::Gone));
    assert_eq!(store.count("records"), 0);
}

#[test]
fn two_managers_may_sweep_at_once() {
    let store = Store::new();
    for _ in 0..200 {
        store.created(b"expired");
    }
    store.clock.advance(IDLE);
    let other = open(store.folder.path(), &store.clock);
    let (a, b) = std::thread::scope(|scope| {
        let sweep = |manager: FileBackedSessionManager| {
            move || block_on(manager.sweep_now(|_| {})).expect("sweep")
        };
        let a = scope.spawn(sweep(store.manager.clone()));
        let b = scope.spawn(sweep(other));
        (a.join().expect("no panic"), b.join().expect("no panic"))
    });
    assert_eq!(a.unreadable + b.unreadable, 0);
    // Where the two met at a file, one of them left it to the other, which saw it through.
    assert_eq!(a.removed + b.removed, 200);
    assert_eq!(store.count("records"), 0);
}
