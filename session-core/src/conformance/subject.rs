//! What all checks are written with.

use std::{sync::Arc, time::Duration};

use super::Harness;
use crate::{Expect, Outcome, PrincipalTag, Record, SessionId, SessionManager, Timestamp, Version};

pub(super) const IDLE: Duration = Duration::from_secs(600);
pub(super) const LIFETIME: Duration = Duration::from_secs(6_000);

pub(super) fn new_id() -> SessionId {
    SessionId::random().expect("the operating system has randomness")
}

/// A record that is live for [`IDLE`], at most for [`LIFETIME`].
pub(super) fn record<H: Harness>(h: &H, id: SessionId, version: u64, body: &[u8]) -> Arc<Record> {
    tagged(h, id, version, body, None)
}

pub(super) fn tagged<H: Harness>(
    h: &H,
    id: SessionId,
    version: u64,
    body: &[u8],
    tag: Option<PrincipalTag>,
) -> Arc<Record> {
    let now = h.now();
    lasting(id, version, body, tag, now.saturating_add(LIFETIME), now.saturating_add(IDLE))
}

pub(super) fn lasting(
    id: SessionId,
    version: u64,
    body: &[u8],
    tag: Option<PrincipalTag>,
    deadline: Timestamp,
    expires_at: Timestamp,
) -> Arc<Record> {
    Arc::new(Record::unsealed(id, Version::new(version), deadline, expires_at, tag, body))
}

/// Creates a record and returns it.
pub(super) async fn created<H: Harness>(h: &H, body: &[u8]) -> Arc<Record> {
    let record = record(h, new_id(), 1, body);
    create(h, &record).await;
    record
}

pub(super) async fn create<H: Harness>(h: &H, record: &Arc<Record>) {
    let outcome = h.manager().put(record, Expect::Absent).await.expect("put");
    assert_eq!(outcome, Outcome::Stored, "creating a record under a new id");
}

pub(super) async fn put<H: Harness>(h: &H, record: &Arc<Record>, over: u64) -> Outcome {
    h.manager().put(record, Expect::Version(Version::new(over))).await.expect("put")
}

pub(super) async fn get<H: Harness>(h: &H, id: &SessionId) -> Option<Arc<Record>> {
    h.manager().get(id).await.expect("get")
}

/// The record under `id` is `expected`, byte for byte.
pub(super) async fn assert_is<H: Harness>(h: &H, expected: &Record) {
    assert_same(get(h, expected.id()).await.as_deref(), expected);
}

pub(super) fn assert_same(found: Option<&Record>, expected: &Record) {
    let found = found.expect("the record is there");
    assert!(found.to_bytes() == expected.to_bytes(), "the bytes are those that were put");
    assert_eq!(found.version(), expected.version());
    assert_eq!(found.deadline(), expected.deadline());
    assert_eq!(found.expires_at(), expected.expires_at());
    assert_eq!(found.principal_tag(), expected.principal_tag());
}
