//! Sessions by number, made from the documented form of a record: to store one no key is needed.

use std::sync::Arc;

use session_core::{Record, Result, SessionId, Timestamp, Version};

/// What the application has stored, sealed: a small session of some five values.
const BODY: usize = 200;

/// The id that belongs to a number; it looks as random as any.
pub(crate) fn id(number: u64) -> Result<SessionId> {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mix(number).to_le_bytes());
    bytes[8..].copy_from_slice(&mix(number ^ 0x5e55_1011).to_le_bytes());
    // Version 4, variant 1 (RFC 9562).
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    SessionId::from_bytes(bytes)
}

/// A new record of that id, with a deadline that can still be made later.
pub(crate) fn record(number: u64) -> Result<Arc<Record>> {
    with_id(id(number)?, Version::FIRST, Timestamp::from_millis(1 << 52))
}

pub(crate) fn with_id(
    id: SessionId,
    version: Version,
    expires_at: Timestamp,
) -> Result<Arc<Record>> {
    // Nonce and tag of a seal that nobody opens come before the body.
    let mut bytes = vec![0x5a; Record::HEADER_BYTES + 40 + BODY];
    bytes[..Record::HEADER_BYTES].fill(0);
    bytes[..4].copy_from_slice(b"SSNR");
    bytes[4..6].copy_from_slice(&1_u16.to_le_bytes());
    bytes[16..32].copy_from_slice(id.as_bytes());
    bytes[32..40].copy_from_slice(&version.get().to_le_bytes());
    bytes[40..48].copy_from_slice(&u64::MAX.to_le_bytes());
    let at = Record::EXPIRES_AT_OFFSET;
    bytes[at..at + 8].copy_from_slice(&expires_at.as_millis().to_le_bytes());
    Ok(Arc::new(Record::from_bytes(&id, bytes.into())?))
}

/// Spreads the bits of a number.
pub(crate) fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
