//! What a thief gains: the table of SECURITY.md, cell by cell.
//!
//! The thief knows how cookies and records are made, and makes them with other code than the
//! crate's.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305,
    aead::{Aead as _, Payload},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use session_core::{Expect, Outcome, Reason, SessionId, SessionManager as _};
use sha2::Sha256;

use crate::{
    lab::{IDLE, LIFETIME, Lab, secret, sent, sha256},
    memory::block_on,
};

/// Bytes of the plain header, and of what of it is sealed along.
const HEADER: usize = 72;
const AUTHENTICATED: usize = 64;

#[test]
fn with_the_store_alone_no_part_of_it_makes_a_cookie() {
    let lab = Lab::new();
    lab.visit();
    let record = lab.only_record();
    for part in record.to_bytes().windows(48) {
        assert_eq!(lab.refuses_unasked(written(record.id(), part)), Reason::Forged);
    }
}

#[test]
fn a_store_shows_which_sessions_are_of_one_user_and_until_when_and_not_which_user() {
    let lab = Lab::new();
    let record_of = |user: &str| {
        let session = lab.open_all(&[]);
        block_on(session.bind(user)).unwrap();
        let cookie = sent(&session).unwrap();
        let id = SessionId::parse(&cookie.as_bytes()[..SessionId::TEXT_BYTES]).unwrap();
        block_on(lab.store.get(&id)).unwrap().unwrap()
    };
    let (one, same, other) = (record_of("FINDME-1"), record_of("FINDME-1"), record_of("FINDME-2"));
    assert_eq!(one.principal_tag(), same.principal_tag());
    assert_ne!(one.principal_tag(), other.principal_tag());
    assert!(one.expires_at() < one.deadline());
    let bytes = one.to_bytes();
    assert!(!bytes.windows(6).any(|part| part == b"FINDME"));
    // With another server's keys the same name has another tag: it is no hash of the name.
    let elsewhere = Lab::with(sha256(2), |builder| builder);
    let session = elsewhere.open_all(&[]);
    block_on(session.bind("FINDME-1")).unwrap();
    sent(&session).unwrap();
    assert_ne!(one.principal_tag(), elsewhere.only_record().principal_tag());
}

#[test]
fn an_older_record_put_back_undoes_a_logout_until_its_absolute_deadline() {
    let lab = Lab::new();
    let cookie = lab.visit();
    let older = lab.only_record();
    let session = lab.open(&cookie);
    block_on(session.destroy()).unwrap();
    assert!(lab.open(&cookie).is_new(), "logged out");
    assert_eq!(block_on(lab.store.put(&older, Expect::Absent)).unwrap(), Outcome::Stored);
    assert!(!lab.open(&cookie).is_new(), "the logout is undone");
    // Who can write the store can also move the idle deadline, as far as the absolute one.
    let moved = older.with_expires_at(older.deadline());
    let done = block_on(lab.store.touch(older.id(), older.version(), moved.expires_at())).unwrap();
    assert_eq!(done, Outcome::Stored);
    lab.clock.advance(LIFETIME.checked_sub(IDLE / 2).unwrap());
    assert!(!lab.open(&cookie).is_new());
    lab.clock.set(older.deadline());
    assert!(lab.open(&cookie).is_new(), "and there it ends");
}

#[test]
fn a_record_taken_out_for_a_while_is_hidden_from_its_owners_list_and_outlives_revoke_all() {
    let lab = Lab::new();
    let session = lab.open_all(&[]);
    session.insert("value", "FINDME").unwrap();
    block_on(session.bind("alice")).unwrap();
    let cookie = sent(&session).unwrap();
    let record = lab.only_record();
    assert_eq!(block_on(lab.server.sessions_of("alice")).unwrap().len(), 1);

    block_on(lab.store.remove(record.id(), None)).unwrap();
    assert!(block_on(lab.server.sessions_of("alice")).unwrap().is_empty(), "hidden");
    assert_eq!(block_on(lab.server.revoke_all("alice", None)).unwrap(), 0);
    assert_eq!(block_on(lab.store.put(&record, Expect::Absent)).unwrap(), Outcome::Stored);
    assert_eq!(lab.open(&cookie).principal().as_deref(), Some("alice"), "not revoked");

    // All the same he has what he had: bytes that show no value and are no cookie.
    let bytes = record.to_bytes();
    assert!(!bytes.windows(6).any(|part| part == b"FINDME"));
    for part in bytes.windows(48) {
        assert_eq!(lab.refuses_unasked(written(record.id(), part)), Reason::Forged);
    }
    // Found again, it can be revoked.
    assert_eq!(block_on(lab.server.revoke_all("alice", None)).unwrap(), 1);
    assert!(lab.open(&cookie).is_new());
}

#[test]
fn with_the_keys_and_the_store_values_are_read_and_still_no_cookie_is_made() {
    let lab = Lab::new();
    let cookie = lab.visit();
    let record = lab.only_record();
    let bytes = record.to_bytes();

    // The thief's tools are the right ones: they read the value, and from the random value in the
    // cookie, which is not in the store, they make the cookie.
    let body = opened(&bytes);
    assert!(body.windows(4).any(|part| part == b"kept"), "the value is read");
    let token = URL_SAFE_NO_PAD.decode(&cookie[SessionId::TEXT_BYTES + 1..]).unwrap();
    assert_eq!(forged(record.id(), &token[..16]), cookie);

    // Nothing that is stored, sealed or not, is that random value.
    let mut tried = 0;
    for part in bytes.windows(16).chain(body.windows(16)) {
        lab.reasons();
        assert!(lab.open(forged(record.id(), part)).is_new());
        assert_eq!(lab.reasons(), [Reason::Stale]);
        tried += 1;
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn with_the_keys_and_no_store_a_cookie_is_of_no_session() {
    let lab = Lab::new();
    lab.visit();
    for _ in 0..100 {
        let id = SessionId::random().unwrap();
        lab.reasons();
        assert!(lab.open(forged(&id, &[7; 16])).is_new());
        assert_eq!(lab.reasons(), [Reason::Absent], "signed by us, and of nobody");
    }
}

/// A cookie's text.
fn written(id: &SessionId, token: &[u8]) -> String {
    format!("{id_text}!{}", URL_SAFE_NO_PAD.encode(token), id_text = text(id))
}

fn text(id: &SessionId) -> String {
    id.encode(&mut [0; SessionId::TEXT_BYTES]).to_owned()
}

/// A cookie for any sid and any random value, by who has the keys.
fn forged(id: &SessionId, random: &[u8]) -> String {
    let named = joined(&[b"session-core v1", b"", b"__Host-sid"]);
    let key = mac(&derived("cookie"), &named);
    let mut token = random.to_vec();
    token.extend(mac(&key, &[id.as_bytes(), random].concat()));
    written(id, &token)
}

/// The sealed body of a record, by who has the keys.
fn opened(record: &[u8]) -> Vec<u8> {
    let (header, sealed) = record.split_at(HEADER);
    let (nonce, body) = sealed.split_first_chunk::<24>().unwrap();
    let payload = Payload { msg: body, aad: &header[..AUTHENTICATED] };
    XChaCha20Poly1305::new(&derived("record").into()).decrypt(nonce.into(), payload).unwrap()
}

fn derived(purpose: &str) -> [u8; 32] {
    let mut key = [0; 32];
    let info = format!("session-core v1 {purpose} hmac-sha256");
    Hkdf::<Sha256>::new(None, &secret(1)).expand(info.as_bytes(), &mut key).unwrap();
    key
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut joined = Vec::new();
    for part in parts {
        joined.extend(u64::try_from(part.len()).unwrap().to_be_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}
