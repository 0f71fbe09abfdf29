//! Known answers: cookies and stored records made by a tool that shares no code with this crate.
//!
//! `python3 session-core/tests/it/known/known.py` made the files in the folder `known`; they are
//! read by this and by every later release.

use std::sync::Arc;

use bytes::Bytes;
use session_core::{
    CookieAction, Expect, KeyRing, ManagedSession, ManualClock, MemorySessionManager, Outcome,
    Record, SessionId, SessionInterface, SessionManager, SigningKey, Timestamp, Version,
};

use crate::memory::block_on;

const SID: &str = "6f1d3c5a-b0e9-4d27-9c81-f2a4b6d8e013";
const CREATED_AT: u64 = 1_735_689_600_000;
const BOUND_AT: u64 = CREATED_AT + 60_000;
const DAY: u64 = 86_400_000;

struct Known {
    cookie: &'static str,
    record: &'static [u8],
}

const SHA1: Known = Known {
    cookie: include_str!("known/sha1.cookie"),
    record: include_bytes!("known/sha1.record"),
};
const SHA256: Known = Known {
    cookie: include_str!("known/sha256.cookie"),
    record: include_bytes!("known/sha256.record"),
};
/// The same session after its token was rotated: the cookie is the successor's.
const ROTATED: Known = Known {
    cookie: include_str!("known/rotated.cookie"),
    record: include_bytes!("known/rotated.record"),
};

fn secret() -> Vec<u8> {
    (0..32).collect()
}

fn sha1() -> SigningKey {
    SigningKey::hmac_sha1(secret()).unwrap()
}

fn sha256() -> SigningKey {
    SigningKey::hmac_sha256(secret()).unwrap()
}

/// The session that `cookie` opens on a server whose store has `record`.
fn open(keys: impl Into<KeyRing>, record: &'static [u8], cookie: &str) -> ManagedSession {
    let id = SessionId::parse(SID.as_bytes()).unwrap();
    let record = Arc::new(Record::from_bytes(&id, Bytes::from_static(record)).unwrap());
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(BOUND_AT + DAY)));
    let manager = MemorySessionManager::with_clock(clock.clone());
    assert_eq!(block_on(manager.put(&record, Expect::Absent)).unwrap(), Outcome::Stored);
    let server = SessionInterface::builder(manager, keys)
        .realm("known")
        .cookie_name("__Host-sid")
        .clock(clock)
        .build()
        .unwrap();
    let listed = block_on(server.sessions_of("user 17")).unwrap();
    assert_eq!(listed.len(), 1, "by the tag in its header");
    block_on(server.open([cookie.as_bytes()])).unwrap()
}

fn assert_is_whole(session: &ManagedSession) {
    assert!(!session.is_new());
    assert_eq!(session.len(), 3);
    assert_eq!(session.get::<u32>("visits").unwrap(), Some(3));
    assert_eq!(session.get::<String>("theme").unwrap().as_deref(), Some("dark"));
    assert_eq!(session.get::<Vec<String>>("cart").unwrap().unwrap(), ["apples", "pears"]);
    assert_eq!(session.principal().as_deref(), Some("user 17"));
    assert_eq!(session.label().as_deref(), Some("Firefox on Linux"));
    assert!(session.permanent());
    assert_eq!(session.created_at(), Some(Timestamp::from_millis(CREATED_AT)));
    assert_eq!(session.authenticated_at(), Some(Timestamp::from_millis(BOUND_AT)));
    assert_eq!(session.expires_at(), Some(Timestamp::from_millis(BOUND_AT + 20 * DAY)));
    assert_eq!(session.deadline(), Some(Timestamp::from_millis(BOUND_AT + 31 * DAY)));
}

/// The cookie the server sends at the end of the request.
fn sent(session: &ManagedSession) -> String {
    match block_on(session.finish()).unwrap().cookie {
        CookieAction::Set(cookie) => cookie.value().to_owned(),
        other => panic!("{other:?} instead of a cookie"),
    }
}

#[test]
fn a_cookie_has_the_published_length() {
    assert_eq!((SHA1.cookie.len(), SHA256.cookie.len()), (85, 101));
}

#[test]
fn a_cookie_and_a_record_of_hmac_sha1_are_read_forever() {
    assert_is_whole(&open(sha1(), SHA1.record, SHA1.cookie));
}

#[test]
fn a_cookie_and_a_record_of_hmac_sha256_are_read_forever() {
    assert_is_whole(&open(sha256(), SHA256.record, SHA256.cookie));
}

#[test]
fn a_rotated_record_is_read_forever() {
    assert_is_whole(&open(sha256(), ROTATED.record, ROTATED.cookie));
}

#[test]
fn the_header_of_a_record_is_where_it_is_said_to_be() {
    let id = SessionId::parse(SID.as_bytes()).unwrap();
    let record = Record::from_bytes(&id, Bytes::from_static(SHA256.record)).unwrap();
    assert_eq!(record.version(), Version::new(7));
    assert_eq!(record.deadline(), Timestamp::from_millis(BOUND_AT + 31 * DAY));
    assert_eq!(record.expires_at(), Timestamp::from_millis(BOUND_AT + 20 * DAY));
    assert!(record.principal_tag().is_some());
    assert_eq!(record.to_bytes(), SHA256.record);
}

#[test]
fn the_cookie_signed_with_hmac_sha256_is_the_known_one() {
    let ring = KeyRing::new(sha256()).retired(sha1());
    assert_eq!(sent(&open(ring, SHA1.record, SHA1.cookie)), SHA256.cookie);
}

#[test]
fn the_cookie_signed_with_hmac_sha1_is_the_known_one() {
    let ring = KeyRing::new(sha1()).retired(sha256());
    assert_eq!(sent(&open(ring, SHA256.record, SHA256.cookie)), SHA1.cookie);
}

#[test]
fn the_successor_of_a_rotated_token_is_the_known_one() {
    let session = open(sha256(), ROTATED.record, SHA256.cookie);
    assert_is_whole(&session);
    assert_eq!(sent(&session), ROTATED.cookie);
}
