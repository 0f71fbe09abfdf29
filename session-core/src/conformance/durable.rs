//! Outliving the process.

use super::{
    DurableHarness,
    subject::{IDLE, assert_absent, assert_is, created},
};
use crate::{Outcome, SessionManager, Version};

/// What was stored is there for the next manager.
pub fn records_survive_a_new_manager<H: DurableHarness>() {
    let h = H::start();
    let record = h.block_on(async {
        let record = created(&h, &[3; 700]).await;
        let later = h.now().saturating_add(IDLE * 2);
        let touched = h.manager().touch(record.id(), Version::FIRST, later).await.expect("touch");
        assert_eq!(touched, Outcome::Stored);
        record.with_expires_at(later)
    });
    let h = h.restart();
    h.block_on(assert_is(&h, &record));
}

/// What was removed stays removed.
pub fn removals_survive_a_new_manager<H: DurableHarness>() {
    let h = H::start();
    let (removed, kept) = h.block_on(async {
        let removed = created(&h, b"removed").await;
        h.manager().remove(removed.id(), None).await.expect("remove");
        (removed, created(&h, b"kept").await)
    });
    let h = h.restart();
    h.block_on(async {
        assert_absent(&h, removed.id(), "removed before the restart").await;
        assert_is(&h, &kept).await;
    });
}
