//! Damaged files: truncated, flipped, moved, from the future.

use std::fs;

use session_core::{ErrorKind, Expect, Outcome, Removal, SessionManager, Version};

use crate::{
    records::{new_id, record},
    store::{Store, block_on},
};

#[test]
fn an_empty_file_is_an_absent_session() {
    let store = Store::new();
    // A loss of power may leave the length of a file and nothing else, of a large one too.
    for len in [0, 1, 700, 4096, 4097, 20_000] {
        let leftover = vec![0; len];
        let old = store.created(b"value");
        fs::write(store.file(old.id()), &leftover).expect("write");
        assert_eq!(store.get(old.id()), Ok(None), "{} zeros", leftover.len());
        assert_eq!(store.touch(old.id(), 1), Ok(Outcome::Gone));
        let new = record(*old.id(), 1, store.idle(), b"new");
        assert_eq!(store.put(&new, Expect::Absent), Ok(Outcome::Stored));
        assert_eq!(store.get(old.id()), Ok(Some(new.to_bytes().to_vec())));
    }
    assert_eq!(store.count("aside"), 0);
}

#[test]
fn a_file_truncated_anywhere_is_refused_and_set_aside_once() {
    let store = Store::new();
    let record = store.created(&[7; 90]);
    let whole = fs::read(store.file(record.id())).expect("read");
    for len in 1..whole.len() {
        let aside = store.count("aside");
        fs::write(store.file(record.id()), &whole[..len]).expect("write");
        assert_eq!(store.get(record.id()), Err(ErrorKind::Corrupt), "{len} of {}", whole.len());
        assert_eq!(store.get(record.id()), Ok(None), "set aside");
        assert_eq!(store.manager.damaged(), len as u64);
        assert_eq!(store.count("aside"), (aside + 1).min(8), "kept, up to a bound");
    }
    fs::write(store.file(record.id()), &whole).expect("write");
    assert_eq!(store.get(record.id()), Ok(Some(record.to_bytes().to_vec())));
}

#[test]
fn a_file_with_two_versions_truncated_anywhere_has_one_of_them_or_is_refused() {
    let store = Store::new();
    let first = store.created(&[1; 60]);
    let second = store.changed(&first, &[2; 70]);
    let whole = fs::read(store.file(first.id())).expect("read");
    let (first, second) = (first, second.to_bytes().to_vec());
    let mut seen = [0; 2];
    for len in 1..whole.len() {
        fs::write(store.file(first.id()), &whole[..len]).expect("write");
        match store.get(first.id()) {
            Ok(Some(bytes)) if bytes == first.to_bytes() => seen[0] += 1,
            Err(ErrorKind::Corrupt) => seen[1] += 1,
            other => panic!("{len} of {}: {other:?}", whole.len()),
        }
    }
    assert!(seen[0] > 1_000 && seen[1] > 100, "{seen:?}");
    fs::write(store.file(first.id()), &whole).expect("write");
    assert_eq!(store.get(first.id()), Ok(Some(second)));
}

#[test]
fn no_flipped_bit_of_a_file_yields_another_record() {
    let store = Store::new();
    let record = store.created(&[7; 20]);
    let bytes = record.to_bytes().to_vec();
    let whole = fs::read(store.file(record.id())).expect("read");
    let mut refused = 0;
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(store.file(record.id()), &flipped).expect("write");
        match store.get(record.id()) {
            Ok(Some(found)) => {
                assert_eq!(found, bytes, "bit {bit}");
                assert!((16 * 8..128 * 8).contains(&bit), "bit {bit} is used");
            }
            Err(ErrorKind::Corrupt | ErrorKind::Unsupported) => refused += 1,
            other => panic!("bit {bit}: {other:?}"),
        }
    }
    assert_eq!(refused, (whole.len() - (128 - 16)) * 8, "every bit that says something");
}

#[test]
fn a_damaged_newest_version_leaves_the_one_before() {
    let store = Store::new();
    let first = store.created(&[1; 60]);
    store.changed(&first, &[2; 60]);
    let mut bytes = fs::read(store.file(first.id())).expect("read");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::write(store.file(first.id()), bytes).expect("write");
    assert_eq!(store.get(first.id()), Ok(Some(first.to_bytes().to_vec())));
    let second = store.changed(&first, &[3; 60]);
    assert_eq!(store.get(first.id()), Ok(Some(second.to_bytes().to_vec())));
}

#[test]
fn a_damaged_cell_leaves_the_deadline_of_the_put() {
    let store = Store::new();
    let record = store.created(b"value");
    let before = record.to_bytes().to_vec();
    store.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(store.touch(record.id(), 1), Ok(Outcome::Stored));
    assert_eq!(
        store.get(record.id()),
        Ok(Some(record.with_expires_at(store.idle()).to_bytes().to_vec()))
    );
    let mut bytes = fs::read(store.file(record.id())).expect("read");
    bytes[50] ^= 1;
    fs::write(store.file(record.id()), bytes).expect("write");
    assert_eq!(store.get(record.id()), Ok(Some(before)));
}

/// Does something to a session and tells why it was refused.
type Verb<'a> = &'a dyn Fn(session_core::SessionId) -> Option<ErrorKind>;

#[test]
fn every_verb_refuses_a_damaged_file_and_creating_starts_over() {
    let store = Store::new();
    let next = |id| record(id, 2, store.idle(), b"next");
    let verbs: [Verb<'_>; 3] =
        [&|id| store.get(&id).err(), &|id| store.touch(&id, 1).err(), &|id| {
            store.put(&next(id), Expect::Version(Version::FIRST)).err()
        }];
    for verb in verbs {
        let old = store.created(b"value");
        let mut bytes = fs::read(store.file(old.id())).expect("read");
        bytes[140] ^= 1;
        fs::write(store.file(old.id()), bytes).expect("write");
        assert_eq!(verb(*old.id()), Some(ErrorKind::Corrupt));
        assert_eq!(verb(*old.id()), None, "set aside");
    }
    let old = store.created(b"value");
    fs::write(store.file(old.id()), b"SSNF").expect("write");
    let new = record(*old.id(), 1, store.idle(), b"new");
    assert_eq!(store.put(&new, Expect::Absent), Ok(Outcome::Stored));
    assert_eq!(store.get(old.id()), Ok(Some(new.to_bytes().to_vec())));
    assert_eq!(store.count("aside"), 4);
}

#[test]
fn removing_a_damaged_session_takes_it_out_of_the_way_at_once() {
    let store = Store::new();
    for only in [None, Some(Version::FIRST)] {
        let old = store.created(b"value");
        fs::write(store.file(old.id()), b"SSNF").expect("write");
        let removed = block_on(store.manager.remove(old.id(), only));
        assert_eq!(removed.map_err(|error| error.kind()), Ok(Removal::Gone));
        assert_eq!(store.get(old.id()), Ok(None));
    }
    assert_eq!((store.manager.damaged(), store.count("aside")), (2, 2));
}

/// The first block of a large file never reached the disk, and others did.
#[test]
fn a_file_that_lost_its_first_block_is_damaged() {
    let store = Store::new();
    let old = store.created(&[7; 9_000]);
    let mut bytes = fs::read(store.file(old.id())).expect("read");
    bytes[..4096].fill(0);
    fs::write(store.file(old.id()), bytes).expect("write");
    assert_eq!(store.get(old.id()), Err(ErrorKind::Corrupt));
    assert_eq!((store.get(old.id()), store.count("aside")), (Ok(None), 1));
}

#[test]
fn a_record_under_the_name_of_another_session_is_refused() {
    let store = Store::new();
    let (a, b) = (store.created(b"a"), store.created(b"b"));
    fs::rename(store.file(a.id()), store.file(b.id())).expect("rename");
    assert_eq!(store.get(a.id()), Ok(None));
    assert_eq!(store.get(b.id()), Err(ErrorKind::Corrupt));
    assert_eq!(store.get(b.id()), Ok(None));
}

#[test]
fn a_file_of_a_later_format_is_refused_and_kept() {
    let store = Store::new();
    for format in [2_u16, 255, u16::MAX] {
        let old = store.created(b"value");
        let path = store.file(old.id());
        let mut bytes = fs::read(&path).expect("read");
        bytes[4..6].copy_from_slice(&format.to_le_bytes());
        fs::write(&path, &bytes).expect("write");
        refused_and_kept(&store, &old, &path);
    }
    // A record of a later format in a file of ours, as a rollback would find it.
    let old = store.created(b"value");
    let path = store.file(old.id());
    let mut bytes = fs::read(&path).expect("read");
    bytes[144 + 4] = 2;
    let mut sum = crc32fast::Hasher::new();
    sum.update(&bytes[128..140]);
    sum.update(&bytes[144..]);
    bytes[140..144].copy_from_slice(&sum.finalize().to_le_bytes());
    fs::write(&path, &bytes).expect("write");
    refused_and_kept(&store, &old, &path);
}

fn refused_and_kept(store: &Store, old: &session_core::Record, path: &std::path::Path) {
    let before = fs::read(path).expect("read");
    let id = old.id();
    let next = record(*id, 2, store.idle(), b"next");
    assert_eq!(store.get(id), Err(ErrorKind::Unsupported));
    assert_eq!(store.touch(id, 1), Err(ErrorKind::Unsupported));
    for expect in [Expect::Absent, Expect::Version(Version::FIRST)] {
        assert_eq!(store.put(&next, expect), Err(ErrorKind::Unsupported));
    }
    let removed = block_on(store.manager.remove(id, None)).map_err(|error| error.kind());
    assert_eq!(removed, Err(ErrorKind::Unsupported));
    store.clock.advance(std::time::Duration::from_secs(3_600));
    let swept = block_on(store.manager.sweep_now(|_| {})).expect("sweep");
    assert_eq!(swept.removed, 0);
    assert_eq!(fs::read(path).expect("kept"), before);
}

#[test]
fn an_impossible_length_is_refused_without_an_allocation_of_that_size() {
    let store = Store::new();
    let old = store.created(b"value");
    let mut bytes = fs::read(store.file(old.id())).expect("read");
    // The length of the record in slot 0, and then the capacity of the slots.
    for at in [136, 8] {
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let sum = crc32fast::hash(&bytes[..12]);
        bytes[12..16].copy_from_slice(&sum.to_le_bytes());
        fs::write(store.file(old.id()), &bytes).expect("write");
        assert_eq!(store.get(old.id()), Err(ErrorKind::Corrupt));
    }
}

/// A fresh id whose folder exists.
fn new_id_like(store: &Store) -> session_core::SessionId {
    let id = new_id();
    fs::create_dir_all(store.file(&id).parent().expect("a folder")).expect("create");
    id
}

#[test]
fn a_huge_sparse_file_is_not_ours() {
    let store = Store::new();
    let id = new_id_like(&store);
    let file = fs::File::create(store.file(&id)).expect("create");
    file.set_len(1 << 30).expect("a sparse file");
    assert_eq!(store.get(&id), Err(ErrorKind::Corrupt));
    let new = record(id, 1, store.idle(), b"new");
    assert_eq!(store.put(&new, Expect::Absent), Err(ErrorKind::Corrupt));
    assert_eq!(file.metadata().expect("metadata").len(), 1 << 30, "left alone");
}
