//! What a stored record must be to be opened, and what becomes of all others.

use std::sync::Arc;

use bytes::Bytes;
use session_core::{
    ErrorKind, Expect, KeyRing, Outcome, Reason, Record, Result, SessionId, SessionManager,
    Timestamp,
};

use crate::{
    lab::{IDLE, Instead, Lab, sent, sha1, sha256},
    memory::block_on,
};

/// A lab with one session in it, its cookie, and its record as bytes.
struct Specimen {
    lab: Lab,
    cookie: String,
    id: SessionId,
    bytes: Vec<u8>,
}

impl Specimen {
    fn new() -> Self {
        Self::of(Lab::new())
    }

    fn of(lab: Lab) -> Self {
        let cookie = lab.visit();
        let record = lab.only_record();
        Self { cookie, id: *record.id(), bytes: record.to_bytes().into(), lab }
    }

    fn read(&self, bytes: &[u8]) -> Result<Record> {
        Record::from_bytes(&self.id, Bytes::copy_from_slice(bytes))
    }

    /// What a visitor with the cookie is, when the store has `bytes`: `None` if they are known.
    fn refusal(&self, bytes: &[u8]) -> Option<Reason> {
        let record = match self.read(bytes) {
            Ok(record) => Instead::Returns(Arc::new(record)),
            Err(error) => Instead::Fails(error.kind()),
        };
        self.lab.breaks(record);
        self.lab.reasons();
        let session = self.lab.open(&self.cookie);
        let reasons = self.lab.reasons();
        if session.is_new() {
            assert!(session.is_empty() && session.principal().is_none());
            return Some(reasons.first().copied().unwrap_or(Reason::Absent));
        }
        assert_eq!(session.get::<String>("value").ok().flatten().as_deref(), Some("kept"));
        assert_eq!(session.len(), 1);
        None
    }
}

const EXPIRES_AT: std::ops::Range<usize> = Record::EXPIRES_AT_OFFSET..Record::EXPIRES_AT_OFFSET + 8;

#[test]
fn every_single_bit_of_a_record_is_guarded() {
    for keys in [sha1(1), sha256(1)] {
        let specimen = Specimen::of(Lab::with(keys, |builder| builder));
        assert_eq!(specimen.refusal(&specimen.bytes), None);
        for bit in 0..specimen.bytes.len() * 8 {
            let mut bytes = specimen.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let refusal = specimen.refusal(&bytes);
            if !EXPIRES_AT.contains(&(bit / 8)) {
                assert!(refusal.is_some(), "bit {bit}");
                continue;
            }
            // The idle deadline is the store's to move, within the absolute one.
            let record = specimen.read(&bytes).unwrap();
            assert!(record.expires_at() <= record.deadline());
            let is_over = record.is_expired(specimen.lab.server.clock().now());
            assert_eq!(refusal.is_some(), is_over, "bit {bit}");
        }
    }
}

#[test]
fn a_record_that_was_cut_or_made_longer_is_refused_at_every_length() {
    let specimen = Specimen::new();
    for length in 0..specimen.bytes.len() {
        let refusal = specimen.refusal(&specimen.bytes[..length]);
        assert_eq!(refusal, Some(Reason::Corrupt), "{length} bytes");
    }
    for more in [1, 16, 4_096, Record::MAX_BYTES] {
        let longer = [&specimen.bytes[..], &vec![0; more]].concat();
        assert_eq!(specimen.refusal(&longer), Some(Reason::Corrupt), "{more} bytes more");
    }
}

#[test]
fn a_foreign_file_is_corrupt_and_a_later_format_is_told_apart_from_it() {
    let specimen = Specimen::new();
    let with = |at: usize, part: &[u8]| {
        let mut bytes = specimen.bytes.clone();
        bytes[at..at + part.len()].copy_from_slice(part);
        specimen.read(&bytes).unwrap_err().kind()
    };
    assert_eq!(with(0, b"ssnr"), ErrorKind::Corrupt);
    assert_eq!(with(0, b"\x7fELF"), ErrorKind::Corrupt);
    assert_eq!(with(4, &[0, 0]), ErrorKind::Corrupt);
    for format in [2_u16, 255, 256, u16::MAX] {
        assert_eq!(with(4, &format.to_le_bytes()), ErrorKind::Unsupported, "format {format}");
    }
    assert_eq!(with(6, &[1, 0]), ErrorKind::Unsupported);
    assert_eq!(with(16, &[0; 16]), ErrorKind::Corrupt, "no sid");
    assert_eq!(with(32, &[0; 8]), ErrorKind::Corrupt, "no version");
}

#[test]
fn a_record_of_a_later_format_is_refused_and_kept() {
    let lab = Lab::new();
    let cookie = lab.visit();
    lab.breaks(Instead::Fails(ErrorKind::Unsupported));
    let session = lab.open(&cookie);
    assert!(session.is_new());
    assert_eq!(sent(&session), None);
    assert_eq!(lab.calls(), 1, "a get, and nothing that changes the store");
    assert_eq!(lab.reasons(), [Reason::Unsupported]);
    lab.breaks(Instead::Nothing);
    assert!(!lab.open(&cookie).is_new(), "after the rollback was rolled back");
}

#[test]
fn a_damaged_record_makes_a_visitor_unknown_and_is_no_error() {
    let lab = Lab::new();
    let cookie = lab.visit();
    lab.breaks(Instead::Fails(ErrorKind::Corrupt));
    assert!(lab.open(&cookie).is_new());
    assert_eq!(lab.reasons(), [Reason::Corrupt]);
}

#[test]
fn a_store_that_cannot_be_asked_is_an_error_and_no_logout() {
    let lab = Lab::new();
    let cookie = lab.visit();
    for kind in [ErrorKind::Unavailable, ErrorKind::Full] {
        lab.breaks(Instead::Fails(kind));
        let error = block_on(lab.server.open([cookie.as_bytes()])).unwrap_err();
        assert_eq!(error.kind(), kind);
    }
    lab.breaks(Instead::Nothing);
    assert!(!lab.open(&cookie).is_new());
}

#[test]
fn a_record_moved_under_another_sid_is_refused() {
    let lab = Lab::new();
    let [mine, yours] = [lab.visit(), lab.visit()];
    let id = |cookie: &str| SessionId::parse(&cookie.as_bytes()[..36]).unwrap();
    let stored = |cookie: &str| block_on(lab.store.get(&id(cookie))).unwrap().unwrap();
    let bytes = stored(&yours).to_bytes();
    let error = Record::from_bytes(&id(&mine), bytes.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    // A manager that mixes up its records.
    lab.breaks(Instead::Returns(stored(&yours)));
    assert!(lab.open(&mine).is_new());
    assert_eq!(lab.reasons(), [Reason::Corrupt]);
    // Someone who can write the store, and knows where the sid stands.
    let mut forged = bytes.to_vec();
    forged[16..32].copy_from_slice(id(&mine).as_bytes());
    let forged = Record::from_bytes(&id(&mine), forged.into()).unwrap();
    lab.breaks(Instead::Returns(Arc::new(forged)));
    assert!(lab.open(&mine).is_new());
    assert_eq!(lab.reasons(), [Reason::Corrupt]);
}

#[test]
fn a_record_sealed_by_another_key_is_told_apart_from_a_damaged_one() {
    let ours = Specimen::new();
    let later = Lab::with(sha256(2), |builder| builder);
    later.clock.advance(IDLE / 2);
    let theirs = Specimen::of(later);
    let mut foreign = theirs.bytes.clone();
    foreign[16..32].copy_from_slice(ours.id.as_bytes());
    assert_eq!(ours.refusal(&foreign), Some(Reason::UnknownKey));
    // It says it is of our key.
    foreign[8..16].copy_from_slice(&ours.bytes[8..16]);
    assert_eq!(ours.refusal(&foreign), Some(Reason::Corrupt));
    // Its body behind our header, and our body behind its header.
    let crossed = [&ours.bytes[..72], &theirs.bytes[72..]].concat();
    assert_eq!(ours.refusal(&crossed), Some(Reason::Corrupt));
    let crossed = [&foreign[..72], &ours.bytes[72..]].concat();
    assert_eq!(ours.refusal(&crossed), Some(Reason::Corrupt));
}

#[test]
fn the_same_secret_under_the_other_algorithm_opens_nothing() {
    let specimen = Specimen::new();
    let other = Lab::with(KeyRing::new(sha1(1)).retired(sha256(3)), |builder| builder);
    let record = Arc::new(specimen.read(&specimen.bytes).unwrap());
    let outcome = block_on(other.store.put(&record, Expect::Absent)).unwrap();
    assert_eq!(outcome, Outcome::Stored);
    other.refuses_unasked(&specimen.cookie);
    assert!(block_on(other.server.sessions_of("anyone")).unwrap().is_empty());
}

#[test]
fn the_idle_deadline_a_store_claims_leads_nowhere_beyond_the_absolute_one() {
    let specimen = Specimen::new();
    let with = |expires_at: u64| {
        let mut bytes = specimen.bytes.clone();
        bytes[EXPIRES_AT].copy_from_slice(&expires_at.to_le_bytes());
        bytes
    };
    assert_eq!(specimen.refusal(&with(u64::MAX)), None);
    let record = specimen.read(&with(u64::MAX)).unwrap();
    assert_eq!(record.expires_at(), record.deadline());
    for over in [0, 1, specimen.lab.server.clock().now().as_millis()] {
        assert!(specimen.refusal(&with(over)).is_some(), "{over}");
    }
    specimen.lab.clock.set(record.deadline());
    assert!(specimen.refusal(&with(u64::MAX)).is_some());
    specimen.lab.clock.set(Timestamp::MAX);
    assert!(specimen.refusal(&with(u64::MAX)).is_some());
}

#[test]
fn a_manager_that_returns_expired_records_logs_nobody_in() {
    let lab = Lab::new();
    let cookie = lab.visit();
    lab.breaks(Instead::Returns(lab.only_record()));
    assert!(!lab.open(&cookie).is_new());
    lab.clock.advance(IDLE);
    assert!(lab.open(&cookie).is_new());
}

#[test]
fn a_store_shows_nobodys_data_and_no_part_of_a_token() {
    let lab = Lab::new();
    let session = lab.open_all(&[]);
    session.insert("FINDME-key", "FINDME-value").unwrap();
    session.set_label(Some("FINDME-label")).unwrap();
    block_on(session.bind("FINDME-principal")).unwrap();
    let cookie = sent(&session).unwrap();
    let bytes = lab.only_record().to_bytes();
    let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(holds(lab.only_record().id().as_bytes()), "the sid is found, so this finds things");
    assert!(!holds(b"FINDME"));
    let token = decoded(&cookie.as_bytes()[37..]);
    assert_eq!(token.len(), 48);
    for part in token.chunks(4).chain(cookie.as_bytes()[37..].chunks(4)) {
        assert!(!holds(part), "a part of the token");
    }
}

/// Base64 as the cookie is written in, with nothing borrowed from the crate.
fn decoded(text: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    text.chunks_exact(4)
        .flat_map(|four| {
            let bits = four.iter().fold(0_u32, |bits, byte| {
                let value = ALPHABET.iter().position(|at| at == byte).unwrap_or_default();
                bits << 6 | u32::try_from(value).unwrap_or_default()
            });
            bits.to_be_bytes()[1..].to_vec()
        })
        .collect()
}

#[test]
fn the_same_session_stored_twice_looks_different_each_time() {
    let lab = Lab::new();
    let cookie = lab.visit();
    let first = lab.only_record().sealed().clone();
    for value in ["changed", "kept"] {
        let session = lab.open(&cookie);
        session.insert("value", value).unwrap();
        assert_eq!(sent(&session), None);
    }
    let third = lab.only_record().sealed().clone();
    assert_eq!(first.len(), third.len());
    assert_ne!(first[..24], third[..24], "a nonce of its own");
    assert_ne!(first[24..], third[24..]);
}
