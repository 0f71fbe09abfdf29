//! Processes whose clocks differ.

use std::sync::Arc;

use super::{
    ClockHarness,
    subject::{IDLE, assert_absent, assert_is, created},
};
use crate::{ManualClock, Removal, SessionManager, Version};

/// What a removal found expired is gone for those too whose clock says that it is live.
pub fn a_removal_by_a_clock_ahead_is_seen_by_all<H: ClockHarness>() {
    let h = H::start();
    let clock = ManualClock::at(h.now().saturating_add(IDLE * 2));
    let ahead = h.reopen_with_clock(Arc::new(clock));
    h.block_on(async {
        for only in [None, Some(Version::FIRST)] {
            let record = created(&h, b"live for one of two").await;
            assert_eq!(ahead.remove(record.id(), only).await.expect("remove"), Removal::Gone);
            assert_absent(&h, record.id(), "removed by a process whose clock is ahead").await;
        }
    });
}

/// A clock that may be wrong deletes nothing for good.
pub fn a_sweep_by_a_clock_in_doubt_removes_nothing<H: ClockHarness>() {
    let h = H::start();
    let clock = ManualClock::at(h.now().saturating_add(IDLE * 2));
    clock.set_settled(false);
    let ahead = h.reopen_with_clock(Arc::new(clock));
    // A backend that cannot sweep promises nothing here.
    let Some(sweeping) = ahead.sweeping() else { return };
    h.block_on(async {
        let record = created(&h, b"live for one of two").await;
        while sweeping.sweep().await.expect("sweep").more {}
        assert_is(&h, &record).await;
    });
}
