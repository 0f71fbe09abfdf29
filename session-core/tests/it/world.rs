//! A server, its clock and its browsers, for the tests of this crate.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use session_core::{
    Clock, CookieAction, ErrorKind, Event, Fingerprint, Finished, KeyRing, ManagedSession,
    ManualClock, MemorySessionManager, Observer, SessionInterface, SessionInterfaceBuilder,
    SessionManager, SigningKey,
};

use crate::memory::block_on;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A key that is the same for the same `number`.
pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::hmac_sha256((0..32).map(|at| at ^ number).collect::<Vec<u8>>()).unwrap()
}

/// Writes down every event.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<Vec<Event>>);

impl Notes {
    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Notes {
    fn event(&self, event: Event, _session: Option<Fingerprint>) {
        self.0.lock().unwrap().push(event);
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: MemorySessionManager,
    pub(crate) notes: Arc<Notes>,
    pub(crate) server: SessionInterface,
}

fn builder(
    manager: impl SessionManager,
    keys: impl Into<KeyRing>,
    clock: &Arc<ManualClock>,
) -> SessionInterfaceBuilder {
    SessionInterface::builder(manager, keys)
        .idle_timeout(HOUR)
        .lifetime(10 * HOUR)
        .permanent_lifetime(100 * HOUR)
        .clock(Arc::clone(clock) as Arc<dyn Clock>)
}

impl World {
    /// A server with an idle timeout of an hour and a lifetime of ten.
    pub(crate) fn new() -> Self {
        Self::with(key(1), |builder| builder)
    }

    pub(crate) fn with(
        keys: impl Into<KeyRing>,
        settings: impl FnOnce(SessionInterfaceBuilder) -> SessionInterfaceBuilder,
    ) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = MemorySessionManager::with_clock(clock.clone());
        let notes = Arc::new(Notes::default());
        let builder = builder(store.clone(), keys, &clock).observer(notes.clone());
        let server = settings(builder).build().unwrap();
        Self { clock, store, notes, server }
    }

    /// Another server on the same store and clock.
    pub(crate) fn another(
        &self,
        keys: impl Into<KeyRing>,
        settings: impl FnOnce(SessionInterfaceBuilder) -> SessionInterfaceBuilder,
    ) -> SessionInterface {
        settings(builder(self.store.clone(), keys, &self.clock)).build().unwrap()
    }

    /// A server on a manager over the store of this world, whose events are noted.
    pub(crate) fn on(
        &self,
        manager: impl SessionManager,
        settings: impl FnOnce(SessionInterfaceBuilder) -> SessionInterfaceBuilder,
    ) -> SessionInterface {
        let builder = builder(manager, key(1), &self.clock).observer(self.notes.clone());
        settings(builder).build().unwrap()
    }

    pub(crate) fn open(&self, cookie: &str) -> ManagedSession {
        open(&self.server, cookie)
    }

    /// Opens a new session with one value and returns its cookie.
    pub(crate) fn visit(&self) -> String {
        let session = self.open("");
        session.insert("value", &1).unwrap();
        cookie(finish(&session))
    }

    /// Logs `principal` in from a new browser and returns the cookie.
    pub(crate) fn login(&self, principal: &str) -> String {
        let session = self.open("");
        block_on(session.bind(principal)).unwrap();
        cookie(finish(&session))
    }

    pub(crate) fn is_alive(&self, cookie: &str) -> bool {
        !self.open(cookie).is_new()
    }
}

/// Opens the session of `cookie`; the empty text stands for no cookie.
pub(crate) fn open(server: &SessionInterface, cookie: &str) -> ManagedSession {
    let cookie = Some(cookie.as_bytes()).filter(|cookie| !cookie.is_empty());
    block_on(server.open(cookie)).unwrap()
}

pub(crate) fn finish(session: &ManagedSession) -> Finished {
    block_on(session.finish()).unwrap()
}

/// The changes were dropped since the session was gone, and no cookie is sent.
pub(crate) fn is_refused(session: &ManagedSession) -> bool {
    let error = block_on(session.finish()).unwrap_err();
    error.kind() == ErrorKind::Gone && matches!(session.take_cookie(), CookieAction::Keep)
}

/// The cookie that was sent.
pub(crate) fn cookie(finished: Finished) -> String {
    match finished.cookie {
        CookieAction::Set(cookie) => cookie.value().to_owned(),
        other => panic!("{other:?} instead of a cookie"),
    }
}

pub(crate) fn sends_nothing(finished: &Finished) -> bool {
    matches!(finished.cookie, CookieAction::Keep)
}
