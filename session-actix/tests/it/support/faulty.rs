//! A real store that fails, hangs and counts when told to.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use session_core::{
    Clock, Error, ErrorKind, Expect, ForgetSessions, ListSessions, MemorySessionManager, Outcome,
    ProbeVersions, RecallSessions, Record, Removal, Result, SessionId, SessionManager,
    SweepSessions, Timestamp, Version, WatchSessions,
};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Mode {
    #[default]
    Works,
    Fails,
    /// The next call, and then it works.
    FailsOnce,
    FailsToWrite(ErrorKind),
    Hangs,
    HangsOnWrites,
    /// Lets others go first, and works.
    Yields,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Faulty {
    store: MemorySessionManager,
    mode: Arc<Mutex<Mode>>,
    calls: Arc<AtomicU64>,
    /// Whether it hands out what it has without a call.
    recalls: bool,
}

impl Faulty {
    pub(crate) fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { store: MemorySessionManager::with_clock(clock), ..Self::default() }
    }

    pub(crate) fn recalling() -> Self {
        Self { recalls: true, ..Self::default() }
    }

    pub(crate) fn set(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    /// How often anything was asked of the store.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// How many sessions are stored.
    pub(crate) fn len(&self) -> usize {
        self.store.len()
    }

    async fn reads(&self) -> Result<()> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match self.mode() {
            Mode::Fails => Err(failure(ErrorKind::Unavailable)),
            Mode::FailsOnce => {
                self.set(Mode::Works);
                Err(failure(ErrorKind::Unavailable))
            }
            Mode::Hangs => std::future::pending().await,
            Mode::Yields => {
                // More than once: a time limit polls again at once.
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn writes(&self) -> Result<()> {
        self.reads().await?;
        match self.mode() {
            Mode::FailsToWrite(kind) => Err(failure(kind)),
            Mode::HangsOnWrites => std::future::pending().await,
            _ => Ok(()),
        }
    }

    fn mode(&self) -> Mode {
        *self.mode.lock().unwrap()
    }
}

fn failure(kind: ErrorKind) -> Error {
    Error::new(kind, "faulty", "the detail nobody outside may see")
}

#[async_trait]
impl SessionManager for Faulty {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        self.reads().await?;
        self.store.exists(id).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        self.reads().await?;
        self.store.get(id).await
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        self.writes().await?;
        self.store.put(record, expect).await
    }

    async fn touch(&self, id: &SessionId, version: Version, at: Timestamp) -> Result<Outcome> {
        self.writes().await?;
        self.store.touch(id, version, at).await
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        self.writes().await?;
        self.store.remove(id, only).await
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        self.store.sweeping()
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        self.store.listing()
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        self.store.probing()
    }

    fn watching(&self) -> Option<&dyn WatchSessions> {
        self.store.watching()
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        self.recalls.then(|| self.store.recalling()).flatten()
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        self.store.forgetting()
    }
}
