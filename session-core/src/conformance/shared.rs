//! Several managers on one store.

use super::{
    Harness,
    base::in_parallel,
    subject::{
        IDLE, assert_absent, assert_is, assert_none, assert_same, created, get, new_id, put, record,
    },
};
pub use super::{
    overlap::overlapping_requests_of_two_processes,
    race::a_call_of_one_manager_is_one_step_for_another,
};
use crate::{Expect, Outcome, Removal, SessionManager, Version};

/// What one manager wrote, the other reads.
pub fn two_managers_see_each_other<H: Harness>() {
    let h = H::start();
    let other = h.reopen();
    h.block_on(async {
        let first = created(&h, b"first").await;
        let id = *first.id();
        assert_same(other.get(&id).await.expect("get").as_deref(), &first);
        let second = record(&h, id, 2, &[2; 5_000]);
        let outcome = other.put(&second, Expect::Version(Version::FIRST)).await.expect("put");
        assert_eq!(outcome, Outcome::Stored);
        assert_same(get(&h, &id).await.as_deref(), &second);
        let later = h.now().saturating_add(IDLE * 2);
        let touched = h.manager().touch(&id, Version::new(2), later).await.expect("touch");
        assert_eq!(touched, Outcome::Stored);
        assert_eq!(other.get(&id).await.expect("get").expect("live").expires_at(), later);
        assert_eq!(put(&h, &record(&h, id, 3, b"third"), 2).await, Outcome::Stored);
        let stale = other.put(&record(&h, id, 3, b"stale"), Expect::Version(Version::new(2))).await;
        assert_eq!(stale.expect("put"), Outcome::Conflict);
    });
}

/// What one manager removed is gone for the other.
pub fn a_removal_is_seen_by_both<H: Harness>() {
    let h = H::start();
    let other = h.reopen();
    h.block_on(async {
        let record = created(&h, b"value").await;
        let id = record.id();
        assert_same(other.get(id).await.expect("get").as_deref(), &record);
        assert_is(&h, &record).await;
        assert_eq!(other.remove(id, None).await.expect("remove"), Removal::Removed);
        assert_absent(&h, id, "removed through another manager").await;
        assert!(!h.manager().exists(id).await.expect("exists"), "removed through another manager");
        assert!(!other.exists(id).await.expect("exists"), "removed through this manager");
    });
}

/// What is at hand is as current as what is got, whoever wrote.
pub fn recall_is_as_current_as_get<H: Harness>() {
    let h = H::start();
    // Who cannot recall promises nothing here.
    let Some(recalling) = h.manager().recalling() else { return };
    let other = h.reopen();
    h.block_on(async {
        let id = *created(&h, b"first").await.id();
        get(&h, &id).await;
        let second = record(&h, id, 2, &[2; 5_000]);
        let outcome = other.put(&second, Expect::Version(Version::FIRST)).await.expect("put");
        assert_eq!(outcome, Outcome::Stored);
        if let Some(recalled) = recalling.recall(&id) {
            assert_same(Some(&recalled), &second);
        }
        get(&h, &id).await;
        assert_eq!(other.remove(&id, None).await.expect("remove"), Removal::Removed);
        assert_none(recalling.recall(&id).as_deref(), "removed through another manager");
    });
}

/// Versions hold across managers: no write of either is lost.
pub fn puts_of_two_managers_have_one_winner<H: Harness>() {
    let h = H::start();
    let other = h.reopen();
    let id = *h.block_on(created(&h, b"first")).id();
    for version in 2..8 {
        let outcomes = in_parallel(&h, |writer| {
            let record = record(&h, id, version, &[writer; 300]);
            let (h, other) = (&h, &other);
            async move {
                let expect = Expect::Version(Version::new(version - 1));
                if writer % 2 == 0 {
                    h.manager().put(&record, expect).await
                } else {
                    other.put(&record, expect).await
                }
                .expect("put")
            }
        });
        let won = outcomes.iter().filter(|outcome| **outcome == Outcome::Stored).count();
        assert_eq!(won, 1, "writers that were told they replaced version {}", version - 1);
    }
}

/// A writer that meets another one waits for it, and is not answered with an error.
pub fn writers_of_two_managers_wait_for_each_other<H: Harness>() {
    let h = H::start();
    let other = h.reopen();
    in_parallel(&h, |writer| {
        let (h, other) = (&h, &other);
        async move {
            let manager = if writer < 4 { h.manager() } else { other };
            for _ in 0..100 {
                let record = record(h, new_id(), 1, &[writer; 300]);
                let outcome = manager.put(&record, Expect::Absent).await.expect("put");
                assert_eq!(outcome, Outcome::Stored);
            }
        }
    });
}
