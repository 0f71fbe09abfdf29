//! What a thief gains who can write the folder and has no key.

use std::fs;

use session_core::{
    CookieAction, Expect, Outcome, PrincipalTag, SessionInterface, SessionManager, SigningKey,
};

use crate::{
    records::{new_id, tagged},
    store::{Store, block_on, files},
};

#[test]
fn a_session_without_its_entry_in_the_index_is_hidden_from_its_owners_list_and_outlives_revoke_all()
{
    let store = Store::new();
    let key = SigningKey::hmac_sha256((0..32).collect::<Vec<u8>>()).expect("a key");
    let server = SessionInterface::builder(store.manager.clone(), key)
        .clock(store.clock.clone())
        .build()
        .expect("the settings are valid");
    let session = block_on(server.open([])).expect("open");
    block_on(session.bind("alice")).expect("bind");
    let CookieAction::Set(cookie) = block_on(session.finish()).expect("finish").cookie else {
        panic!("a new session has a cookie");
    };
    let listed = || block_on(server.sessions_of("alice")).expect("a list").len();
    assert_eq!(listed(), 1);

    let entries = files(&store.folder.path().join("principals"));
    assert_eq!(entries.len(), 1);
    fs::remove_file(&entries[0]).expect("the thief may");

    assert_eq!(listed(), 0, "hidden");
    assert_eq!(block_on(server.revoke_all("alice", None)).expect("revoke"), 0);
    let session = block_on(server.open([cookie.value().as_bytes()])).expect("open");
    assert_eq!(session.principal().as_deref(), Some("alice"), "not revoked");
}

#[test]
fn a_session_in_use_that_is_missing_from_its_owners_list_is_in_it_again_after_a_sweep() {
    let store = Store::new();
    let tag = PrincipalTag::from_bytes([0xa1; 16]);
    let record = tagged(new_id(), 1, store.idle(), Some(tag), b"value");
    assert_eq!(store.put(&record, Expect::Absent), Ok(Outcome::Stored));
    let entries = files(&store.folder.path().join("principals"));
    fs::remove_file(&entries[0]).expect("the thief may");
    let listed = || {
        let listing = store.manager.listing().expect("a manager that lists");
        block_on(listing.by_principal(&tag, None, 10)).expect("a list").ids
    };
    assert_eq!(listed(), []);
    assert_eq!(store.touch(record.id(), 1), Ok(Outcome::Stored));
    block_on(store.manager.sweep_now(|_| {})).expect("sweep");
    assert_eq!(listed(), [*record.id()]);
}
