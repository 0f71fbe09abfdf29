//! A server whose store counts what it is asked.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use session_core::{
    CookieAction, Error, ErrorKind, Event, Fingerprint, KeyRing, ManagedSession, ManualClock,
    MemorySessionManager, Observer, Outcome, Reason, Record, Result, SessionInterface,
    SessionInterfaceBuilder, SessionManager, SigningKey,
};
use testkit::{Hooked, Hooks, Verb};

use crate::memory::block_on;

pub(crate) const IDLE: Duration = Duration::from_secs(3_600);
pub(crate) const LIFETIME: Duration = Duration::from_secs(36_000);

/// A secret that is the same for the same `number`.
pub(crate) fn secret(number: u8) -> Vec<u8> {
    (0..32).map(|at| at ^ number).collect()
}

pub(crate) fn sha256(number: u8) -> SigningKey {
    SigningKey::hmac_sha256(secret(number)).unwrap()
}

pub(crate) fn sha1(number: u8) -> SigningKey {
    SigningKey::hmac_sha1(secret(number)).unwrap()
}

/// Counts every call, and answers as the in-memory manager does unless told otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    store: MemorySessionManager,
    calls: Arc<AtomicUsize>,
    /// What calls are answered with instead.
    instead: Arc<Mutex<Instead>>,
    /// Whether it hands out what it has without being asked for it by a call.
    recalls: bool,
}

/// What is wrong with the store.
#[derive(Clone, Debug, Default)]
pub(crate) enum Instead {
    #[default]
    Nothing,
    /// Every call fails so.
    Fails(ErrorKind),
    /// Every get returns this.
    Returns(Arc<Record>),
    /// Every put meets another record.
    Conflicts,
}

impl Counting {
    fn instead(&self) -> Instead {
        self.instead.lock().unwrap().clone()
    }
}

#[async_trait]
impl Hooks for Counting {
    fn parent(&self) -> &dyn SessionManager {
        &self.store
    }

    async fn before(&self, verb: Verb) -> Result<()> {
        if matches!(verb, Verb::List | Verb::Scan | Verb::Probe) {
            return Ok(());
        }
        self.calls.fetch_add(1, Ordering::SeqCst);
        match self.instead() {
            Instead::Fails(kind) => Err(Error::new(kind, "lab", "the store was told to fail")),
            _ => Ok(()),
        }
    }

    fn found(&self) -> Option<Arc<Record>> {
        if let Instead::Returns(record) = self.instead() { Some(record) } else { None }
    }

    fn outcome(&self) -> Option<Outcome> {
        matches!(self.instead(), Instead::Conflicts).then_some(Outcome::Conflict)
    }

    fn recalls(&self) -> bool {
        self.recalls
    }
}

/// Keeps the reasons why cookies and records were not accepted.
#[derive(Debug, Default)]
pub(crate) struct Reasons(Mutex<Vec<Reason>>);

impl Observer for Reasons {
    fn event(&self, event: Event, _session: Option<Fingerprint>) {
        if let Event::Rejected(reason) = event {
            self.0.lock().unwrap().push(reason);
        }
    }
}

pub(crate) struct Lab {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: MemorySessionManager,
    pub(crate) server: SessionInterface,
    manager: Hooked<Counting>,
    reasons: Arc<Reasons>,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(sha256(1), |builder| builder)
    }

    /// Its store has every record at hand.
    pub(crate) fn recalling() -> Self {
        Self::over(true, sha256(1), |builder| builder)
    }

    pub(crate) fn with(
        keys: impl Into<KeyRing>,
        settings: impl FnOnce(SessionInterfaceBuilder) -> SessionInterfaceBuilder,
    ) -> Self {
        Self::over(false, keys, settings)
    }

    fn over(
        recalls: bool,
        keys: impl Into<KeyRing>,
        settings: impl FnOnce(SessionInterfaceBuilder) -> SessionInterfaceBuilder,
    ) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = MemorySessionManager::with_clock(clock.clone());
        let manager = Hooked(Counting {
            store: store.clone(),
            calls: Arc::default(),
            instead: Arc::default(),
            recalls,
        });
        let reasons = Arc::new(Reasons::default());
        let builder = SessionInterface::builder(manager.clone(), keys)
            .idle_timeout(IDLE)
            .lifetime(LIFETIME)
            .clock(clock.clone())
            .observer(reasons.clone());
        Self { server: settings(builder).build().unwrap(), clock, store, manager, reasons }
    }

    pub(crate) fn breaks(&self, instead: Instead) {
        *self.manager.instead.lock().unwrap() = instead;
    }

    /// How often the store was asked since the last time.
    pub(crate) fn calls(&self) -> usize {
        self.manager.calls.swap(0, Ordering::SeqCst)
    }

    /// Why cookies and records were not accepted since the last time.
    pub(crate) fn reasons(&self) -> Vec<Reason> {
        std::mem::take(&mut self.reasons.0.lock().unwrap())
    }

    pub(crate) fn open(&self, cookie: impl AsRef<[u8]>) -> ManagedSession {
        self.open_all(&[cookie.as_ref()])
    }

    pub(crate) fn open_all(&self, cookies: &[&[u8]]) -> ManagedSession {
        block_on(self.server.open(cookies.iter().copied())).unwrap()
    }

    /// A session with one value; returns its cookie.
    pub(crate) fn visit(&self) -> String {
        let session = self.open_all(&[]);
        session.insert("value", "kept").unwrap();
        let cookie = sent(&session).unwrap();
        self.calls();
        self.reasons();
        cookie
    }

    /// The one record in the store.
    pub(crate) fn only_record(&self) -> Arc<Record> {
        let page = block_on(self.store.listing().unwrap().scan(None, 2)).unwrap();
        assert_eq!(page.ids.len(), 1);
        block_on(self.store.get(&page.ids[0])).unwrap().unwrap()
    }

    /// `cookie` opens nothing, and the store was not even asked. Returns why.
    pub(crate) fn refuses_unasked(&self, cookie: impl AsRef<[u8]>) -> Reason {
        self.calls();
        self.reasons();
        let session = self.open(cookie.as_ref());
        assert!(session.is_new(), "{}", cookie.as_ref().escape_ascii());
        assert_eq!(sent(&session), None, "{}", cookie.as_ref().escape_ascii());
        assert_eq!(self.calls(), 0, "{}", cookie.as_ref().escape_ascii());
        let reasons = self.reasons();
        assert_eq!(reasons.len(), 1, "{}", cookie.as_ref().escape_ascii());
        reasons[0]
    }
}

/// Ends the request; the cookie that was sent, if one was.
pub(crate) fn sent(session: &ManagedSession) -> Option<String> {
    match block_on(session.finish()).unwrap().cookie {
        CookieAction::Set(cookie) => Some(cookie.value().to_owned()),
        CookieAction::Keep => None,
        CookieAction::Remove => panic!("a cookie was removed"),
    }
}
