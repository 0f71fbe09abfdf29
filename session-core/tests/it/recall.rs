//! Sessions that are opened without asking the store, since their record is at hand.

use session_core::{ManagedSession, Opening, Reason, SessionManager, Verified};

use crate::{
    lab::{IDLE, Lab, sent, sha256},
    memory::block_on,
};

fn at_once(verified: &Verified) -> Option<ManagedSession> {
    match verified.open() {
        Opening::Ready(session) => Some(session),
        Opening::Waits(_) => None,
    }
}

#[test]
fn a_session_at_hand_is_opened_without_a_call() {
    let lab = Lab::recalling();
    let cookie = lab.visit();
    let session = at_once(&lab.server.verify([cookie.as_bytes()])).expect("it is in memory");
    assert_eq!(session.get::<String>("value").unwrap().as_deref(), Some("kept"));
    assert_eq!(lab.open(&cookie).get::<String>("value").unwrap().as_deref(), Some("kept"));
    assert_eq!(lab.calls(), 0);
}

#[test]
fn where_nothing_is_at_hand_the_store_is_asked_once() {
    let lab = Lab::new();
    let cookie = lab.visit();
    let verified = lab.server.verify([cookie.as_bytes()]);
    assert!(at_once(&verified).is_none());
    assert_eq!(lab.calls(), 0);
    let session = block_on(verified.open().into_future()).unwrap();
    assert_eq!(session.get::<String>("value").unwrap().as_deref(), Some("kept"));
    assert_eq!(lab.calls(), 1);
}

#[test]
fn a_visitor_without_a_genuine_cookie_waits_for_nobody() {
    for lab in [Lab::new(), Lab::recalling()] {
        let forged = lab.visit();
        lab.server.replace_keys(sha256(2)).unwrap();
        for cookies in [&[][..], &[b"junk".as_slice()], &[forged.as_bytes()]] {
            let session = at_once(&lab.server.verify(cookies.iter().copied()));
            assert!(session.expect("nobody is to be asked").is_new());
        }
        assert_eq!(lab.calls(), 0);
        assert_eq!(lab.reasons(), [Reason::Malformed, Reason::Forged]);
    }
}

#[test]
fn of_two_genuine_cookies_neither_is_taken_before_both_were_looked_at() {
    let lab = Lab::recalling();
    let (first, second) = (lab.visit(), lab.visit());
    let cookies = [first.as_bytes(), second.as_bytes()];
    assert!(at_once(&lab.server.verify(cookies)).is_none());
    assert!(lab.open_all(&cookies).is_new());
    assert_eq!(lab.reasons(), [Reason::Ambiguous]);
}

#[test]
fn what_is_recalled_is_looked_at_as_what_is_got() {
    let lab = Lab::recalling();
    let cookie = lab.visit();
    let session = lab.open(&cookie);
    session.renew().unwrap();
    let renewed = sent(&session).expect("the new one");
    lab.calls();
    assert!(lab.open(&cookie).is_new(), "its token was replaced");
    assert_eq!(lab.reasons(), [Reason::Stale]);
    assert_eq!(lab.calls(), 1, "only the store can say that a token is stale");
    assert!(!lab.open(&renewed).is_new());
    assert_eq!(lab.calls(), 0);
    lab.clock.advance(IDLE);
    assert!(lab.open(&renewed).is_new(), "it is expired");
    assert_eq!(lab.calls(), 1, "and what is expired is not in memory");
}

#[test]
fn what_is_not_at_hand_is_asked_for_once_and_told_once() {
    let lab = Lab::recalling();
    let cookie = lab.visit();
    block_on(lab.store.remove(lab.only_record().id(), None)).unwrap();
    assert!(lab.open(&cookie).is_new());
    assert_eq!(lab.calls(), 1);
    assert_eq!(lab.reasons(), [Reason::Absent]);
}
