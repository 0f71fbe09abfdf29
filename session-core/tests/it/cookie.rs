//! What a cookie must be to reach the store, and what becomes of all others.

use std::collections::HashSet;

use session_core::{CookieAction, ErrorKind, KeyRing, Reason, SessionId};

use crate::{
    lab::{Instead, Lab, sent, sha1, sha256},
    memory::block_on,
};

/// The text form of a sid.
const SID: std::ops::Range<usize> = 0..SessionId::TEXT_BYTES;

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn without_a_cookie_nothing_is_asked_stored_or_sent() {
    let lab = Lab::new();
    let session = lab.open_all(&[]);
    assert!(session.is_new());
    assert_eq!(session.get::<String>("value").unwrap(), None);
    assert_eq!(sent(&session), None);
    assert_eq!(lab.calls(), 0);
    assert!(lab.store.is_empty());
    assert!(lab.reasons().is_empty());
}

#[test]
fn visitors_who_store_nothing_leave_nothing_whatever_they_send() {
    let lab = Lab::new();
    let genuine = lab.visit();
    let forged = genuine.replacen(&genuine[40..44], "AAAA", 1);
    for at in 0..10_000 {
        let cookies: &[&[u8]] = match at % 3 {
            0 => &[],
            1 => &[b"junk"],
            _ => &[forged.as_bytes()],
        };
        let session = lab.open_all(cookies);
        session.renew().unwrap();
        session.clear().unwrap();
        session.remove("value").unwrap();
        session.set_permanent(true).unwrap();
        session.set_label(Some("probe")).unwrap();
        if at % 2 == 0 {
            block_on(session.destroy()).unwrap();
        }
        assert!(matches!(block_on(session.finish()).unwrap().cookie, CookieAction::Keep));
    }
    assert_eq!(lab.calls(), 0);
    assert_eq!(lab.store.len(), 1, "the genuine one");
}

#[test]
fn what_is_not_of_the_one_form_never_reaches_the_store() {
    let lab = Lab::new();
    let cookie = lab.visit();
    let (sid, token) = cookie.split_once('!').unwrap();
    let (sid, token) = (sid.as_bytes(), token.as_bytes());
    let simple = sid.iter().copied().filter(|byte| *byte != b'-').collect::<Vec<u8>>();
    let table: Vec<Vec<u8>> = vec![
        b"".into(),
        b"\"\"".into(),
        b"!".into(),
        b"!!".into(),
        b"a!".into(),
        b"!b".into(),
        sid.into(),
        token.into(),
        joined(&[sid, b"!"]),
        joined(&[b"!", token]),
        joined(&[sid, token]),
        joined(&[sid, b"!!", token]),
        joined(&[sid, b".", token]),
        joined(&[sid, b":", token]),
        joined(&[&sid.to_ascii_uppercase(), b"!", token]),
        joined(&[&simple, b"!", token]),
        joined(&[b"{", sid, b"}!", token]),
        joined(&[b"urn:uuid:", sid, b"!", token]),
        joined(&[b"00000000-0000-0000-0000-000000000000!", token]),
        joined(&[b"ffffffff-ffff-ffff-ffff-ffffffffffff!", token]),
        joined(&[b"\"", sid, b"!", token, b"\""]),
        joined(&[b" ", sid, b"!", token]),
        joined(&[sid, b"!", token, b" "]),
        joined(&[sid, b"!", token, b"="]),
        joined(&[sid, b"!", token, b"\0"]),
        joined(&[sid, b"!", token, b"\r\n"]),
        joined(&[sid, b"!", &token[..63], b"\xff"]),
        joined(&[sid, b"!", &token[..63], b"+"]),
        joined(&[sid, b"!", &token[..63], b"/"]),
        joined(&[sid, b"!", &token[..62], b"=="]),
        joined(&[b"../../../../../../../../../etc/passwd!", token]),
        joined(&[b"/etc/passwd", &sid[11..], b"!", token]),
        joined(&[b"..%2f..%2f", &sid[10..], b"!", token]),
        joined(&[b"\\\\server\\share", &sid[14..], b"!", token]),
        joined(&[b"C:", &sid[2..], b"!", token]),
        joined(&[b"CON", &sid[3..], b"!", token]),
        joined(&[&sid[..35], b".!", token]),
        joined(&[&sid[..17], b"/../", &sid[21..], b"!", token]),
        "\u{ff10}".repeat(40).into_bytes(),
        vec![0; 101],
        vec![0xff; 101],
        vec![b'a'; 4_096],
        vec![b'a'; 8_192],
        cookie.repeat(650).into_bytes(),
        vec![b'!'; 1 << 20],
    ];
    for value in table {
        assert_eq!(lab.refuses_unasked(&value), Reason::Malformed, "{}", value.escape_ascii());
    }
    assert!(!lab.open(&cookie).is_new());
}

#[test]
fn a_cookie_that_was_cut_or_made_longer_never_reaches_the_store() {
    for keys in [sha1(1), sha256(1)] {
        let lab = Lab::with(keys, |builder| builder);
        let cookie = lab.visit();
        for length in 0..cookie.len() {
            lab.refuses_unasked(&cookie[..length]);
            lab.refuses_unasked(&cookie[cookie.len() - length..]);
        }
        for more in ["A", "AA", "AAA", "AAAA", "!", "="] {
            lab.refuses_unasked(cookie.clone() + more);
        }
    }
}

#[test]
fn a_cookie_has_one_textual_form_no_other_byte_in_any_place_reaches_the_store() {
    for keys in [sha1(1), sha256(1)] {
        let lab = Lab::with(keys, |builder| builder);
        let cookie = lab.visit().into_bytes();
        for at in 0..cookie.len() {
            let mut changed = cookie.clone();
            // All bits, and all other characters a cookie is written with.
            let bits = (0..8).map(|bit| cookie[at] ^ 1 << bit);
            let characters = (b'-'..=b'z').filter(|byte| *byte != cookie[at]);
            for byte in bits.chain(characters) {
                changed[at] = byte;
                lab.refuses_unasked(&changed);
            }
        }
        assert!(!lab.open(&cookie).is_new());
    }
}

#[test]
fn the_token_of_one_session_opens_no_other() {
    let lab = Lab::new();
    let [mine, yours] = [lab.visit(), lab.visit()];
    let spliced = format!("{}{}", &yours[SID], &mine[SID.end..]);
    assert_eq!(lab.refuses_unasked(spliced), Reason::Forged);
}

#[test]
fn a_wrong_mac_under_a_right_sid_changes_nothing_in_the_store() {
    let lab = Lab::new();
    let cookie = lab.visit();
    let before = lab.only_record().to_bytes();
    let forged = format!("{}!{}", &cookie[SID], "A".repeat(64));
    assert_eq!(lab.refuses_unasked(&forged), Reason::Forged);
    let session = lab.open(&forged);
    session.insert("planted", "x").unwrap();
    let own = sent(&session).unwrap();
    assert_ne!(own[SID], cookie[SID], "a sid that a client sent is never adopted");
    assert_eq!(lab.store.len(), 2);
    let id = SessionId::parse(cookie[SID].as_bytes()).unwrap();
    let after = block_on(lab.server.manager().get(&id)).unwrap().unwrap();
    assert_eq!(after.to_bytes(), before);
}

#[test]
fn keys_names_realms_and_algorithms_do_not_verify_for_one_another() {
    let lab = Lab::new();
    let cookie = lab.visit();
    let others = [
        Lab::with(sha256(2), |builder| builder),
        Lab::with(sha1(1), |builder| builder),
        Lab::with(sha256(1), |builder| builder.cookie_name("__Host-sie")),
        Lab::with(sha256(1), |builder| builder.cookie_name("sid")),
        Lab::with(sha256(1), |builder| builder.realm("staging")),
        // Parts that are the same when they are joined.
        Lab::with(sha256(1), |builder| builder.realm("__Host-").cookie_name("sid")),
    ];
    for other in others {
        assert_eq!(other.refuses_unasked(&cookie), Reason::Forged);
    }
    let sha1 = Lab::with(sha1(1), |builder| builder).visit();
    assert_eq!(lab.refuses_unasked(sha1), Reason::Forged);
}

#[test]
fn a_key_verifies_while_it_comes_and_goes_and_no_longer() {
    let lab = Lab::new();
    let cookie = lab.visit();
    lab.server.replace_keys(KeyRing::new(sha256(2)).upcoming(sha256(1))).unwrap();
    let session = lab.open(&cookie);
    assert!(!session.is_new());
    assert_eq!(sent(&session), None, "what an upcoming key signed is good as it is");
    lab.server.replace_keys(KeyRing::new(sha256(2)).retired(sha256(1))).unwrap();
    let again = sent(&lab.open(&cookie)).unwrap();
    assert_eq!(again[SID], cookie[SID]);
    lab.server.replace_keys(sha256(2)).unwrap();
    assert!(!lab.open(&again).is_new());
    assert_eq!(lab.refuses_unasked(&cookie), Reason::Forged);
}

#[test]
fn an_unknown_sid_that_we_signed_is_nobody_and_is_not_used_again() {
    let lab = Lab::new();
    let cookie = lab.visit();
    block_on(lab.server.revoke_everyone()).unwrap();
    let session = lab.open(&cookie);
    assert!(session.is_new());
    assert_eq!(lab.reasons(), [Reason::Absent]);
    assert_eq!(sent(&session), None, "no removal either");
    let session = lab.open(&cookie);
    session.insert("value", "new").unwrap();
    assert_ne!(sent(&session).unwrap()[SID], cookie[SID]);
}

#[test]
fn a_good_cookie_among_bad_ones_is_found_wherever_it_stands() {
    let lab = Lab::new();
    let cookie = lab.visit();
    for at in 0..8 {
        let mut cookies: Vec<&[u8]> = vec![b"junk"; 7];
        cookies.insert(at, cookie.as_bytes());
        assert!(!lab.open_all(&cookies).is_new(), "in place {at}");
    }
}

#[test]
fn no_more_than_eight_cookies_are_looked_at() {
    let lab = Lab::new();
    let cookie = lab.visit();
    for junk in [8, 100, 500] {
        let mut cookies: Vec<&[u8]> = vec![b"junk"; junk];
        cookies.push(cookie.as_bytes());
        lab.reasons();
        assert!(lab.open_all(&cookies).is_new());
        let reasons = lab.reasons();
        assert_eq!(reasons.len(), 9);
        assert_eq!(reasons.last(), Some(&Reason::TooMany));
        assert_eq!(lab.calls(), 0);
    }
}

#[test]
fn two_cookies_of_different_live_sessions_are_nobody_in_either_order() {
    let lab = Lab::new();
    let [mine, planted] = [lab.visit(), lab.visit()];
    for cookies in [[&mine, &planted], [&planted, &mine]] {
        let session = lab.open_all(&cookies.map(String::as_bytes));
        assert!(session.is_new());
        assert_eq!(lab.reasons(), [Reason::Ambiguous]);
        assert_eq!(sent(&session), None);
    }
    assert!(!lab.open_all(&[mine.as_bytes(); 2]).is_new(), "the same one twice is no doubt");
}

#[test]
fn names_of_a_session_are_no_cookies() {
    let lab = Lab::new();
    let session = lab.open_all(&[]);
    session.insert("value", "kept").unwrap();
    let cookie = sent(&session).unwrap();
    let handle = session.handle().unwrap().to_string();
    let sid = &cookie[SID];
    for name in [sid, &handle, &sid.replace('-', ""), &format!("{sid}!{handle}")] {
        lab.refuses_unasked(name);
    }
    let record = lab.only_record().to_bytes();
    lab.refuses_unasked(&record[..101]);
    lab.refuses_unasked(&record);
}

#[test]
fn cookies_of_other_libraries_are_never_taken() {
    let lab = Lab::new();
    let sid = lab.visit()[SID].to_owned();
    for foreign in [
        // The Flask snippet: base64 of HMAC-SHA1 over `sid:randval`.
        format!("{sid}!3wnF0A4+BgG2Yb1O0mG9oR9kdmQ="),
        // Signed by express, by Django, a JWT without a signature.
        format!("s:{sid}.Yx9bTkFXvPz0cJ3y4S5rGqLQm8hV7dWn2uKo1eRt6sA"),
        format!("{sid}:1tDgkS:hJ3x9Zk2vQw8Lm5nRt7pYb4cVd6"),
        "eyJhbGciOiJub25lIn0.eyJzaWQiOiIxIn0.".to_owned(),
    ] {
        assert_eq!(lab.refuses_unasked(foreign), Reason::Malformed);
    }
}

#[test]
fn thousands_of_well_formed_guesses_cost_no_store_call() {
    let lab = Lab::new();
    lab.visit();
    let mut buffer = [0; SessionId::TEXT_BYTES];
    for _ in 0..5_000 {
        let [sid, a, b] = [(); 3].map(|()| SessionId::random().unwrap());
        // 64 characters of the alphabet, as good as random.
        let token = [a, b].map(|id| id.encode(&mut [0; 36])[..32].replace('-', "_")).concat();
        let guess = format!("{}!{token}", sid.encode(&mut buffer));
        assert_eq!(lab.refuses_unasked(guess), Reason::Forged);
    }
}

#[test]
fn a_generator_that_repeats_itself_ends_in_an_error_and_not_in_a_loop() {
    let lab = Lab::new();
    lab.breaks(Instead::Conflicts);
    let session = lab.open_all(&[]);
    session.insert("value", "kept").unwrap();
    let error = block_on(session.save()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Contended);
    assert_eq!(lab.calls(), 6, "three tries, and a look after each");
    assert!(session.is_modified(), "the change is kept");
    lab.breaks(Instead::Nothing);
    assert!(sent(&session).is_some());
}

#[test]
fn tokens_and_sids_use_every_value_of_every_byte() {
    let lab = Lab::new();
    let mut seen: Vec<HashSet<u8>> = vec![HashSet::new(); 36 + 22];
    for _ in 0..4_096 {
        let session = lab.open_all(&[]);
        session.insert("value", "kept").unwrap();
        let cookie = sent(&session).unwrap();
        let random = cookie[SID].bytes().chain(cookie[SID.end + 1..].bytes().take(22));
        for (seen, byte) in seen.iter_mut().zip(random) {
            seen.insert(byte);
        }
    }
    for (at, seen) in seen.iter().enumerate() {
        let expected = match at {
            8 | 13 | 14 | 18 | 23 => 1,
            19 => 4,
            0..36 => 16,
            // 21 characters and two bits of the last are random; its other bits are of the digest.
            _ => 64,
        };
        assert_eq!(seen.len(), expected, "values at {at}");
    }
}
