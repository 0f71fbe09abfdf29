//! Finding sessions.

use std::collections::HashSet;

use super::{
    Harness,
    subject::{IDLE, create, created, get, new_id, put, tagged},
};
use crate::{Cursor, Outcome, PrincipalTag, SessionId, SessionManager};

const ALICE: PrincipalTag = PrincipalTag::from_bytes([0xa1; 16]);
const BOB: PrincipalTag = PrincipalTag::from_bytes([0xb0; 16]);

/// Every id that a listing by `tag`, or a scan, names, in pages of `limit`.
async fn named<H: Harness>(h: &H, tag: Option<PrincipalTag>, limit: usize) -> HashSet<SessionId> {
    let listing = h.manager().listing().expect("the group `list` needs the ability to list");
    let mut ids = HashSet::new();
    let mut cursor = None;
    for _ in 0..10_000 {
        let page = match &tag {
            Some(tag) => listing.by_principal(tag, cursor.as_ref(), limit).await,
            None => listing.scan(cursor.as_ref(), limit).await,
        }
        .expect("list");
        assert!(page.ids.len() <= limit, "a page of at most {limit}");
        ids.extend(page.ids);
        let Some(next) = page.next else { return ids };
        cursor = Some(next);
    }
    panic!("a listing that does not end");
}

/// Those that are live and have the tag, as a caller finds them.
async fn live<H: Harness>(h: &H, tag: PrincipalTag) -> HashSet<SessionId> {
    let mut live = HashSet::new();
    for id in named(h, Some(tag), 100).await {
        if get(h, &id).await.is_some_and(|record| record.principal_tag() == Some(tag)) {
            live.insert(id);
        }
    }
    live
}

/// No live session of a tag is missed.
pub fn listing_finds_every_session_of_a_tag<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let mut expected = HashSet::new();
        for at in 0..7_u8 {
            let record = tagged(&h, new_id(), 1, &[at; 50], Some(ALICE));
            create(&h, &record).await;
            expected.insert(*record.id());
            create(&h, &tagged(&h, new_id(), 1, &[at; 50], Some(BOB))).await;
        }
        assert_eq!(live(&h, ALICE).await, expected);
        let gone = *expected.iter().next().expect("seven");
        h.manager().remove(&gone, None).await.expect("remove");
        expected.remove(&gone);
        assert_eq!(live(&h, ALICE).await, expected);
        assert_eq!(live(&h, BOB).await.len(), 7);
        assert!(live(&h, PrincipalTag::from_bytes([1; 16])).await.is_empty());
    });
}

/// A record is found under the tag it has now.
pub fn a_record_moves_to_the_tag_it_was_last_put_with<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, b"nobody's").await;
        let id = *record.id();
        assert_eq!(put(&h, &tagged(&h, id, 2, b"alice's", Some(ALICE)), 1).await, Outcome::Stored);
        assert_eq!(live(&h, ALICE).await, HashSet::from([id]));
        assert_eq!(put(&h, &tagged(&h, id, 3, b"bob's", Some(BOB)), 2).await, Outcome::Stored);
        assert!(live(&h, ALICE).await.is_empty());
        assert_eq!(live(&h, BOB).await, HashSet::from([id]));
        assert_eq!(put(&h, &tagged(&h, id, 4, b"nobody's", None), 3).await, Outcome::Stored);
        assert!(live(&h, BOB).await.is_empty());
    });
}

/// A record of nobody is in no one's list, and in the scan.
pub fn a_record_without_a_tag_is_only_scanned<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, b"value").await;
        assert!(named(&h, Some(ALICE), 10).await.is_empty());
        assert!(named(&h, Some(PrincipalTag::from_bytes([0; 16])), 10).await.is_empty());
        assert!(named(&h, None, 10).await.contains(record.id()));
    });
}

/// A scan misses no live session.
pub fn scan_finds_every_session<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        created(&h, b"expired").await;
        h.advance(IDLE);
        let mut expected = HashSet::new();
        for at in 0..9_u8 {
            let record = tagged(&h, new_id(), 1, &[at; 50], (at % 2 == 0).then_some(ALICE));
            create(&h, &record).await;
            expected.insert(*record.id());
        }
        let mut found = HashSet::new();
        for id in named(&h, None, 100).await {
            if get(&h, &id).await.is_some() {
                found.insert(id);
            }
        }
        assert_eq!(found, expected);
    });
}

/// Small pages name the same sessions as large ones.
pub fn listing_in_pages_ends<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let mut expected = HashSet::new();
        for _ in 0..10 {
            let record = tagged(&h, new_id(), 1, b"value", Some(ALICE));
            create(&h, &record).await;
            expected.insert(*record.id());
        }
        for limit in [1, 3, 10, 1_000] {
            assert!(named(&h, Some(ALICE), limit).await.is_superset(&expected), "pages of {limit}");
            assert!(
                named(&h, None, limit).await.is_superset(&expected),
                "scan in pages of {limit}"
            );
        }
    });
}

/// A cursor may come from anywhere: it is data.
pub fn a_foreign_cursor_does_not_panic<H: Harness>() {
    let h = H::start();
    let listing = h.manager().listing().expect("the group `list` needs the ability to list");
    h.block_on(async {
        create(&h, &tagged(&h, new_id(), 1, b"value", Some(ALICE))).await;
        for bytes in [&b""[..], b"0", b"no cursor", &[0; 16], &[0xff; 16], &[0xff; 40], &[7; 4_000]]
        {
            let cursor = Cursor::new(bytes);
            // An error or some page, of at most as many as were asked for.
            for page in [
                listing.scan(Some(&cursor), 10).await,
                listing.by_principal(&ALICE, Some(&cursor), 10).await,
            ] {
                assert!(page.is_err() || page.is_ok_and(|page| page.ids.len() <= 10));
            }
        }
    });
}
