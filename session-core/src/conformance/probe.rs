//! Asking for a version alone.

use super::{
    Harness,
    subject::{IDLE, created, get, new_id, put, record},
};
use crate::{Outcome, Probe, SessionId, SessionManager, Version};

async fn probe<H: Harness>(h: &H, id: &SessionId) -> Option<Probe> {
    let probing = h.manager().probing().expect("the group `probe` needs the ability to probe");
    probing.probe(id).await.expect("probe")
}

async fn assert_agrees<H: Harness>(h: &H, id: &SessionId) {
    let got = get(h, id)
        .await
        .map(|record| Probe { version: record.version(), expires_at: record.expires_at() });
    assert_eq!(probe(h, id).await, got);
}

/// A probe says what a get would, after every kind of write.
pub fn probe_agrees_with_get<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        assert_eq!(probe(&h, &new_id()).await, None);
        let first = created(&h, b"first").await;
        let id = *first.id();
        assert_agrees(&h, &id).await;
        assert_eq!(put(&h, &record(&h, id, 2, &[1; 6_000]), 1).await, Outcome::Stored);
        assert_eq!(probe(&h, &id).await.expect("live").version, Version::new(2));
        let later = h.now().saturating_add(IDLE * 2);
        let touched = h.manager().touch(&id, Version::new(2), later).await.expect("touch");
        assert_eq!(touched, Outcome::Stored);
        assert_eq!(probe(&h, &id).await.expect("live").expires_at, later);
        assert_agrees(&h, &id).await;
        h.advance(IDLE * 2);
        assert_eq!(probe(&h, &id).await, None);
    });
}

/// A probe is never answered from a copy.
pub fn probe_sees_a_removal<H: Harness>() {
    let h = H::start();
    h.block_on(async {
        let record = created(&h, b"value").await;
        get(&h, record.id()).await;
        let expected = Probe { version: record.version(), expires_at: record.expires_at() };
        assert_eq!(probe(&h, record.id()).await, Some(expected));
        h.reopen().remove(record.id(), None).await.expect("remove");
        assert_eq!(probe(&h, record.id()).await, None);
    });
}
