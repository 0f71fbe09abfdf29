//! Records made by hand, by the layout in the docs of `Record`: to store them no key is needed.

#![allow(dead_code, reason = "each program that has this module uses a part of it")]

use std::sync::Arc;

use session_core::{PrincipalTag, Record, SessionId, Timestamp, Version};

/// A record of nobody that is live until `expires_at`.
pub(crate) fn record(
    id: SessionId,
    version: u64,
    expires_at: Timestamp,
    body: &[u8],
) -> Arc<Record> {
    tagged(id, version, expires_at, None, body)
}

/// A record of the principal with this tag.
pub(crate) fn tagged(
    id: SessionId,
    version: u64,
    expires_at: Timestamp,
    tag: Option<PrincipalTag>,
    body: &[u8],
) -> Arc<Record> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(b"SSNR\x01\x00\x00\x00");
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(id.as_bytes());
    bytes.extend_from_slice(&Version::new(version).get().to_le_bytes());
    bytes.extend_from_slice(&Timestamp::MAX.as_millis().to_le_bytes());
    bytes.extend_from_slice(&tag.map_or([0; 16], |tag| *tag.as_bytes()));
    bytes.extend_from_slice(&expires_at.as_millis().to_le_bytes());
    // Nonce and tag of a seal that nobody opens.
    bytes.extend_from_slice(&[0x5a; 40]);
    bytes.extend_from_slice(body);
    match Record::from_bytes(&id, bytes.into()) {
        Ok(record) => Arc::new(record),
        Err(error) => panic!("a record of the documented layout was refused: {error}"),
    }
}

/// An id nobody used.
pub(crate) fn new_id() -> SessionId {
    match SessionId::random() {
        Ok(id) => id,
        Err(error) => panic!("the operating system has no randomness: {error}"),
    }
}
