//! The plain part of a record: fixed offsets, nothing to parse.

use std::fmt;

use crate::{Error, ErrorKind, Result, SessionId, Timestamp, Version};

pub(super) const BYTES: usize = 72;
pub(super) const EXPIRES_AT: usize = 64;
const MAGIC: [u8; 4] = *b"SSNR";
const FORMAT: u16 = 1;

/// Which sessions belong to one principal, without saying who that is.
///
/// A truncated HMAC-SHA256 of the principal's name under a key derived for this purpose: equal for
/// the sessions of one principal under one key, meaningless without the key.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct PrincipalTag([u8; 16]);

impl PrincipalTag {
    /// The tag with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for PrincipalTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrincipalTag(..)")
    }
}

/// Which key sealed a record; derived from the key, public.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct KeyId(pub(crate) [u8; 8]);

// In this order, what a cache looks at for every hit comes first.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) id: SessionId,
    pub(crate) version: Version,
    pub(crate) expires_at: Timestamp,
    pub(crate) deadline: Timestamp,
    pub(crate) key_id: KeyId,
    pub(crate) tag: Option<PrincipalTag>,
}

impl Header {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let corrupt = || Error::corrupt("the bytes are no session record");
        let bytes: &[u8; BYTES] = bytes.first_chunk().ok_or_else(corrupt)?;
        if bytes[..4] != MAGIC {
            return Err(corrupt());
        }
        match u16::from_le_bytes(field(bytes, 4)) {
            FORMAT if field(bytes, 6) == [0, 0] => {}
            0 => return Err(corrupt()),
            _ => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "core",
                    "the record has a format of a later release",
                ));
            }
        }
        let tag: [u8; 16] = field(bytes, 48);
        let header = Self {
            key_id: KeyId(field(bytes, 8)),
            id: SessionId::from_bytes(field(bytes, 16)).map_err(|_| corrupt())?,
            version: Version::new(u64::from_le_bytes(field(bytes, 32))),
            deadline: Timestamp::from_millis(u64::from_le_bytes(field(bytes, 40))),
            tag: (tag != [0; 16]).then_some(PrincipalTag(tag)),
            expires_at: Timestamp::from_millis(u64::from_le_bytes(field(bytes, EXPIRES_AT))),
        };
        if header.version.get() == 0 { Err(corrupt()) } else { Ok(header) }
    }

    pub(crate) fn write(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(0, &MAGIC);
        put(4, &FORMAT.to_le_bytes());
        put(8, &self.key_id.0);
        put(16, self.id.as_bytes());
        put(32, &self.version.get().to_le_bytes());
        put(40, &self.deadline.as_millis().to_le_bytes());
        put(48, &self.tag.map_or([0; 16], |tag| tag.0));
        put(EXPIRES_AT, &self.expires_at.as_millis().to_le_bytes());
        bytes
    }

    /// What the seal covers: every byte but the idle deadline.
    pub(crate) fn authenticated(&self) -> [u8; EXPIRES_AT] {
        let mut bytes = [0; EXPIRES_AT];
        bytes.copy_from_slice(&self.write()[..EXPIRES_AT]);
        bytes
    }
}

fn field<const N: usize>(bytes: &[u8; BYTES], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}
