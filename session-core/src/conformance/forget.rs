//! Dropping cached copies.

use std::{
    pin::pin,
    task::{Context, Waker},
};

use super::{
    Harness,
    subject::{IDLE, assert_is, assert_same, create, created, get, new_id, record},
};
use crate::{Expect, Outcome, Record, Removal, SessionId, SessionManager, Version};

fn forget<H: Harness>(h: &H, id: &SessionId) {
    let forgetting =
        h.manager().forgetting().expect("the group `forget` needs the ability to forget");
    forgetting.forget(id);
}

/// Reads the record until the manager may have a copy of it.
async fn cached<H: Harness>(h: &H, record: &Record) {
    for _ in 0..2 {
        assert_is(h, record).await;
    }
}

/// Whatever another manager did to a cached record, a get after forget sees it.
pub fn a_get_after_forget_sees_the_store<H: Harness>() {
    let h = H::start();
    let other = h.reopen();
    h.block_on(async {
        let first = created(&h, b"first").await;
        let id = *first.id();
        cached(&h, &first).await;
        let second = record(&h, id, 2, &[2; 5_000]);
        let outcome = other.put(&second, Expect::Version(Version::FIRST)).await.expect("put");
        assert_eq!(outcome, Outcome::Stored);
        forget(&h, &id);
        if let Some(recalling) = h.manager().recalling() {
            assert!(
                recalling.recall(&id).is_none_or(|record| record.version() == second.version())
            );
        }
        assert_is(&h, &second).await;
        let later = h.now().saturating_add(IDLE * 2);
        let touched = other.touch(&id, Version::new(2), later).await.expect("touch");
        assert_eq!(touched, Outcome::Stored);
        forget(&h, &id);
        assert_eq!(get(&h, &id).await.expect("live").expires_at(), later);
        assert_eq!(other.remove(&id, None).await.expect("remove"), Removal::Removed);
        forget(&h, &id);
        assert!(get(&h, &id).await.is_none());
        assert!(!h.manager().exists(&id).await.expect("exists"));
    });
}

/// What is being read when the copy is dropped is neither joined nor kept.
pub fn a_read_under_way_does_not_outlive_forget<H: Harness>() {
    let h = H::start();
    let other = h.reopen();
    h.block_on(async {
        let first = record(&h, new_id(), 1, b"first");
        let id = *first.id();
        assert_eq!(other.put(&first, Expect::Absent).await.expect("put"), Outcome::Stored);
        let mut early = pin!(h.manager().get(&id));
        // It may wait for the store now, or have ended: both must be seen through.
        let polled = early.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let second = record(&h, id, 2, b"second");
        let outcome = other.put(&second, Expect::Version(Version::FIRST)).await.expect("put");
        assert_eq!(outcome, Outcome::Stored);
        forget(&h, &id);
        assert_same(get(&h, &id).await.as_deref(), &second);
        if polled.is_pending() {
            early.await.expect("get");
        }
        assert_same(get(&h, &id).await.as_deref(), &second);
    });
}

/// Only copies are dropped, and only those of one id.
pub fn forget_changes_nothing<H: Harness>() {
    let h = H::start();
    let other = h.reopen();
    h.block_on(async {
        let kept = created(&h, b"kept").await;
        let forgotten = record(&h, new_id(), 1, b"forgotten");
        create(&h, &forgotten).await;
        cached(&h, &forgotten).await;
        forget(&h, &new_id());
        forget(&h, forgotten.id());
        forget(&h, forgotten.id());
        for record in [&kept, &forgotten] {
            assert_is(&h, record).await;
            assert_same(other.get(record.id()).await.expect("get").as_deref(), record);
        }
    });
}
