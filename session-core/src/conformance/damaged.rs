//! What is stored and cannot be read.

use super::{
    DamageHarness, Harness,
    subject::{IDLE, assert_is, assert_none, created, new_id, record},
};
use crate::{ErrorKind, Expect, Outcome, Removal, Result, SessionId, SessionManager, Version};

/// Bytes that are no record are never answered, written over as if they were one, or resurrected.
pub fn an_unreadable_record_is_corrupt_or_absent<H: DamageHarness>() {
    let whole = |h: &H, id| record(h, id, 1, &[7; 400]).to_bytes().to_vec();
    check_unreadable::<H>("no record", |_, _| b"What stands here was written by nobody.".to_vec());
    check_unreadable::<H>("nothing", |_, _| Vec::new());
    check_unreadable::<H>("zeros", |_, _| vec![0; 500]);
    check_unreadable::<H>("a header without its end", |h, id| whole(h, id)[..60].to_vec());
    check_unreadable::<H>("another magic", |h, id| {
        let mut bytes = whole(h, id);
        bytes[0] ^= 1;
        bytes
    });
}

/// A record that stands under the id of another session is never answered.
pub fn a_record_of_another_session_is_corrupt_or_absent<H: DamageHarness>() {
    const WHAT: &str = "a record of another session";
    let h = H::start();
    h.block_on(async {
        let planted = async || {
            let id = *created(&h, b"before it was damaged").await.id();
            h.plant(&id, &record(&h, new_id(), 1, &[7; 400]).to_bytes());
            id
        };
        let found = corrupt_or(h.manager().get(&planted().await).await, WHAT, "get");
        assert_none(found.flatten().as_deref(), WHAT);
        if let Some(probing) = h.manager().probing() {
            let probed = corrupt_or(probing.probe(&planted().await).await, WHAT, "probe");
            assert_eq!(probed.flatten(), None, "{WHAT}: probe");
        }
        let id = planted().await;
        let removed = corrupt_or(h.manager().remove(&id, None).await, WHAT, "remove");
        assert_never_live(&h, &id, WHAT).await;
        if removed.is_some() {
            let found = h.manager().get(&id).await.expect("a get after a removal");
            assert_none(found.as_deref(), WHAT);
        }
    });
}

/// A record of a later format stays as it is, so that a rollback eats no session.
pub fn a_record_of_a_later_format_is_left_as_it_is<H: DamageHarness>() {
    let h = H::start();
    h.block_on(async {
        let id = *created(&h, b"before the update").await.id();
        let mut bytes = record(&h, id, 1, &[7; 400]).to_bytes().to_vec();
        let format = u16::from_le_bytes([bytes[4], bytes[5]]) + 1;
        bytes[4..6].copy_from_slice(&format.to_le_bytes());
        h.plant(&id, &bytes);
        for _ in 0..2 {
            assert_unsupported(h.manager().get(&id).await, "get");
            assert_unsupported(h.manager().exists(&id).await, "exists");
            let next = record(&h, id, 2, b"next");
            for expect in [Expect::Absent, Expect::Version(Version::FIRST)] {
                assert_unsupported(h.manager().put(&next, expect).await, "put");
            }
            let later = h.now().saturating_add(IDLE);
            assert_unsupported(h.manager().touch(&id, Version::FIRST, later).await, "touch");
            assert_unsupported(h.manager().remove(&id, None).await, "remove");
            if let Some(probing) = h.manager().probing() {
                assert_unsupported(probing.probe(&id).await, "probe");
            }
            h.advance(IDLE * 100);
            sweep(&h).await;
        }
    });
}

/// What is damaged is one session's misfortune: the others are read, listed and swept.
pub fn damage_harms_no_other_session<H: DamageHarness>() {
    let h = H::start();
    h.block_on(async {
        let before = created(&h, b"before").await;
        let damaged = created(&h, b"damaged").await;
        let after = created(&h, b"after").await;
        h.plant(damaged.id(), b"What stands here was written by nobody.");
        sweep(&h).await;
        if let Some(listing) = h.manager().listing() {
            let mut cursor = None;
            let mut named = Vec::new();
            loop {
                let page = listing.scan(cursor.as_ref(), 10).await.expect("scan");
                named.extend(page.ids);
                cursor = page.next;
                if cursor.is_none() {
                    break;
                }
            }
            for record in [&before, &after] {
                assert!(named.contains(record.id()), "a scan names the sessions that are whole");
            }
        }
        let _ = h.manager().get(damaged.id()).await;
        assert_is(&h, &before).await;
        assert_is(&h, &after).await;
    });
}

/// Each verb is the first to meet it once: a backend may move it away then.
fn check_unreadable<H: DamageHarness>(what: &str, bytes: impl Fn(&H, SessionId) -> Vec<u8>) {
    let h = H::start();
    h.block_on(async {
        let manager = h.manager();
        let planted = async || {
            let id = *created(&h, b"before it was damaged").await.id();
            h.plant(&id, &bytes(&h, id));
            id
        };
        let id = planted().await;
        let found = corrupt_or(manager.get(&id).await, what, "get");
        assert_none(found.flatten().as_deref(), what);
        let id = planted().await;
        assert_ne!(corrupt_or(manager.exists(&id).await, what, "exists"), Some(true), "{what}");
        let id = planted().await;
        let second = manager.put(&record(&h, id, 2, b"2"), Expect::Version(Version::FIRST)).await;
        assert_gone(corrupt_or(second, what, "put"), what, "put");
        let id = planted().await;
        let later = h.now().saturating_add(IDLE);
        let touched = manager.touch(&id, Version::FIRST, later).await;
        assert_gone(corrupt_or(touched, what, "touch"), what, "touch");
        if let Some(probing) = manager.probing() {
            let id = planted().await;
            let probed = corrupt_or(probing.probe(&id).await, what, "probe");
            assert_eq!(probed.flatten(), None, "{what}: probe");
        }
        // It may stand in the way of a new record, or make room for it; both are said.
        let id = planted().await;
        let new = record(&h, id, 1, b"new");
        match corrupt_or(manager.put(&new, Expect::Absent).await, what, "create") {
            Some(Outcome::Stored) => assert_is(&h, &new).await,
            None => assert_never_live(&h, &id, what).await,
            Some(refused) => panic!("{what}: a create answered {refused:?}"),
        }
        let id = planted().await;
        let removed = corrupt_or(manager.remove(&id, None).await, what, "remove");
        assert!(matches!(removed, None | Some(Removal::Gone)), "{what}: remove was {removed:?}");
        assert_never_live(&h, &id, what).await;
        // What answered for the damaged one stays so.
        if removed == Some(Removal::Gone) {
            let found = manager.get(&id).await.expect("a get after a removal that was answered");
            assert_none(found.as_deref(), what);
        }
    });
}

async fn assert_never_live<H: Harness>(h: &H, id: &SessionId, what: &str) {
    let found = corrupt_or(h.manager().get(id).await, what, "get");
    assert_none(found.flatten().as_deref(), what);
}

/// The answer, or `None` if it was [`ErrorKind::Corrupt`]; no other error will do.
fn corrupt_or<T>(answer: Result<T>, what: &str, verb: &str) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {verb} failed: {error}");
            None
        }
    }
}

fn assert_gone(answer: Option<Outcome>, what: &str, verb: &str) {
    assert!(matches!(answer, None | Some(Outcome::Gone)), "{what}: {verb} was {answer:?}");
}

fn assert_unsupported<T: std::fmt::Debug>(answer: Result<T>, verb: &str) {
    match answer {
        Ok(answer) => panic!("a record of a later format: {verb} was answered {answer:?}"),
        Err(error) => {
            let kind = error.kind();
            assert_eq!(kind, ErrorKind::Unsupported, "a record of a later format: {verb}");
        }
    }
}

async fn sweep<H: Harness>(h: &H) {
    if let Some(sweeping) = h.manager().sweeping() {
        while sweeping.sweep().await.expect("a sweep leaves what it cannot read").more {}
    }
}
