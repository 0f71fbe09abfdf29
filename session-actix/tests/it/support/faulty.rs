//! A real store that fails, hangs and counts when told to.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use session_core::{Clock, Error, ErrorKind, MemorySessionManager, Result, SessionManager};
use testkit::{Hooked, Hooks, Verb};

pub(crate) type Faulty = Hooked<Faults>;

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
pub(crate) struct Faults {
    store: MemorySessionManager,
    mode: Arc<Mutex<Mode>>,
    calls: Arc<AtomicU64>,
    /// Whether it hands out what it has without a call.
    recalls: bool,
}

impl Faults {
    pub(crate) fn with_clock(clock: Arc<dyn Clock>) -> Faulty {
        Hooked(Self { store: MemorySessionManager::with_clock(clock), ..Self::default() })
    }

    pub(crate) fn recalling() -> Faulty {
        Hooked(Self { recalls: true, ..Self::default() })
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

    fn mode(&self) -> Mode {
        *self.mode.lock().unwrap()
    }
}

fn failure(kind: ErrorKind) -> Error {
    Error::new(kind, "faulty", "the detail nobody outside may see")
}

#[async_trait]
impl Hooks for Faults {
    fn parent(&self) -> &dyn SessionManager {
        &self.store
    }

    async fn before(&self, verb: Verb) -> Result<()> {
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
            Mode::FailsToWrite(kind) if verb.writes() => Err(failure(kind)),
            Mode::HangsOnWrites if verb.writes() => std::future::pending().await,
            _ => Ok(()),
        }
    }

    fn recalls(&self) -> bool {
        self.recalls
    }
}
