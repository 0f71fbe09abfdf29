//! Outliving the process.

use super::{
    Harness,
    subject::{IDLE, assert_none, assert_same, created},
};
use crate::{Outcome, SessionManager, Version};

/// What was stored is there for the next manager.
pub fn records_survive_a_new_manager<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, &[3; 700]).await;
        let later = h.now().saturating_add(IDLE * 2);
        let touched = h.manager().touch(record.id(), Version::FIRST, later).await.expect("touch");
        assert_eq!(touched, Outcome::Stored);
        let next = h.reopen();
        let found = next.get(record.id()).await.expect("get");
        assert_same(found.as_deref(), &record.with_expires_at(later));
    });
}

/// What was removed stays removed.
pub fn removals_survive_a_new_manager<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, b"value").await;
        h.manager().remove(record.id(), None).await.expect("remove");
        let found = h.reopen().get(record.id()).await.expect("get");
        assert_none(found.as_deref(), "removed before the manager was opened");
        let kept = created(&h, b"kept").await;
        assert_same(h.reopen().get(kept.id()).await.expect("get").as_deref(), &kept);
    });
}
