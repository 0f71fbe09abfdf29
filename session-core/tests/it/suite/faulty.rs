//! A manager that is right in all but one way.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    task::Poll,
};

use async_trait::async_trait;
use session_core::{
    Clock, Expect, ForgetSessions, ListSessions, ManualClock, Outcome, PrincipalTag, Probe,
    ProbeVersions, RecallSessions, Record, Removal, Result, SessionId, SessionManager,
    SweepSessions, Timestamp, Version, WatchChanges, WatchSessions,
};

use super::fault::Fault;

pub(super) type Records = BTreeMap<SessionId, Arc<Record>>;

/// What all managers of one store share.
#[derive(Default)]
pub(super) struct Store {
    pub(super) records: Mutex<Records>,
    /// What [`Fault`]s remember that a right manager forgets.
    pub(super) grudge: Mutex<Grudge>,
    pub(super) watchers: Mutex<HashMap<usize, Arc<dyn WatchChanges>>>,
}

#[derive(Default)]
pub(super) struct Grudge {
    pub(super) first_tags: BTreeMap<SessionId, Option<PrincipalTag>>,
    pub(super) put_deadlines: BTreeMap<SessionId, Timestamp>,
    pub(super) removed: Vec<Arc<Record>>,
    pub(super) immortal: BTreeSet<SessionId>,
    pub(super) swept: u64,
}

pub(super) struct FaultyManager {
    pub(super) fault: Fault,
    pub(super) clock: Arc<ManualClock>,
    pub(super) store: Arc<Store>,
    /// What this manager has seen, for those faults that trust it.
    pub(super) copies: Mutex<HashMap<SessionId, Arc<Record>>>,
    pub(super) probed: Mutex<HashMap<SessionId, Probe>>,
    pub(super) recalled: Mutex<HashMap<SessionId, Arc<Record>>>,
    is_first: bool,
}

impl FaultyManager {
    pub(super) fn new(fault: Fault, clock: Arc<ManualClock>) -> Self {
        Self {
            fault,
            clock,
            store: Arc::default(),
            copies: Mutex::default(),
            probed: Mutex::default(),
            recalled: Mutex::default(),
            is_first: true,
        }
    }

    pub(super) fn reopen(&self) -> Self {
        let store =
            if self.has(Fault::StoresApart) { Arc::default() } else { Arc::clone(&self.store) };
        if self.has(Fault::ARestartBringsBackRemoved) {
            for record in locked(&store.grudge).removed.drain(..) {
                locked(&store.records).insert(*record.id(), record);
            }
        }
        Self { store, is_first: false, ..Self::new(self.fault, Arc::clone(&self.clock)) }
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    pub(super) fn records(&self) -> MutexGuard<'_, Records> {
        locked(&self.store.records)
    }

    /// The record under `id`, if it is live for a verb that sees expired ones with `fault`.
    pub(super) fn live<'a>(
        &self,
        records: &'a Records,
        id: &SessionId,
        sees_expired: &[Fault],
    ) -> Option<&'a Arc<Record>> {
        let now = self.clock.now();
        records.get(id).filter(|record| {
            !record.is_expired(now)
                || sees_expired.contains(&self.fault)
                || (self.has(Fault::ExpiresAfterTheDeadline) && now == record.expires_at())
                || locked(&self.store.grudge).immortal.contains(id)
        })
    }

    fn answer(&self, records: &Records, record: &Record, expect: Expect) -> Outcome {
        let any_version = match self.fault {
            Fault::PutReplacesAnyVersion => true,
            Fault::TheSecondReplacesAnyVersion => !self.is_first,
            _ => false,
        };
        let id = record.id();
        let live = self.live(records, id, &[Fault::PutFindsExpired]);
        match (expect, live) {
            (Expect::Absent, None)
                if self.has(Fault::ExpiredStandsInTheWay) && records.contains_key(id) =>
            {
                Outcome::Conflict
            }
            (Expect::Absent, None) => Outcome::Stored,
            (Expect::Version(version), Some(live)) if live.version() == version => Outcome::Stored,
            (Expect::Version(_), Some(_)) if any_version => Outcome::Stored,
            (Expect::Absent, Some(_)) if self.has(Fault::CreateReplaces) => Outcome::Stored,
            (_, Some(_)) => Outcome::Conflict,
            (Expect::Version(_), None) if self.has(Fault::PutCreates) => Outcome::Stored,
            (Expect::Version(_), None) => Outcome::Gone,
        }
    }

    /// What is written for `record`, over what is there.
    fn written(&self, records: &Records, record: &Arc<Record>) -> Arc<Record> {
        let old = records.get(record.id());
        let mut bytes = record.to_bytes().to_vec();
        match self.fault {
            Fault::ChangesAByte => *bytes.last_mut().unwrap() ^= 1,
            Fault::LosesTheTag => bytes[48..64].fill(0),
            Fault::KeepsTextOnly => {
                let text = String::from_utf8_lossy(record.sealed()).into_owned();
                bytes.truncate(Record::HEADER_BYTES);
                bytes.extend_from_slice(text.as_bytes());
            }
            Fault::LeavesTheOldTail => {
                let tail = old.and_then(|old| old.sealed().get(record.sealed().len()..));
                bytes.extend_from_slice(tail.unwrap_or_default());
            }
            _ => return Arc::clone(record),
        }
        Arc::new(Record::from_bytes(record.id(), bytes.into()).unwrap())
    }

    fn insert(&self, records: &mut Records, record: Arc<Record>) {
        let id = *record.id();
        {
            let mut grudge = locked(&self.store.grudge);
            grudge.first_tags.entry(id).or_insert(record.principal_tag());
            grudge.put_deadlines.insert(id, record.expires_at());
        }
        if self.has(Fault::WritesTheBodyNextDoorToo)
            && let Some((other, there)) = records.iter_mut().find(|(other, _)| **other != id)
        {
            let bytes = [&there.header_bytes()[..], &record.sealed()[..]].concat();
            *there = Arc::new(Record::from_bytes(other, bytes.into()).unwrap());
        }
        records.insert(id, record);
        self.forget(&id);
    }

    fn forget(&self, id: &SessionId) {
        locked(&self.copies).remove(id);
        locked(&self.probed).remove(id);
    }

    /// As a cache answers, which forgets a little when it should forget all.
    async fn get_from_copies(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        if let Some(copy) = locked(&self.copies).get(id) {
            return Ok(Some(Arc::clone(copy)));
        }
        let found = self.live(&self.records(), id, &[]).cloned();
        if self.has(Fault::KeepsWhatItReadBeforeForget) {
            give_way().await;
        }
        if let Some(found) = &found {
            locked(&self.copies).insert(*id, Arc::clone(found));
        }
        Ok(found)
    }

    pub(super) fn told(&self, id: &SessionId) {
        let watchers: Vec<_> = locked(&self.store.watchers).values().cloned().collect();
        for watcher in watchers {
            watcher.changed(id);
        }
    }
}

#[async_trait]
impl SessionManager for FaultyManager {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        Ok(self.live(&self.records(), id, &[Fault::ExistsFindsExpired]).is_some())
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        if matches!(self.fault, Fault::ForgetsNothing | Fault::KeepsWhatItReadBeforeForget) {
            return self.get_from_copies(id).await;
        }
        let mut records = self.records();
        let now = self.clock.now();
        let mut found = self.live(&records, id, &[Fault::ReturnsExpired]).cloned();
        match self.fault {
            Fault::ReturnsARecordOfAnother => {
                found = found.or_else(|| records.values().next().cloned());
            }
            Fault::GetTouches => {
                found = found.map(|record| {
                    let later = now.saturating_add(std::time::Duration::from_secs(600));
                    let record = Arc::new(record.with_expires_at(later));
                    records.insert(*id, Arc::clone(&record));
                    record
                });
            }
            Fault::RecallsACopy => {
                if let Some(found) = &found {
                    locked(&self.recalled).entry(*id).or_insert_with(|| Arc::clone(found));
                }
            }
            Fault::ReadsACopy => {
                let mut copies = locked(&self.copies);
                found = found
                    .or_else(|| copies.get(id).filter(|record| !record.is_expired(now)).cloned());
                if let Some(found) = &found {
                    copies.insert(*id, Arc::clone(found));
                }
            }
            _ => {}
        }
        Ok(found)
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        if self.has(Fault::RefusesLargeOnes) && record.encoded_len() > 64 * 1024 {
            return Err(session_core::Error::new(
                session_core::ErrorKind::TooLarge,
                "faulty",
                "larger than 64 KiB",
            ));
        }
        let half = {
            let mut records = self.records();
            let outcome = self.answer(&records, record, expect);
            if outcome != Outcome::Stored {
                return Ok(outcome);
            }
            let is_late = record.is_expired(self.clock.now());
            if is_late && self.has(Fault::DropsWhatComesLate) {
                return Ok(Outcome::Stored);
            }
            let written = self.written(&records, record);
            match self.fault {
                Fault::ChecksFirstAndWritesLater => written,
                Fault::RemovesBeforeItWrites => {
                    records.remove(record.id());
                    written
                }
                Fault::WritesInTwoHalves => {
                    let half = halved(records.get(record.id()), record);
                    self.insert(&mut records, half);
                    written
                }
                _ => {
                    self.insert(&mut records, written);
                    drop(records);
                    self.told(record.id());
                    return Ok(Outcome::Stored);
                }
            }
        };
        give_way().await;
        self.insert(&mut self.records(), half);
        self.told(record.id());
        Ok(Outcome::Stored)
    }

    async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        {
            let mut records = self.records();
            let live = self.live(&records, id, &[Fault::TouchFindsExpired]).cloned();
            let Some(live) = live else {
                let says_touched = self.has(Fault::SaysTouchedOfNothing);
                return Ok(if says_touched { Outcome::Stored } else { Outcome::Gone });
            };
            if live.version() != version && !self.has(Fault::TouchesAnyVersion) {
                return Ok(Outcome::Conflict);
            }
            let touched = match self.fault {
                Fault::TouchDoesNothing => Arc::clone(&live),
                Fault::TouchOnlyExtends => {
                    Arc::new(live.with_expires_at(expires_at.max(live.expires_at())))
                }
                Fault::TouchCountsAsAPut => {
                    let mut bytes = live.with_expires_at(expires_at).to_bytes().to_vec();
                    bytes[32..40].copy_from_slice(&live.version().next().get().to_le_bytes());
                    Arc::new(Record::from_bytes(id, bytes.into())?)
                }
                _ => Arc::new(live.with_expires_at(expires_at)),
            };
            if self.has(Fault::TouchLeadsBeyondTheDeadline) && expires_at > live.deadline() {
                locked(&self.store.grudge).immortal.insert(*id);
            }
            records.insert(*id, touched);
            self.forget(id);
        }
        if !self.has(Fault::TellsNothingOfTouches) {
            self.told(id);
        }
        Ok(Outcome::Stored)
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        {
            let mut records = self.records();
            let live = self.live(&records, id, &[Fault::RemoveFindsExpired]).cloned();
            let Some(live) = live else {
                let says_removed = self.has(Fault::SaysRemovedOfNothing);
                return Ok(if says_removed { Removal::Removed } else { Removal::Gone });
            };
            let is_another = only.is_some_and(|version| live.version() != version);
            if is_another && !self.has(Fault::RemovesAnyVersion) {
                return Ok(Removal::Conflict);
            }
            if !self.has(Fault::RemovesNothing) {
                records.remove(id);
                locked(&self.store.grudge).removed.push(live);
            }
            self.forget(id);
        }
        self.told(id);
        Ok(Removal::Removed)
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        (self.is_first || !self.has(Fault::OnlyTheFirstCanSweep)).then_some(self)
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        Some(self)
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        Some(self)
    }

    fn watching(&self) -> Option<&dyn WatchSessions> {
        Some(self)
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        Some(self)
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        Some(self)
    }
}

impl fmt::Debug for FaultyManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("FaultyManager");
        for (id, record) in &*self.records() {
            if self.has(Fault::DebugShowsIds) {
                debug.field("id", &id.encode(&mut [0; SessionId::TEXT_BYTES]));
            }
            if self.has(Fault::DebugShowsBodies) {
                debug.field("body", &String::from_utf8_lossy(record.sealed()));
            }
        }
        debug.finish_non_exhaustive()
    }
}

/// `record` with the second half of its body as it was in `old`.
fn halved(old: Option<&Arc<Record>>, record: &Arc<Record>) -> Arc<Record> {
    let Some(old) = old else { return Arc::clone(record) };
    let mut bytes = record.to_bytes().to_vec();
    let at = Record::HEADER_BYTES + record.sealed().len() / 2;
    let rest = old.to_bytes();
    let rest = rest.get(at..).unwrap_or_default();
    let end = bytes.len().min(at + rest.len());
    bytes[at..end].copy_from_slice(&rest[..end - at]);
    Arc::new(Record::from_bytes(record.id(), bytes.into()).unwrap())
}

/// Lets others go first.
async fn give_way() {
    let mut has_yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}
