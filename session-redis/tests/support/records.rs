//! Records made by hand, by the layout in the docs of `Record`: to store them no key is needed.

use std::{sync::Arc, time::Duration};

use session_core::{
    Clock, Expect, Outcome, PrincipalTag, Record, SessionId, SessionManager, SystemClock,
    Timestamp, Version,
};
use session_redis::RedisSessionManager;

/// A record of nobody that lives for an hour.
pub(crate) fn record(id: SessionId, version: u64, body: &[u8]) -> Arc<Record> {
    lasting(id, version, None, HOUR, HOUR, body)
}

/// A record of a principal, that idles for an hour and lives for two.
pub(crate) fn tagged(id: SessionId, version: u64, tag: PrincipalTag, body: &[u8]) -> Arc<Record> {
    lasting(id, version, Some(tag), HOUR, 2 * HOUR, body)
}

/// A record that ends when it was idle for so long, or has lived for so long.
pub(crate) fn lasting(
    id: SessionId,
    version: u64,
    tag: Option<PrincipalTag>,
    idle: Duration,
    lifetime: Duration,
    body: &[u8],
) -> Arc<Record> {
    let now = now();
    ending(id, version, tag, now.saturating_add(idle), now.saturating_add(lifetime), body)
}

pub(crate) fn ending(
    id: SessionId,
    version: u64,
    tag: Option<PrincipalTag>,
    expires_at: Timestamp,
    deadline: Timestamp,
    body: &[u8],
) -> Arc<Record> {
    let mut bytes = b"SSNR\x01\x00\x00\x00".to_vec();
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(id.as_bytes());
    bytes.extend_from_slice(&version.to_le_bytes());
    bytes.extend_from_slice(&deadline.as_millis().to_le_bytes());
    bytes.extend_from_slice(&tag.map_or([0; 16], |tag| *tag.as_bytes()));
    bytes.extend_from_slice(&expires_at.as_millis().to_le_bytes());
    // Nonce and tag of a seal that nobody opens.
    bytes.extend_from_slice(&[0x5a; 40]);
    bytes.extend_from_slice(body);
    Arc::new(Record::from_bytes(&id, bytes.into()).expect("a record of the documented layout"))
}

pub(crate) fn now() -> Timestamp {
    SystemClock::new().now()
}

/// An id nobody used.
pub(crate) fn new_id() -> SessionId {
    SessionId::random().expect("the operating system has randomness")
}

pub(crate) fn text(id: &SessionId) -> String {
    let mut buffer = [0; SessionId::TEXT_BYTES];
    id.encode(&mut buffer).to_owned()
}

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// Stores a record that is not there yet.
#[track_caller]
pub(crate) fn create(manager: &RedisSessionManager, record: &Arc<Record>) {
    let outcome = super::block_on(manager.put(record, Expect::Absent)).expect("put");
    assert_eq!(outcome, Outcome::Stored);
}

/// Moves the deadline of a record in its first version.
#[track_caller]
pub(crate) fn touch(manager: &RedisSessionManager, id: &SessionId, expires_at: Timestamp) {
    let outcome = super::block_on(manager.touch(id, Version::FIRST, expires_at)).expect("touch");
    assert_eq!(outcome, Outcome::Stored);
}
