//! A manager that is right in all but one way.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use async_trait::async_trait;
use session_core::{
    Clock, Expect, ForgetSessions, ListSessions, Outcome, PrincipalTag, Probe, ProbeVersions,
    RecallSessions, Record, Removal, Result, SessionId, SessionManager, SweepSessions, Timestamp,
    Version, WatchChanges, WatchSessions,
};

use super::fault::{Fault, Verb};

pub(super) type Records = BTreeMap<SessionId, Arc<Record>>;

/// What all managers of one store share.
#[derive(Default)]
pub(super) struct Store {
    pub(super) records: Mutex<Records>,
    /// What [`Fault`]s remember that a right manager forgets.
    pub(super) grudge: Mutex<Grudge>,
    pub(super) watchers: Mutex<HashMap<usize, Arc<dyn WatchChanges>>>,
    /// What stands in the place of records, from outside.
    pub(super) planted: Mutex<BTreeMap<SessionId, Vec<u8>>>,
    /// Whether a writer of another process holds the lock.
    pub(super) is_held: AtomicBool,
    pub(super) is_written: AtomicBool,
    /// Copies every write drops, of those that keep what they read too late.
    pub(super) copies: Mutex<HashMap<SessionId, Arc<Record>>>,
}

#[derive(Default)]
pub(super) struct Grudge {
    pub(super) first_tags: BTreeMap<SessionId, Option<PrincipalTag>>,
    pub(super) first_deadlines: BTreeMap<SessionId, Timestamp>,
    pub(super) touched: BTreeMap<SessionId, Timestamp>,
    pub(super) put_deadlines: BTreeMap<SessionId, Timestamp>,
    pub(super) removed: Vec<Arc<Record>>,
    pub(super) immortal: BTreeSet<SessionId>,
    pub(super) swept: u64,
}

/// The last moment a signed number of milliseconds can say.
const LAST_SIGNED: Timestamp = Timestamp::from_millis(i64::MAX.unsigned_abs());

pub(super) struct FaultyManager {
    pub(super) fault: Fault,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<Store>,
    /// What this manager has seen, for those faults that trust it.
    pub(super) copies: Mutex<HashMap<SessionId, Arc<Record>>>,
    pub(super) probed: Mutex<HashMap<SessionId, Probe>>,
    pub(super) recalled: Mutex<HashMap<SessionId, Arc<Record>>>,
    pub(super) is_first: bool,
    /// Whether a call of this manager is under way, for those that are right for one manager.
    is_busy: AtomicBool,
    /// The time a writer read too early.
    early: Mutex<Option<Timestamp>>,
}

impl FaultyManager {
    pub(super) fn new(fault: Fault, clock: Arc<dyn Clock>) -> Self {
        Self {
            fault,
            clock,
            store: Arc::default(),
            copies: Mutex::default(),
            probed: Mutex::default(),
            recalled: Mutex::default(),
            is_first: true,
            is_busy: AtomicBool::new(false),
            early: Mutex::default(),
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

    pub(super) fn reopen_with_clock(&self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self.reopen() }
    }

    pub(super) fn plant(&self, id: &SessionId, bytes: &[u8]) {
        self.records().remove(id);
        locked(&self.store.planted).insert(*id, bytes.to_vec());
    }

    /// Keeps all writers waiting.
    pub(super) fn hold(&self) -> Held {
        self.store.is_held.store(true, Ordering::SeqCst);
        Held(Arc::clone(&self.store))
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
        let now = locked(&self.early).take().unwrap_or_else(|| self.clock.now());
        records.get(id).filter(|record| {
            if self.has(Fault::DeadlinesAreSigned) && record.expires_at() > LAST_SIGNED {
                return false;
            }
            !record.is_expired(now)
                || sees_expired.contains(&self.fault)
                || (self.has(Fault::ExpiresAfterTheDeadline) && now == record.expires_at())
                || locked(&self.store.grudge).immortal.contains(id)
        })
    }

    /// Whether a call of `verb` lets others in between its look and what it does then.
    pub(super) fn looks_first(&self, verb: Verb) -> bool {
        [Fault::LooksFirst(verb), Fault::LooksFirstBesideOthers(verb)].contains(&self.fault)
    }

    /// Waits for the other calls of this manager, if it is right for one manager alone.
    pub(super) async fn turn(&self) -> Option<Turn<'_>> {
        if !matches!(self.fault, Fault::LooksFirstBesideOthers(_)) {
            return None;
        }
        while self.is_busy.swap(true, Ordering::SeqCst) {
            give_way().await;
        }
        Some(Turn(&self.is_busy))
    }

    /// Waits for the writer of another process, as every writer does.
    async fn lock(&self) {
        if self.has(Fault::ReadsTheClockBeforeTheLock) {
            *locked(&self.early) = Some(self.clock.now());
        }
        while self.store.is_held.load(Ordering::SeqCst) {
            give_way().await;
        }
    }

    /// An error if what is stored under `id` is no record.
    pub(super) fn readable(&self, id: &SessionId) -> Result<()> {
        match locked(&self.store.planted).get(id) {
            Some(bytes) => Record::from_bytes(id, bytes.clone().into()).map(drop),
            None => Ok(()),
        }
    }

    /// As a cache answers that keeps what it read, whatever was written meanwhile.
    async fn get_and_keep(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        let now = self.clock.now();
        if let Some(copy) = locked(&self.store.copies).get(id).filter(|it| !it.is_expired(now)) {
            return Ok(Some(Arc::clone(copy)));
        }
        let found = self.live(&self.records(), id, &[]).cloned();
        give_way().await;
        if let Some(found) = &found {
            locked(&self.store.copies).insert(*id, Arc::clone(found));
        }
        Ok(found)
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
        self.readable(id)?;
        Ok(self.live(&self.records(), id, &[Fault::ExistsFindsExpired]).is_some())
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        let _turn = self.turn().await;
        if self.has(Fault::ReturnsWhatIsOfAnother)
            && let Some(bytes) = locked(&self.store.planted).get(id)
            && let Some(Ok(of)) =
                bytes.get(16..).and_then(<[u8]>::first_chunk).map(|of| SessionId::from_bytes(*of))
        {
            return Ok(Some(Arc::new(Record::from_bytes(&of, bytes.clone().into())?)));
        }
        self.readable(id)?;
        if self.looks_first(Verb::Get) {
            return self.get_and_keep(id).await;
        }
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
        let _turn = self.turn().await;
        self.lock().await;
        self.write(record, expect).await
    }

    async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        let _turn = self.turn().await;
        self.lock().await;
        self.move_deadline(id, version, expires_at).await
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        let _turn = self.turn().await;
        self.lock().await;
        self.take_away(id, only).await
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

/// A call of a manager that makes one at a time.
pub(super) struct Turn<'a>(&'a AtomicBool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

/// The lock, held by a writer of another process.
pub(super) struct Held(Arc<Store>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.is_held.store(false, Ordering::SeqCst);
    }
}

/// Lets others go first.
pub(super) async fn give_way() {
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
