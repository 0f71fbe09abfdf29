//! What all checks are written with.

use std::{pin::Pin, sync::Arc, task::Poll, time::Duration};

use super::Harness;
use crate::{Expect, Outcome, PrincipalTag, Record, SessionId, SessionManager, Timestamp, Version};

/// The smallest step of a clock.
pub(super) const TICK: Duration = Duration::from_millis(1);
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
    super::record(id, Version::new(version), deadline, expires_at, tag, body)
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
    let found = found.expect("a live record is there");
    if let Some(differences) = differences(found, expected) {
        panic!("the record is not the one that was stored: {differences}");
    }
}

/// Nothing live is stored under `id`; `why` says what made it so.
pub(super) async fn assert_absent<H: Harness>(h: &H, id: &SessionId, why: &str) {
    assert_none(get(h, id).await.as_deref(), why);
}

pub(super) fn assert_none(found: Option<&Record>, why: &str) {
    if let Some(found) = found {
        panic!("{why}: a live record of version {} is there", found.version().get());
    }
}

/// In what the two differ, if they do: the plain fields first, which say more than the bytes.
pub(super) fn differences(found: &Record, expected: &Record) -> Option<String> {
    let mut fields = Vec::new();
    let mut compare = |name: &str, found: String, expected: String| {
        if found != expected {
            fields.push(format!("{name} is {found} in place of {expected}"));
        }
    };
    let number = |version: Version| version.get().to_string();
    compare("the version", number(found.version()), number(expected.version()));
    let millis = |time: Timestamp| time.as_millis().to_string();
    compare("the absolute deadline", millis(found.deadline()), millis(expected.deadline()));
    compare("the idle deadline", millis(found.expires_at()), millis(expected.expires_at()));
    let tag = |record: &Record| format!("{:?}", record.principal_tag().map(|tag| *tag.as_bytes()));
    compare("the principal tag", tag(found), tag(expected));
    let length = |record: &Record| record.encoded_len().to_string();
    compare("the length in bytes", length(found), length(expected));
    if found.id() != expected.id() {
        fields.push("it is a record of another session".to_owned());
    }
    if fields.is_empty() {
        let (found, expected) = (found.to_bytes(), expected.to_bytes());
        let at = found.iter().zip(&expected[..]).position(|(found, expected)| found != expected)?;
        fields.push(format!("byte {at} of the record differs"));
    }
    Some(fields.join(", "))
}

pub(super) async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    // Give way first, so that what the future waits for has a chance to be ready at the next poll.
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}
