//! A process that dies at any system call: before it, after it, and after every byte count of a
//! write.

use std::sync::{Arc, Mutex};

use session_core::{Expect, PrincipalTag, Record, Removal, Result, SessionId, Timestamp, Version};

use super::{
    ALICE, BOB, Bench, bytes,
    records::{new_id, tagged},
    shim::{Effect, Fate, Shim},
};
use crate::{
    Durability, FsConfig, error::TryError, names::Shard, native::NativeSyscalls, store::Store,
    syscalls::WaitMode,
};

/// One change of one session: what is there before, what does it, and what is there after.
struct Scenario {
    name: &'static str,
    /// Puts the session into its state before, from version 1 on.
    before: Vec<Step>,
    change: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Create(Option<PrincipalTag>, usize),
    Put(Option<PrincipalTag>, usize),
    Touch,
    Remove,
    /// The session expires.
    Expire,
    /// A sweep of the shards that concern the session.
    Sweep,
    /// A larger file that a process died over lies about.
    Unfinished,
}

const SMALL: usize = 40;
const LARGE: usize = 2_000;

fn scenarios() -> Vec<Scenario> {
    use Step::{Create, Expire, Put, Remove, Sweep, Touch, Unfinished};
    let some = |name, before: &[Step], change| Scenario { name, before: before.to_vec(), change };
    vec![
        some("create", &[], Create(None, SMALL)),
        some("create for a principal", &[], Create(Some(ALICE), SMALL)),
        some("create a large one", &[], Create(None, LARGE)),
        some("first put", &[Create(None, SMALL)], Put(None, SMALL)),
        some("second put", &[Create(None, SMALL), Put(None, SMALL)], Put(None, SMALL)),
        some("put after a touch", &[Create(None, SMALL), Touch], Put(None, SMALL)),
        some("log in", &[Create(None, SMALL)], Put(Some(ALICE), SMALL)),
        some("change of principal", &[Create(Some(ALICE), SMALL)], Put(Some(BOB), SMALL)),
        some("growth", &[Create(Some(ALICE), SMALL), Touch], Put(Some(ALICE), LARGE)),
        some("growth after a crash", &[Create(None, SMALL), Unfinished], Put(None, LARGE)),
        some("put into a large file", &[Create(None, LARGE)], Put(None, LARGE)),
        some("first touch", &[Create(None, SMALL)], Touch),
        some("second touch", &[Create(None, SMALL), Touch], Touch),
        some("touch after a put", &[Create(None, SMALL), Touch, Put(None, SMALL)], Touch),
        some("remove", &[Create(Some(ALICE), SMALL)], Remove),
        some("create again", &[Create(Some(ALICE), SMALL), Expire], Create(Some(BOB), SMALL)),
        some("sweep of an expired one", &[Create(Some(ALICE), SMALL), Expire], Sweep),
        some("sweep of a live one", &[Create(Some(ALICE), SMALL), Touch], Sweep),
        some("sweep of leftovers", &[Create(None, SMALL), Unfinished], Sweep),
    ]
}

/// One session on a bench, as the steps leave it.
struct Subject {
    id: SessionId,
    record: Option<Arc<Record>>,
    versions: u64,
    touches: u64,
}

impl Subject {
    fn new() -> Self {
        // All in one folder, so that making folders is not what the time goes to.
        let mut bytes = *new_id().as_bytes();
        bytes[..2].copy_from_slice(&[0xab, 0xcd]);
        let id = SessionId::from_bytes(bytes).expect("still a version 4 UUID");
        Self { id, record: None, versions: 0, touches: 0 }
    }

    /// The bytes a reader should find.
    fn expected(&self) -> Option<Vec<u8>> {
        self.record.as_deref().map(bytes)
    }

    fn step<C: crate::syscalls::Syscalls>(
        &mut self,
        bench: &Bench,
        store: &Store<C>,
        step: Step,
    ) -> Result<()> {
        let soon = session_core::Clock::now(&*bench.clock)
            .saturating_add(std::time::Duration::from_secs(600 + self.touches));
        match step {
            Step::Create(tag, len) | Step::Put(tag, len) => {
                let expect = match &self.record {
                    Some(old) => Expect::Version(old.version()),
                    None => Expect::Absent,
                };
                self.versions += 1;
                let body = vec![u8::try_from(self.versions).unwrap_or(0); len];
                let new = tagged(self.id, self.versions, soon, tag, &body);
                self.record = Some(Arc::clone(&new));
                let _ =
                    store.put(&new, expect, WaitMode::Blocking).map_err(TryError::into_error)?;
            }
            Step::Touch => {
                self.touches += 1;
                let old = self.record.take().expect("a record to touch");
                let later = Timestamp::from_millis(soon.as_millis() + 1_000);
                let version = old.version();
                self.record = Some(Arc::new(old.with_expires_at(later)));
                let _ = store
                    .touch(&self.id, version, later, WaitMode::Blocking)
                    .map_err(TryError::into_error)?;
            }
            Step::Remove => {
                self.record = None;
                assert_ne!(store.remove(&self.id, None)?, Removal::Gone);
            }
            Step::Expire => {
                self.record = None;
                // Within what the guard of the sweep takes for a plain pause.
                bench.clock.advance(std::time::Duration::from_secs(3_600));
            }
            Step::Sweep => {
                store.sweep_only(
                    Shard::of(&self.id),
                    &[ALICE, BOB].map(|tag| Shard::of_tag(&tag)),
                )?;
            }
            Step::Unfinished => {
                let mut buffer = [0; SessionId::TEXT_BYTES];
                let name = self.id.encode(&mut buffer);
                let shard = bench.folder.path().join("records").join(&name[..3]);
                std::fs::write(shard.join(format!("{name}.new")), b"SSNF half").expect("write");
            }
        }
        Ok(())
    }
}

/// Prepares a session, lets the change meet its fate, and tells what was there before, after, and
/// whether it was acknowledged.
struct Met {
    subject: Subject,
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
    acknowledged: bool,
    made: Vec<super::shim::Made>,
}

fn meet(bench: &Bench, scenario: &Scenario, fate: Fate, observed: bool) -> Met {
    let mut subject = Subject::new();
    for step in &scenario.before {
        subject.step(bench, &bench.good, *step).expect("prepared");
    }
    let before = subject.expected();
    assert_eq!(bench.look(&subject.id), before, "{}: prepared", scenario.name);
    bench.shim.begin(fate);
    let seen = Arc::new(Mutex::new(Vec::new()));
    if observed {
        observe(bench, &subject, Arc::clone(&seen));
    }
    let acknowledged = subject.step(bench, &bench.bad, scenario.change).is_ok();
    let made = bench.shim.end();
    let after = subject.expected();
    let mut newer = false;
    for state in std::mem::take(&mut *seen.lock().expect("no panic while locked")) {
        newer |= state == after && before != after;
        let expected = if newer { &after } else { &before };
        assert!(state == *expected, "{}: a reader saw a state of its own", scenario.name);
    }
    Met { subject, before, after, acknowledged, made }
}

/// A reader of another process looks before and after every call.
fn observe(bench: &Bench, subject: &Subject, seen: Arc<Mutex<Vec<Option<Vec<u8>>>>>) {
    let config = FsConfig::new(bench.folder.path())
        .clock(bench.clock.clone())
        .lock_timeout(std::time::Duration::ZERO);
    let reader = Store::open(&config, NativeSyscalls::NATIVE).expect("a store");
    let (id, existed) = (subject.id, subject.record.is_some());
    bench.shim.observe(move || {
        let found = reader.get(&id, WaitMode::Blocking).map_err(TryError::into_error);
        match found {
            Ok(found) => {
                let found = found.map(|record| bytes(&record));
                seen.lock().expect("no panic while locked").push(found);
            }
            // A session that is just being made has no version yet, and its reader waits for the
            // lock.
            Err(error) if !existed && error.kind() == session_core::ErrorKind::Contended => {}
            Err(error) => panic!("a reader was refused: {error}"),
        }
    });
}

fn check(bench: &Bench, scenario: &Scenario, fate: Fate, met: &Met) {
    let (name, id) = (scenario.name, &met.subject.id);
    let found = match bench.good.get(id, WaitMode::Blocking).map_err(TryError::into_error) {
        Ok(found) => found.map(|record| bytes(&record)),
        // A creation that was never acknowledged may leave half a file, which is set aside.
        Err(error) if error.kind() == session_core::ErrorKind::Corrupt && met.before.is_none() => {
            assert!(!met.acknowledged, "{name}, {fate:?}: an acknowledged session is damaged");
            None
        }
        Err(error) => panic!("{name}, {fate:?}: {error}"),
    };
    if met.acknowledged {
        assert!(found == met.after, "{name}, {fate:?}: an acknowledged change is lost");
    } else {
        assert!(found == met.before || found == met.after, "{name}, {fate:?}: neither old nor new");
    }
    assert_eq!(bench.look(id), found, "{name}, {fate:?}: a second look");
    match fate {
        // Of the byte counts of one write some are enough for what comes after.
        Fate::Short(_, count) if !count.is_multiple_of(8) => {}
        _ => goes_on(bench, name, fate, id, found),
    }
}

/// The session can be used on, and is found by its principal.
fn goes_on(bench: &Bench, name: &str, fate: Fate, id: &SessionId, found: Option<Vec<u8>>) {
    let soon =
        session_core::Clock::now(&*bench.clock).saturating_add(std::time::Duration::from_secs(900));
    let record = found.map(|bytes| Record::from_bytes(id, bytes.into()).expect("whole"));
    if let Some(tag) = record.as_ref().and_then(Record::principal_tag) {
        let page = bench.good.by_principal(&tag, None, usize::MAX).expect("a listing");
        assert!(page.ids.contains(id), "{name}, {fate:?}: not listed");
    }
    let version = record.as_ref().map_or(0, |record| record.version().get());
    let expect = record.map_or(Expect::Absent, |record| Expect::Version(record.version()));
    for (at, len) in [SMALL, LARGE].into_iter().enumerate() {
        let version = version + 1 + at as u64;
        let next = tagged(*id, version, soon, Some(BOB), &vec![9; len]);
        let expect = if at == 0 { expect } else { Expect::Version(Version::new(version - 1)) };
        let put = bench.good.put(&next, expect, WaitMode::Blocking).map_err(TryError::into_error);
        assert_eq!(put.expect("put"), session_core::Outcome::Stored, "{name}, {fate:?}: next put");
        assert_eq!(bench.look(id), Some(bytes(&next)), "{name}, {fate:?}");
    }
    assert_eq!(bench.good.remove(id, None).expect("remove"), Removal::Removed);
    assert_eq!(bench.look(id), None);
}

fn every_fate(bench: &Bench, scenario: &Scenario) {
    let whole = meet(bench, scenario, Fate::Whole, true);
    assert!(whole.acknowledged, "{}", scenario.name);
    check(bench, scenario, Fate::Whole, &whole);
    let trickle = meet(bench, scenario, Fate::Trickle, true);
    assert!(trickle.acknowledged, "{}", scenario.name);
    check(bench, scenario, Fate::Trickle, &trickle);
    for (number, made) in whole.made.iter().enumerate() {
        let mut fates = Vec::new();
        fates.extend([Fate::Before(number), Fate::After(number)]);
        if let Effect::Write { bytes, .. } = &made.effect {
            fates.extend(counts(bytes.len()).map(|count| Fate::Short(number, count)));
        }
        for fate in fates {
            let met = meet(bench, scenario, fate, false);
            check(bench, scenario, fate, &met);
        }
    }
}

/// After how many bytes a write of `len` bytes ends: all counts of a small one, those that matter
/// of a large one. The tests of the format go through all counts of large ones too.
fn counts(len: usize) -> impl Iterator<Item = usize> {
    let telling = move |count: &usize| {
        *count < 250 || count.is_multiple_of(251) || count.abs_diff(4_096) < 20 || len - count < 10
    };
    (1..len).filter(telling)
}

fn all_of(durability: Durability, which: impl Fn(&Scenario) -> bool) {
    let mut scenarios = scenarios();
    scenarios.retain(which);
    for scenario in scenarios {
        every_fate(&Bench::new(durability), &scenario);
    }
}

#[test]
fn a_process_that_dies_at_any_call_of_a_buffered_change_leaves_the_old_or_the_new_session() {
    all_of(Durability::Buffered, |scenario| !matches!(scenario.change, Step::Sweep));
}

#[test]
fn a_process_that_dies_at_any_call_of_a_synced_change_leaves_the_old_or_the_new_session() {
    all_of(Durability::Synced, |scenario| !matches!(scenario.change, Step::Sweep | Step::Touch));
}

#[test]
fn a_process_that_dies_at_any_call_of_a_sweep_leaves_every_live_session() {
    all_of(Durability::Buffered, |scenario| matches!(scenario.change, Step::Sweep));
}

/// The shim itself: a store that wrote in place over the only copy would not get past it.
#[test]
fn a_short_write_is_short_and_nothing_follows_it() {
    let bench = Bench::new(Durability::Buffered);
    let id = new_id();
    let soon =
        session_core::Clock::now(&*bench.clock).saturating_add(std::time::Duration::from_secs(600));
    let record = tagged(id, 1, soon, None, b"value");
    let put = |store: &Store<Shim>| store.put(&record, Expect::Absent, WaitMode::Blocking);
    bench.with_fate(Fate::Whole, put).map(|_| ()).expect("makes the folder of the file");
    bench.good.remove(&id, None).expect("remove");
    let at = {
        bench.shim.begin(Fate::Whole);
        let _ = put(&bench.bad).expect("put");
        let made = bench.shim.end();
        made.iter().position(|made| made.name == "write").expect("a write")
    };
    bench.good.remove(&id, None).expect("remove");
    assert!(bench.with_fate(Fate::Short(at, 7), put).is_err());
    let mut buffer = [0; SessionId::TEXT_BYTES];
    let name = id.encode(&mut buffer);
    let path = bench.folder.path().join("records").join(&name[..3]).join(name);
    assert_eq!(std::fs::read(path).expect("half a file"), b"SSNF\x01\x00\x00");
}
