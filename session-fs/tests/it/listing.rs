//! Finding sessions.

use std::{
    collections::HashSet,
    fs,
    sync::atomic::{AtomicBool, Ordering},
};

use session_core::Expect;
use session_core::{ListSessions, Outcome, PrincipalTag, SessionId, SessionManager, Version};

use crate::{
    records::{new_id, tagged},
    store::{Store, block_on},
};

const ALICE: PrincipalTag = PrincipalTag::from_bytes([0xa1; 16]);

/// A backup that holds files by links makes every change of one a new file.
#[test]
fn a_scan_names_every_session_while_others_move_into_new_files() {
    for store in [Store::new(), Store::in_memory()] {
        let ids: Vec<_> = (0..300).map(|_| in_one_folder()).collect();
        for id in &ids {
            let record = tagged(*id, 1, store.idle(), None, b"value");
            assert_eq!(store.put(&record, Expect::Absent), Ok(Outcome::Stored));
        }
        let done = AtomicBool::new(false);
        let link = store.folder.path().join("link");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for id in ids.iter().cycle() {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    fs::hard_link(store.file(id), &link).expect("a link");
                    let touched = block_on(store.manager.touch(id, Version::FIRST, store.idle()));
                    assert_eq!(touched.expect("touch"), Outcome::Stored);
                    fs::remove_file(&link).expect("removed");
                }
            });
            for _ in 0..40 {
                let named = block_on(store.manager.scan(None, 10_000)).expect("a scan").ids;
                let named: HashSet<_> = named.into_iter().collect();
                let missed = ids.iter().filter(|id| !named.contains(id)).count();
                if missed > 0 {
                    done.store(true, Ordering::Relaxed);
                }
                assert_eq!(missed, 0);
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}

fn in_one_folder() -> SessionId {
    let mut bytes = *new_id().as_bytes();
    (bytes[0], bytes[1]) = (0xab, 0xc0 | bytes[1] & 15);
    SessionId::from_bytes(bytes).expect("still a version 4 UUID")
}

#[test]
fn pages_go_on_after_another_listing_and_in_another_manager() {
    let store = Store::new();
    for _ in 0..25 {
        let record = tagged(new_id(), 1, store.idle(), Some(ALICE), b"value");
        assert_eq!(store.put(&record, Expect::Absent), Ok(Outcome::Stored));
    }
    let other = crate::store::open(store.folder.path(), &store.clock);
    let (mut cursor, mut found, mut turns) = (None, HashSet::new(), 0);
    loop {
        let manager = if turns % 3 == 2 { &other } else { &store.manager };
        let page = block_on(manager.by_principal(&ALICE, cursor.as_ref(), 4)).expect("a page");
        assert!(page.ids.len() <= 4);
        assert!(page.ids.iter().all(|id| found.insert(*id)), "named once");
        turns += 1;
        // More listings than are remembered.
        for _ in 0..if turns % 2 == 0 { 20 } else { 0 } {
            assert_eq!(block_on(manager.scan(None, 3)).expect("a page").ids.len(), 3);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((found.len(), turns), (25, 7));
}
