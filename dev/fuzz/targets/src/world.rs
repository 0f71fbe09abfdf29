//! What the targets share: a stored session, and a way to run a future.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use session_core::{
    CookieAction, MemorySessionManager, Record, SessionId, SessionInterface, SessionManager,
    SigningKey, Version,
};

/// The key under which a stored session keeps [`CONTENT`].
pub(crate) const NUMBER: &str = "number";
pub(crate) const CONTENT: u32 = 7;

pub(crate) fn key() -> SigningKey {
    let secret: Vec<u8> = (0..32).collect();
    SigningKey::hmac_sha256(&secret).expect("32 different bytes are a key")
}

/// The bytes that an input stands for: its rest if it begins with 0, else `genuine` with changes of
/// three bytes each: where, and what is added there, or where to cut.
pub(crate) fn tampered(genuine: &[u8], input: &[u8]) -> Vec<u8> {
    let Some((how, rest)) = input.split_first() else { return Vec::new() };
    if *how == 0 {
        return rest.to_vec();
    }
    let mut bytes = genuine.to_vec();
    for change in rest.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]]));
        match bytes.get_mut(at) {
            Some(byte) => *byte = byte.wrapping_add(change[2]),
            None => bytes.truncate(at % (genuine.len() + 1)),
        }
    }
    bytes
}

/// The record with another version: what its seal says of it does not matter here.
pub(crate) fn of_version(record: &Record, version: Version) -> Arc<Record> {
    let mut bytes = record.to_bytes().to_vec();
    bytes[VERSION].copy_from_slice(&version.get().to_le_bytes());
    let record = Record::from_bytes(record.id(), Bytes::from(bytes));
    Arc::new(record.expect("every version is one"))
}

/// Where the version stands in the bytes of a record.
const VERSION: std::ops::Range<usize> = 32..40;

/// Runs a future that waits for nothing but other threads.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::yield_now();
    }
}

/// A session that is stored, and the cookie that opens it.
pub(crate) struct Stored {
    pub(crate) manager: MemorySessionManager,
    pub(crate) interface: SessionInterface,
    pub(crate) cookie: String,
}

impl Stored {
    pub(crate) fn new() -> Self {
        let manager = MemorySessionManager::new();
        let interface = SessionInterface::builder(manager.clone(), key())
            .build()
            .expect("the defaults are a configuration");
        Self::with(manager, interface)
    }

    /// Over what an application has.
    pub(crate) fn with(manager: MemorySessionManager, interface: SessionInterface) -> Self {
        let finished = block_on(async {
            let session = interface.open([]).await.expect("memory answers");
            session.insert(NUMBER, &CONTENT).expect("a number can be kept");
            session.finish().await.expect("memory stores")
        });
        let CookieAction::Set(cookie) = finished.cookie else {
            panic!("a new session has a cookie");
        };
        Self { manager, interface, cookie: cookie.value().to_owned() }
    }

    /// What is stored.
    pub(crate) fn record(&self) -> Arc<Record> {
        block_on(self.manager.get(&self.id())).expect("memory answers").expect("it is stored")
    }

    pub(crate) fn id(&self) -> SessionId {
        let sid = self.cookie.split('!').next().unwrap_or_default();
        SessionId::parse(sid.as_bytes()).expect("a cookie begins with a sid")
    }

    /// The content of the session, as whoever shows `cookie` sees it.
    pub(crate) fn seen_by(&self, cookie: &[u8]) -> Option<u32> {
        let opened = block_on(self.interface.open([cookie])).expect("memory answers");
        opened.get(NUMBER).expect("what is there is a number")
    }
}
