//! Records to exercise a cache with, made from the documented form of their bytes.

#![allow(dead_code, reason = "each user takes what it needs")]
#![allow(clippy::expect_used, reason = "it is used by tests, benches and examples only")]

use std::sync::Arc;

use bytes::Bytes;
use session_core::{Record, SessionId, Timestamp, Version};

/// The id that belongs to a number.
pub(crate) fn id(number: u64) -> SessionId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mix(number).to_le_bytes());
    bytes[8..].copy_from_slice(&mix(number ^ 0x5e55_1011).to_le_bytes());
    // Version 4, variant 1 (RFC 9562).
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    SessionId::from_bytes(bytes).expect("the bits of a version 4 UUID are set")
}

/// A record that lives for ever, of `length` bytes in all.
pub(crate) fn record(id: SessionId, version: u64, length: usize) -> Arc<Record> {
    lasting(id, version, length, Timestamp::MAX)
}

/// A record that lives until `expires_at`.
pub(crate) fn lasting(
    id: SessionId,
    version: u64,
    length: usize,
    expires_at: Timestamp,
) -> Arc<Record> {
    let mut bytes = vec![0x5a; length.max(Record::HEADER_BYTES + 40)];
    bytes[..Record::HEADER_BYTES].fill(0);
    bytes[..4].copy_from_slice(b"SSNR");
    bytes[4..6].copy_from_slice(&1_u16.to_le_bytes());
    bytes[16..32].copy_from_slice(id.as_bytes());
    bytes[32..40].copy_from_slice(&Version::new(version).get().to_le_bytes());
    bytes[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
    let at = Record::EXPIRES_AT_OFFSET;
    bytes[at..at + 8].copy_from_slice(&expires_at.as_millis().to_le_bytes());
    Arc::new(Record::from_bytes(&id, Bytes::from(bytes)).expect("the bytes are those of a record"))
}

/// Spreads the bits of a number.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
