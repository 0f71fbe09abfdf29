//! Clearing expired records away.

pub use super::race::a_sweep_is_one_step;
use super::{
    Harness,
    subject::{IDLE, assert_absent, assert_is, created},
};
use crate::{Outcome, SessionManager, Version};

fn sweep_all<H: Harness>(h: &H) -> (u64, u64) {
    let sweeping = h.manager().sweeping().expect("the group `sweep` needs the ability to sweep");
    let (mut scanned, mut removed) = (0, 0);
    for _ in 0..10_000 {
        let swept = h.block_on(sweeping.sweep()).expect("sweep");
        scanned += swept.scanned;
        removed += swept.removed;
        if !swept.more {
            return (scanned, removed);
        }
    }
    panic!("a sweep that does not end");
}

/// What is expired is removed, and counted.
pub fn sweep_removes_expired<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        for at in 0..5_u8 {
            created(&h, &[at; 100]).await;
        }
    });
    h.advance(IDLE);
    let live = h.block_on(created(&h, b"live"));
    assert_eq!(sweep_all(&h).1, 5);
    h.block_on(assert_is(&h, &live));
}

/// What is live stays, also when it lives because of a touch.
pub fn sweep_keeps_live<H: Harness>() {
    let h = H::start();
    let touched = h.block_on(created(&h, b"touched"));
    h.advance(IDLE / 2);
    let young = h.block_on(created(&h, b"young"));
    let later = h.now().saturating_add(IDLE * 2);
    let outcome =
        h.block_on(h.manager().touch(touched.id(), Version::FIRST, later)).expect("touch");
    assert_eq!(outcome, Outcome::Stored);
    h.advance(IDLE);
    assert_eq!(sweep_all(&h).1, 1, "only the young one, which nobody touched, is expired");
    h.block_on(async {
        assert_is(&h, &touched.with_expires_at(later)).await;
        assert_absent(&h, young.id(), "expired and swept").await;
    });
}

/// A second sweep finds nothing to do.
pub fn sweep_twice_is_ok<H: Harness>() {
    let h = H::start();
    h.block_on(created(&h, b"expired"));
    h.advance(IDLE);
    sweep_all(&h);
    let live = h.block_on(created(&h, b"live"));
    assert_eq!(sweep_all(&h).1, 0);
    assert_eq!(sweep_all(&h).1, 0);
    h.block_on(assert_is(&h, &live));
}

/// However many are expired, they are gone when a sweep says that there is no more.
pub fn sweeps_of_many_end_with_none_left<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        for _ in 0..2_000 {
            created(&h, b"expired").await;
        }
    });
    h.advance(IDLE);
    assert_eq!(sweep_all(&h).1, 2_000, "records removed");
    assert_eq!(sweep_all(&h).1, 0, "records removed by the next sweep");
}
