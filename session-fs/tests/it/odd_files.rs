//! What may stand in the place of a session's file, and is not one.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::UnixListener,
    },
    path::Path,
    time::Duration,
};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use session_core::{
    ErrorKind, Expect, Outcome, PrincipalTag, SessionId, SessionManager, Timestamp, Version,
};

use crate::{
    records::{new_id, record, tagged},
    store::{Store, block_on, files},
};

/// Every verb refuses what is at `path`, and nothing removes it.
fn assert_left_alone(store: &Store, id: SessionId, what: &str) {
    let path = store.file(&id);
    let before = fs::symlink_metadata(&path).expect("there").file_type();
    assert_eq!(store.get(&id), Err(ErrorKind::Corrupt), "get of {what}");
    let next = record(id, 2, store.idle(), b"next");
    for expect in [Expect::Absent, Expect::Version(Version::FIRST)] {
        assert_eq!(store.put(&next, expect), Err(ErrorKind::Corrupt), "put over {what}");
    }
    assert_eq!(store.touch(&id, 1), Err(ErrorKind::Corrupt), "touch of {what}");
    let removed = block_on(store.manager.remove(&id, None)).map_err(|error| error.kind());
    assert_eq!(removed, Err(ErrorKind::Corrupt), "remove of {what}");
    store.clock.advance(Duration::from_secs(3_600));
    let swept = block_on(store.manager.sweep_now(|_| {})).expect("sweep");
    assert_eq!(swept.removed, 0, "sweep over {what}");
    assert_eq!(fs::symlink_metadata(&path).expect("there").file_type(), before, "{what}");
}

/// An id whose folder is there and whose file is made by `make`.
fn placed(store: &Store, make: impl FnOnce(&Path)) -> SessionId {
    let id = new_id();
    let path = store.file(&id);
    fs::create_dir_all(path.parent().expect("a folder")).expect("create");
    make(&path);
    id
}

#[test]
fn a_symbolic_link_is_not_followed() {
    let store = Store::new();
    let victim = store.folder.path().join("victim");
    fs::write(&victim, b"secret").expect("write");
    let other = record(new_id(), 1, Timestamp::MAX, b"another session");
    assert_eq!(store.put(&other, Expect::Absent), Ok(Outcome::Stored));
    let other_file = store.file(other.id());
    for target in [&victim, &other_file, Path::new("/dev/zero"), Path::new("/nowhere")] {
        let id = placed(&store, |path| symlink(target, path).expect("link"));
        assert_left_alone(&store, id, "a symbolic link");
    }
    assert_eq!(fs::read(&victim).expect("read"), b"secret");
}

#[test]
fn a_fifo_holds_nobody() {
    let store = Store::new();
    let id = placed(&store, |path| {
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a FIFO");
    });
    assert_left_alone(&store, id, "a FIFO");
}

#[test]
fn a_folder_or_a_socket_is_left_alone() {
    let store = Store::new();
    let id = placed(&store, |path| fs::create_dir(path).expect("a folder"));
    assert_left_alone(&store, id, "a folder");
    let folder = tempfile::tempdir().expect("a short path for the socket");
    let socket = folder.path().join("s");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    let id = placed(&store, |path| fs::rename(&socket, path).expect("moved"));
    assert_left_alone(&store, id, "a socket");
}

#[test]
fn a_file_of_something_else_is_left_alone() {
    let store = Store::new();
    for bytes in [&b"#!/bin/sh\n"[..], &[0xff; 5_000], b"SSNE plus more than that"] {
        let id = placed(&store, |path| fs::write(path, bytes).expect("write"));
        assert_left_alone(&store, id, "a foreign file");
        assert_eq!(fs::read(store.file(&id)).expect("read"), bytes);
    }
    assert_eq!(store.manager.damaged(), 0);
}

#[test]
fn a_linked_copy_is_not_changed_by_later_writes() {
    let store = Store::new();
    let first = store.created(b"as the backup saw it");
    let copy = store.folder.path().join("copy");
    fs::hard_link(store.file(first.id()), &copy).expect("link");
    let before = fs::read(&copy).expect("read");
    let second = store.changed(&first, b"later");
    assert_eq!(fs::read(&copy).expect("read"), before);
    assert_eq!(store.get(first.id()), Ok(Some(second.to_bytes().to_vec())));

    let touched = store.created(b"touched");
    let copy = store.folder.path().join("another");
    fs::hard_link(store.file(touched.id()), &copy).expect("link");
    let before = fs::read(&copy).expect("read");
    store.clock.advance(Duration::from_secs(60));
    assert_eq!(store.touch(touched.id(), 1), Ok(Outcome::Stored));
    assert_eq!(fs::read(&copy).expect("read"), before);
    let expected = touched.with_expires_at(store.idle()).to_bytes().to_vec();
    assert_eq!(store.get(touched.id()), Ok(Some(expected)));
}

#[test]
fn files_and_folders_are_for_their_owner_alone_whatever_the_umask() {
    let parent = tempfile::tempdir().expect("a folder for the test");
    let before = rustix::process::umask(Mode::empty());
    let clock = std::sync::Arc::new(session_core::ManualClock::default());
    let folder = parent.path().join("sessions");
    let manager = crate::store::open(&folder, &clock);
    rustix::process::umask(before);
    let store = Store { manager, clock, folder: parent };
    let small = store.created(b"small");
    let grown = store.changed(&small, &[1; 10_000]);
    assert_eq!(grown.version(), Version::new(2));
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o7777;
    assert_eq!(mode(&folder), 0o700);
    for name in ["records", "principals", "aside"] {
        assert_eq!(mode(&folder.join(name)), 0o700, "{name}");
    }
    let files = files(&folder);
    assert!(files.len() >= 3);
    for file in files {
        assert_eq!(mode(&file), 0o600);
        assert!(mode(file.parent().expect("a folder")) == 0o700);
    }
}

#[test]
fn a_list_of_a_shard_that_is_a_link_is_an_error_and_not_empty() {
    let store = Store::new();
    let elsewhere = tempfile::tempdir().expect("a folder for the test");
    let tag = PrincipalTag::from_bytes([0xa1; 16]);
    let shard = store.folder.path().join("principals/a1a");
    symlink(elsewhere.path(), &shard).expect("link");
    let record = tagged(new_id(), 1, store.idle(), Some(tag), b"value");
    let stored = store.put(&record, Expect::Absent).is_ok();
    let listing = store.manager.listing().expect("a manager that lists");
    let listed = block_on(listing.by_principal(&tag, None, 10)).map(|page| page.ids);
    assert!(listed.is_err() || !stored, "{listed:?}");
}
