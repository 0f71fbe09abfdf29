//! A disk that refuses one call, and is well again: the system tells of it once, and takes what was
//! to be written for written from then on, until it drops it from memory.

use std::{sync::Arc, time::Duration};

use session_core::{Clock, ErrorKind, Expect, Outcome, Record, Removal, SessionId, Version};

use super::{
    ALICE,
    power::{Disk, Recorded, look},
    records::{new_id, tagged},
    shim::Fate,
};
use crate::{
    Durability,
    syscalls::{Errno, WaitMode},
};

/// What is done to a session that was put twice.
#[derive(Clone, Copy, Debug)]
enum Change {
    Create,
    Put(usize),
    Touch,
    Remove,
}

/// What a caller knows to be so: the version of the live record, or that there is none.
type Known = Option<u64>;

fn version(record: &Record) -> u64 {
    record.version().get()
}

struct Subject<'a> {
    recorded: &'a Recorded,
    id: SessionId,
    before: Arc<Record>,
}

impl<'a> Subject<'a> {
    fn new(recorded: &'a Recorded, change: Change) -> Self {
        let id = new_id();
        let mut subject = Self { before: made(recorded, id, 1, 40), recorded, id };
        if !matches!(change, Change::Create) {
            assert_eq!(subject.put(&subject.before, Expect::Absent), Ok(Outcome::Stored));
            let second = made(recorded, id, 2, 40);
            assert_eq!(subject.put(&second, Expect::Version(Version::FIRST)), Ok(Outcome::Stored));
            subject.before = second;
        }
        subject
    }

    fn put(&self, record: &Record, expect: Expect) -> Result<Outcome, ErrorKind> {
        let put = self.recorded.store.put(record, expect, WaitMode::Blocking);
        put.map_err(|error| error.into_error().kind())
    }

    fn get(&self) -> Result<Known, ErrorKind> {
        let got = self.recorded.store.get(&self.id, WaitMode::Blocking);
        got.map(|found| found.as_ref().map(version)).map_err(|error| error.into_error().kind())
    }

    /// Makes the change; tells what the caller knows afterwards, if it was answered.
    fn change(&self, change: Change) -> Option<Known> {
        let Self { recorded, id, before } = self;
        match change {
            Change::Create => match self.put(before, Expect::Absent) {
                Ok(Outcome::Stored) => Some(Some(version(before))),
                Ok(_) => self.get().ok(),
                Err(_) => None,
            },
            Change::Put(len) => {
                let next = made(recorded, *id, 3, len);
                match self.put(&next, Expect::Version(before.version())) {
                    Ok(Outcome::Stored) => Some(Some(version(&next))),
                    // Another writer, or this one's put of before: who is asked tells.
                    Ok(_) => self.get().ok(),
                    Err(_) => None,
                }
            }
            Change::Touch => {
                let (version, end) = (before.version(), before.expires_at());
                let touched = recorded.store.touch(id, version, end, WaitMode::Blocking);
                matches!(touched, Ok(Outcome::Stored)).then(|| Some(version.get()))
            }
            Change::Remove => match recorded.store.remove(id, None) {
                Ok(Removal::Removed | Removal::Gone) => Some(None),
                _ => None,
            },
        }
    }

    /// What is found once the system has dropped all that is not on the disk.
    fn dropped(&self, disk: &Disk) -> Result<Known, ErrorKind> {
        let found = look(self.recorded, &disk.lose_power(|| false), &self.id)?;
        let record = found.map(|bytes| Record::from_bytes(&self.id, bytes.into()).expect("whole"));
        Ok(record.as_ref().map(version))
    }
}

fn made(recorded: &Recorded, id: SessionId, version: u64, len: usize) -> Arc<Record> {
    let end = recorded.clock.now().saturating_add(Duration::from_secs(600));
    tagged(id, version, end, Some(ALICE), &vec![u8::try_from(version).unwrap_or(0); len])
}

/// A folder, and the disk that it is on.
fn start() -> (Recorded, Disk) {
    let recorded = Recorded::new(Durability::Synced);
    let mut disk = recorded.disk();
    disk.make_all(&recorded.shim.end());
    (recorded, disk)
}

/// Lets every call of `change` be refused in turn, and tells how many were.
fn every_refusal(change: Change, next: impl Fn(&Subject<'_>) -> Option<Known>) -> usize {
    let (recorded, mut disk) = start();
    for number in 0.. {
        recorded.shim.begin(Fate::Whole);
        let subject = Subject::new(&recorded, change);
        disk.make_all(&recorded.shim.end());
        recorded.shim.begin(Fate::Fails(number, Errno::IO));
        let first = subject.change(change);
        let calls = recorded.shim.end();
        let refused = calls.get(number).map(|made| made.name);
        disk.make_all(&calls);
        if let Some(known) = first {
            assert_eq!(subject.dropped(&disk), Ok(known), "{change:?}, {refused:?}");
        }
        recorded.shim.begin(Fate::Whole);
        let known = next(&subject);
        disk.make_all(&recorded.shim.end());
        if let Some(known) = known {
            assert_eq!(subject.dropped(&disk), Ok(known), "{change:?}, {refused:?}: then answered");
        }
        if refused.is_none() {
            return number;
        }
    }
    0
}

const CHANGES: [Change; 5] =
    [Change::Create, Change::Put(40), Change::Put(9_000), Change::Touch, Change::Remove];

#[test]
fn what_is_answered_on_a_second_try_after_a_refusal_is_on_the_disk() {
    for change in CHANGES {
        let refused = every_refusal(change, |subject| subject.change(change));
        assert!(refused > 4, "{change:?}: {refused} calls");
    }
}

#[test]
fn what_is_read_after_a_refusal_is_on_the_disk() {
    for change in CHANGES {
        // Of an absence it may be that nobody was told yet.
        every_refusal(change, |subject| subject.get().ok().filter(Option::is_some));
    }
}

/// A process that dies between writing and syncing leaves what was never answered; and then the
/// power is lost in the middle of the next put.
#[test]
fn a_put_over_one_that_was_never_synced_leaves_what_was_answered() {
    let (recorded, mut disk) = start();
    recorded.shim.begin(Fate::Whole);
    let id = Subject::new(&recorded, Change::Put(40)).id;
    disk.make_all(&recorded.shim.end());
    let put = |fate, version: u64| {
        recorded.shim.begin(fate);
        let over = Expect::Version(Version::new(version - 1));
        // Of several sectors, some of which may arrive without the others.
        let put = recorded.store.put(&made(&recorded, id, version, 900), over, WaitMode::Blocking);
        (matches!(put, Ok(Outcome::Stored)), recorded.shim.end())
    };
    let (stored, calls) = put(Fate::Whole, 3);
    assert!(stored);
    disk.make_all(&calls);
    let sync = calls.iter().position(|made| made.name == "sync data").expect("a sync");
    let (stored, calls) = put(Fate::Before(sync), 4);
    assert!(!stored);
    disk.make_all(&calls);
    let (stored, calls) = put(Fate::Whole, 5);
    assert!(stored);
    // At every moment all that is on its way arrives, or none, or every other sector.
    for made in &calls {
        for choice in 0..4_u32 {
            let mut sector = 0_u32;
            let left = disk.lose_power(|| {
                sector += 1;
                choice == 1 || choice > 1 && sector % 2 == choice % 2
            });
            let found = look(&recorded, &left, &id).expect("whole").expect("live");
            let record = Record::from_bytes(&id, found.into()).expect("whole");
            assert!(record.version() >= Version::new(3), "{}: {record:?}", made.name);
        }
        disk.make(&made.effect);
    }
}
