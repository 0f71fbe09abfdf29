//! Handing out what is in memory.

use std::sync::Arc;

use super::{
    Harness,
    subject::{IDLE, assert_none, assert_same, created, get, new_id, put, record},
};
use crate::{Outcome, Record, SessionId, SessionManager, Version};

fn recall<H: Harness>(h: &H, id: &SessionId) -> Option<Arc<Record>> {
    let recalling =
        h.manager().recalling().expect("the group `recall` needs the ability to recall");
    recalling.recall(id)
}

/// What is recalled is what a get returns; nothing need be recalled.
async fn assert_agrees<H: Harness>(h: &H, id: &SessionId) {
    // Before the get, which may change what is at hand.
    let recalled = recall(h, id);
    let got = get(h, id).await;
    if let Some(recalled) = recalled {
        assert_same(Some(&recalled), got.as_deref().expect("what is recalled can be got"));
    }
}

/// The ability is of use.
pub fn what_was_got_is_recalled<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, b"value").await;
        get(&h, record.id()).await;
        assert_same(recall(&h, record.id()).as_deref(), &record);
    });
}

/// Nothing is recalled that a get would not return.
pub fn recall_agrees_with_get<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let first = created(&h, b"first").await;
        let second = created(&h, b"second").await;
        assert_none(recall(&h, &new_id()).as_deref(), "never stored");
        for _ in 0..2 {
            assert_agrees(&h, first.id()).await;
            assert_agrees(&h, second.id()).await;
        }
    });
}

/// Nothing is recalled as it was before a write of this manager.
pub fn recall_sees_what_this_manager_wrote<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let id = *created(&h, b"first").await.id();
        get(&h, &id).await;
        assert_eq!(put(&h, &record(&h, id, 2, &[1; 6_000]), 1).await, Outcome::Stored);
        assert_agrees(&h, &id).await;
        let later = h.now().saturating_add(IDLE * 2);
        let touched = h.manager().touch(&id, Version::new(2), later).await.expect("touch");
        assert_eq!(touched, Outcome::Stored);
        assert_agrees(&h, &id).await;
        h.manager().remove(&id, None).await.expect("remove");
        assert_none(recall(&h, &id).as_deref(), "removed");
    });
}

/// Nobody need look at the deadline of what is recalled.
pub fn expired_is_not_recalled<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, b"value").await;
        get(&h, record.id()).await;
        h.advance(IDLE);
        assert_none(recall(&h, record.id()).as_deref(), "expired");
    });
}
