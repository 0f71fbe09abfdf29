//! What the benches share.

#![allow(
    dead_code,
    clippy::expect_used,
    reason = "each bench uses some of it, and ends where something fails"
)]

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use async_trait::async_trait;
use bytes::Bytes;
use session_core::{
    CookieAction, Expect, ForgetSessions, ListSessions, ManagedSession, MemorySessionManager,
    Outcome, ProbeVersions, RecallSessions, Record, Removal, Result, SessionId, SessionInterface,
    SessionManager, SigningKey, SweepSessions, Timestamp, Version, WatchSessions,
};

pub(crate) fn key() -> SigningKey {
    SigningKey::hmac_sha256((0..32).collect::<Vec<u8>>()).expect("a good secret")
}

pub(crate) fn interface(manager: impl SessionManager) -> SessionInterface {
    SessionInterface::builder(manager, key()).build().expect("the settings are right")
}

/// Nothing over memory waits for anything.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).as_mut().poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing waits over memory"),
    }
}

pub(crate) fn open(interface: &SessionInterface, cookie: Option<&str>) -> ManagedSession {
    now(interface.open(cookie.map(str::as_bytes))).expect("memory does not fail")
}

/// Puts the five values of a typical session in.
pub(crate) fn fill(session: &ManagedSession) -> Result<()> {
    session.insert("csrf", "5d1f0c7e9a3b4826b1c0d9e8f7a6b5c4")?;
    session.insert("cart", &[("apples", 3), ("pears", 1)])?;
    session.insert("theme", "dark")?;
    session.insert("locale", "en-GB")?;
    session.insert("visits", &17)
}

/// Stores a typical session of a user and returns its cookie.
pub(crate) fn stored(interface: &SessionInterface) -> String {
    let session = open(interface, None);
    fill(&session).expect("it fits");
    now(session.bind("user 17")).expect("memory does not fail");
    match now(session.finish()).expect("memory does not fail").cookie {
        CookieAction::Set(cookie) => cookie.value().to_owned(),
        CookieAction::Keep | CookieAction::Remove => unreachable!("a new session has a cookie"),
    }
}

/// Returns the same record for every get, read from its bytes anew: what a store without a cache
/// gives, for no I/O. Takes every put and keeps none.
#[derive(Debug)]
pub(crate) struct FromBytes {
    bytes: Bytes,
}

impl FromBytes {
    /// The one record of `store`.
    pub(crate) fn of(store: &MemorySessionManager) -> Self {
        let listing = store.listing().expect("memory lists");
        let id = now(listing.scan(None, 1)).expect("memory does not fail").ids[0];
        let record = now(store.get(&id)).expect("memory does not fail").expect("it is there");
        Self { bytes: record.to_bytes() }
    }

    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

#[async_trait]
impl SessionManager for FromBytes {
    async fn exists(&self, _: &SessionId) -> Result<bool> {
        Ok(true)
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        Record::from_bytes(id, self.bytes.clone()).map(Arc::new).map(Some)
    }

    async fn put(&self, _: &Arc<Record>, _: Expect) -> Result<Outcome> {
        Ok(Outcome::Stored)
    }

    async fn touch(&self, _: &SessionId, _: Version, _: Timestamp) -> Result<Outcome> {
        Ok(Outcome::Stored)
    }

    async fn remove(&self, _: &SessionId, _: Option<Version>) -> Result<Removal> {
        Ok(Removal::Removed)
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        None
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        None
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        None
    }

    fn watching(&self) -> Option<&dyn WatchSessions> {
        None
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        None
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        None
    }
}
