//! Folders that are refused, and folders that go away.

use std::{fs, os::unix::fs::PermissionsExt};

use session_core::{ErrorKind, Expect, SessionManager};
use session_fs::{Durability, FileBackedSessionManager, FsConfig};

use crate::{
    records::{new_id, record},
    store::{Store, block_on, files},
};

/// Why a manager on `path` is refused.
fn refusal(path: impl AsRef<std::path::Path>) -> (ErrorKind, String) {
    let config = FsConfig::new(path).without_background_sweep();
    let error = FileBackedSessionManager::with_config(&config).expect_err("refused");
    (error.kind(), error.to_string())
}

#[test]
fn a_folder_is_made_and_found_again() {
    let parent = tempfile::tempdir().expect("a folder for the test");
    let path = parent.path().join("sessions");
    drop(FileBackedSessionManager::new(&path).expect("made"));
    drop(FileBackedSessionManager::new(&path).expect("found"));
    assert!(path.join("records").is_dir());
}

#[test]
fn a_missing_parent_is_named() {
    let parent = tempfile::tempdir().expect("a folder for the test");
    let (kind, message) = refusal(parent.path().join("not/there"));
    assert_eq!(kind, ErrorKind::Config);
    assert!(message.contains("parent"), "{message}");
}

#[test]
fn a_file_in_the_place_of_the_folder_is_refused() {
    let parent = tempfile::tempdir().expect("a folder for the test");
    let path = parent.path().join("sessions");
    fs::write(&path, b"").expect("write");
    let (kind, message) = refusal(&path);
    assert_eq!(kind, ErrorKind::Config);
    assert!(message.contains("not a folder"), "{message}");
}

#[test]
fn a_folder_that_strangers_may_write_to_is_refused() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    for mode in [0o777, 0o1777, 0o702] {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).expect("chmod");
        let (kind, message) = refusal(folder.path());
        assert_eq!(kind, ErrorKind::Config, "{mode:o}");
        assert!(message.contains("chmod 700"), "{message}");
    }
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

/// As a platform that mounts volumes does, which gives the group of the volume all rights.
#[test]
fn a_folder_whose_group_was_given_rights_is_opened_again_and_left_as_it_is() {
    let store = Store::new();
    let record = store.created(b"value");
    let widen = |path: &std::path::Path, rights: u32| {
        let mode = mode(path) | rights;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
    };
    let folders = |folder: &std::path::Path| widen(folder, 0o2070);
    fs::set_permissions(store.folder.path(), fs::Permissions::from_mode(0o700)).expect("chmod");
    folders(store.folder.path());
    for name in ["records", "principals", "aside"] {
        folders(&store.folder.path().join(name));
    }
    folders(store.file(record.id()).parent().expect("a folder"));
    for file in files(store.folder.path()) {
        widen(&file, 0o060);
    }
    let again = crate::store::open(store.folder.path(), &store.clock);
    assert!(block_on(again.get(record.id())).expect("get").is_some());
    assert_eq!(mode(store.folder.path()), 0o2770);

    // What is made from now on is the group's too.
    let another = record_of(&store);
    let stored = block_on(again.put(&another, Expect::Absent)).expect("put");
    assert_eq!(stored, session_core::Outcome::Stored);
    let file = store.file(another.id());
    assert_eq!(mode(&file), 0o660);
    assert_eq!(mode(file.parent().expect("a folder")) & 0o070, 0o070);
}

fn record_of(store: &Store) -> std::sync::Arc<session_core::Record> {
    record(new_id(), 1, store.idle(), b"value")
}

#[test]
fn a_folder_of_a_later_layout_is_refused_and_kept() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    fs::write(folder.path().join("layout"), b"session-fs 2\n").expect("write");
    assert_eq!(refusal(folder.path()).0, ErrorKind::Unsupported);
    assert_eq!(fs::read(folder.path().join("layout")).expect("read"), b"session-fs 2\n");
}

/// A loss of power may leave the length of a file and nothing else.
#[test]
fn a_folder_whose_layout_never_reached_the_disk_is_laid_out_again() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let layout = folder.path().join("layout");
    for left in [&b""[..], b"session", &[0; 13]] {
        fs::write(&layout, left).expect("write");
        let config = FsConfig::new(folder.path()).without_background_sweep();
        drop(FileBackedSessionManager::with_config(&config).expect("a manager"));
        assert_eq!(fs::read(&layout).expect("read"), b"session-fs 1\n");
    }
}

#[test]
fn an_error_at_the_start_names_the_folder() {
    let parent = tempfile::tempdir().expect("a folder for the test");
    for path in [parent.path().join("not/there"), "/dev/null".into(), "/proc/none".into()] {
        let (_, message) = refusal(&path);
        assert!(message.contains(path.to_str().expect("text")), "{message}");
    }
}

/// Removes every empty folder below `folder`, as programs that tidy up do.
fn tidy(folder: &std::path::Path) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            tidy(&entry.path());
            let _ = fs::remove_dir(entry.path());
        }
    }
}

#[test]
fn folders_that_are_tidied_away_are_made_again() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    for durability in [Durability::Buffered, Durability::Synced] {
        let path = folder.path().join(format!("{durability:?}"));
        let config = FsConfig::new(&path).durability(durability).without_background_sweep();
        let manager = FileBackedSessionManager::with_config(&config).expect("a manager");
        let tag = session_core::PrincipalTag::from_bytes([0xa1; 16]);
        for version in 1..4 {
            tidy(&path);
            assert!(!path.join("aside").exists());
            let end = session_core::Timestamp::MAX;
            let [login, visit] = [Some(tag), None]
                .map(|tag| crate::records::tagged(new_id(), 1, end, tag, b"value"));
            for record in [&login, &visit] {
                assert!(block_on(manager.get(record.id())).expect("get").is_none());
                let stored = block_on(manager.put(record, Expect::Absent)).expect("put");
                assert_eq!(stored, session_core::Outcome::Stored, "{version}");
                assert!(block_on(manager.get(record.id())).expect("get").is_some());
            }
            let listing = manager.listing().expect("a manager that lists");
            assert_eq!(block_on(listing.by_principal(&tag, None, 10)).expect("list").ids.len(), 1);
            block_on(manager.sweep_now(|_| {})).expect("sweep");
            for record in [&login, &visit] {
                let _ = block_on(manager.remove(record.id(), None)).expect("remove");
            }
        }
    }
}

#[test]
fn a_damaged_file_is_moved_aside_though_that_folder_was_tidied_away() {
    let store = Store::new();
    let record = store.created(b"value");
    fs::write(store.file(record.id()), b"SSNF").expect("write");
    fs::remove_dir(store.folder.path().join("aside")).expect("empty");
    assert_eq!(store.get(record.id()), Err(ErrorKind::Corrupt));
    assert_eq!((store.get(record.id()), store.count("aside")), (Ok(None), 1));
}

/// As a program sees them that copies what changed, and compares whole seconds, as rsync does.
#[test]
fn no_two_versions_of_a_session_have_a_file_of_the_same_size_and_date() {
    use std::os::unix::fs::MetadataExt;

    let store = Store::new();
    let mut record = store.created(&[0; 40]);
    let mut seen = std::collections::HashSet::new();
    for change in 1..40_u8 {
        let file = fs::metadata(store.file(record.id())).expect("there");
        assert!(seen.insert((file.len(), file.mtime())), "{change}");
        // Ends when the one before it does.
        record = store.changed(&record, &[change; 40]);
    }
}

#[test]
fn a_removed_folder_is_an_outage_and_no_logout() {
    let store = Store::new();
    let record_there = store.created(b"value");
    fs::remove_dir_all(store.folder.path()).expect("removed");
    assert_eq!(store.get(record_there.id()), Err(ErrorKind::Unavailable));
    assert_eq!(store.get(&new_id()), Err(ErrorKind::Unavailable));
    assert_eq!(store.touch(record_there.id(), 1), Err(ErrorKind::Unavailable));
    let new = record(new_id(), 1, store.idle(), b"new");
    assert_eq!(store.put(&new, Expect::Absent), Err(ErrorKind::Unavailable));
    let removed = block_on(store.manager.remove(record_there.id(), None));
    assert_eq!(removed.map_err(|error| error.kind()), Err(ErrorKind::Unavailable));
    let listed = store.manager.listing().expect("listing");
    assert_eq!(
        block_on(listed.scan(None, 10)).map(|_| ()).map_err(|error| error.kind()),
        Err(ErrorKind::Unavailable)
    );
    let swept = block_on(store.manager.sweep_now(|_| {})).map_err(|error| error.kind());
    assert_eq!(swept, Err(ErrorKind::Unavailable));
}

#[test]
fn a_folder_that_is_swapped_while_in_use_changes_nothing() {
    let store = Store::new();
    let record = store.created(b"value");
    let moved = store.folder.path().with_extension("moved");
    fs::rename(store.folder.path(), &moved).expect("moved");
    let decoy = tempfile::tempdir().expect("a decoy");
    std::os::unix::fs::symlink(decoy.path(), store.folder.path()).expect("link");
    let next = store.changed(&record, b"next");
    assert_eq!(store.get(record.id()), Ok(Some(next.to_bytes().to_vec())));
    assert!(files(decoy.path()).is_empty());
    fs::remove_file(store.folder.path()).expect("unlinked");
    fs::rename(&moved, store.folder.path()).expect("moved back");
}

/// A backup of hard links keeps a file alive whose name is gone, or another file's.
#[cfg(target_os = "linux")]
#[test]
fn a_writer_that_waited_for_a_file_whose_name_is_gone_writes_nothing_into_a_backup() {
    use crate::store::{changed, dates};

    let store = Store::new();
    let old = store.created(b"value");
    let records = store.folder.path().join("records");
    let path = files(&records).pop().expect("the session's file");
    let backup = tempfile::tempdir_in(store.folder.path()).expect("a folder beside it");
    let backup = backup.path().join("copy");
    fs::hard_link(&path, &backup).expect("linked");
    let before = fs::read(&backup).expect("read");
    // What the writer would change is dated well after what is there.
    let later = changed(&path) + std::time::Duration::from_millis(20);
    while dates(&backup.with_extension("dates")) < later {}
    let other = fs::File::open(&path).expect("opened");
    other.lock().expect("locked, as another process would");
    let next = record(*old.id(), 2, store.idle(), b"next");
    let over = Expect::Version(old.version());
    let handles = || {
        let opened = fs::read_dir("/proc/self/fd").expect("a list").flatten();
        opened.filter(|entry| fs::read_link(entry.path()).is_ok_and(|to| to == path)).count()
    };
    let outcome = std::thread::scope(|scope| {
        let writer = scope.spawn(|| store.put(&next, over));
        // A first look at the lock is short; a writer that waits for it keeps the file open.
        let mut waits = 0;
        while waits < 200 {
            waits = if handles() > 1 { waits + 1 } else { 0 };
        }
        fs::remove_file(&path).expect("removed, as the other process would");
        drop(other);
        writer.join().expect("an answer")
    });
    assert_eq!(outcome, Ok(session_core::Outcome::Gone));
    assert_eq!(fs::read(&backup).expect("read"), before);
}
