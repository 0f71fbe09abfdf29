//! `Record`: what a manager stores.

mod contents;
mod header;
mod values;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;

pub(crate) use self::contents::{Contents, Data, Epoch, Kept, Rotation};
pub use self::header::PrincipalTag;
pub(crate) use self::header::{Header, KeyId};
pub(crate) use self::values::Values;
use crate::{Error, ErrorKind, Result, SessionId, Timestamp, Version, keys::InUse};

/// What a manager stores: sealed bytes behind a small plain header.
///
/// The header has what a backend needs to do its work; the body is sealed with XChaCha20-Poly1305
/// under a key the backend never sees, bound to the header (all of it but
/// [`expires_at`](Self::expires_at), which a touch moves). A record that was truncated, changed, or
/// moved under another id does not open.
///
/// Cheap to share behind an [`Arc`]: once opened, the opened form stays with it.
///
/// # Form and units
///
/// Numbers are little-endian, times are milliseconds since 1970.
///
/// | offset | bytes | |
/// | --- | --- | --- |
/// | 0 | 4 | magic, `SSNR` |
/// | 4 | 2 | format, 1 |
/// | 6 | 2 | zero |
/// | 8 | 8 | id of the key that sealed the body |
/// | 16 | 16 | sid |
/// | 32 | 8 | version |
/// | 40 | 8 | absolute deadline |
/// | 48 | 16 | principal tag; zeros: no principal |
/// | 64 | 8 | `expires_at`: idle deadline |
/// | 72 | 24 | nonce |
/// | 96 | n | ciphertext of the body, and its tag of 16 bytes |
///
/// # Examples
///
/// What a backend does with one:
///
/// ```
/// # use session_core::{MemorySessionManager, Record, SessionManager};
/// # fn store(record: &Record) -> session_core::Result<()> {
/// let bytes = record.to_bytes();
/// let back = Record::from_bytes(record.id(), bytes)?;
/// assert_eq!(back.version(), record.version());
/// # Ok(()) }
/// ```
// In this order, behind an `Arc`, the id and the deadline lie beside the count of its owners, which
// handing out the record changes anyway.
#[repr(C)]
pub struct Record {
    header: Header,
    /// Nonce, ciphertext and tag.
    sealed: Bytes,
    opened: OnceLock<Arc<Contents>>,
}

impl Record {
    /// The length of the plain header.
    pub const HEADER_BYTES: usize = header::BYTES;

    /// Where `expires_at` stands in the bytes: 8 of them, little-endian. A backend may move the
    /// deadline there in place.
    pub const EXPIRES_AT_OFFSET: usize = header::EXPIRES_AT;

    /// The size of the largest record there can be; every backend takes it: 1 MiB.
    pub const MAX_BYTES: usize = 1 << 20;

    /// Reads the record of `id` from its bytes, which are kept and not copied.
    ///
    /// Only the header is looked at: whether the body is genuine is found out when it is opened, by
    /// those who have the keys.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Corrupt`]: no record, one of another id, or one that is too short or longer
    ///   than [`MAX_BYTES`](Self::MAX_BYTES).
    /// - [`ErrorKind::Unsupported`]: a format of a later release. Leave the stored bytes as they
    ///   are.
    pub fn from_bytes(id: &SessionId, mut bytes: Bytes) -> Result<Self> {
        let header = Header::read(&bytes)?;
        if header.id != *id {
            return Err(Error::corrupt("the record is of another session"));
        }
        if bytes.len() > Self::MAX_BYTES || bytes.len() < Self::HEADER_BYTES + contents::SEAL_BYTES
        {
            return Err(Error::corrupt("the record has an impossible length"));
        }
        let sealed = bytes.split_off(Self::HEADER_BYTES);
        Ok(Self { header, sealed, opened: OnceLock::new() })
    }

    /// Seals `contents` under the current key.
    pub(crate) fn seal(
        keys: &InUse,
        id: SessionId,
        version: Version,
        deadline: Timestamp,
        expires_at: Timestamp,
        contents: Arc<Contents>,
    ) -> Result<Self> {
        let key = keys.current();
        let header = Header {
            key_id: key.id(),
            id,
            version,
            deadline,
            tag: contents.principal.as_deref().map(|principal| keys.principal_tag(principal)),
            expires_at: expires_at.min(deadline),
        };
        let sealed = contents.seal(key, header.authenticated())?;
        if Self::HEADER_BYTES + sealed.len() > Self::MAX_BYTES {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "core",
                "the session is too large to be stored",
            ));
        }
        Ok(Self { header, sealed, opened: OnceLock::from(contents) })
    }

    /// The opened form, opened at the first call only.
    pub(crate) fn open(&self, keys: &InUse) -> Result<&Arc<Contents>, Unopened> {
        let key = keys.find(self.header.key_id).ok_or(Unopened::UnknownKey)?;
        if let Some(contents) = self.opened.get() {
            return Ok(contents);
        }
        let contents = Contents::open(key, self.header.authenticated(), &self.sealed)
            .filter(|contents| contents.principal.is_some() == self.header.tag.is_some())
            .ok_or(Unopened::NotGenuine)?;
        Ok(self.opened.get_or_init(|| Arc::new(contents)))
    }

    pub(crate) fn key_id(&self) -> KeyId {
        self.header.key_id
    }

    /// The bytes to store: header and sealed body in one piece.
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(self.encoded_len());
        bytes.extend_from_slice(&self.header_bytes());
        bytes.extend_from_slice(&self.sealed);
        bytes.into()
    }

    /// The plain header as it is stored, for backends that write header and body without joining
    /// them.
    pub fn header_bytes(&self) -> [u8; Self::HEADER_BYTES] {
        self.header.write()
    }

    /// The sealed body as it is stored, behind the header.
    pub fn sealed(&self) -> &Bytes {
        &self.sealed
    }

    /// The length of [`to_bytes`](Self::to_bytes).
    pub fn encoded_len(&self) -> usize {
        Self::HEADER_BYTES + self.sealed.len()
    }

    /// An estimate of the memory this record takes with its opened form, for caches that are
    /// bounded by bytes.
    ///
    /// It does not change when the record is opened: room for the opened form is counted from the
    /// start.
    pub fn memory_len(&self) -> usize {
        size_of::<Self>() + 2 * self.sealed.len() + size_of::<Contents>() + 4 * size_of::<usize>()
    }

    /// The session this record belongs to.
    pub fn id(&self) -> &SessionId {
        &self.header.id
    }

    /// How often the record was put.
    pub fn version(&self) -> Version {
        self.header.version
    }

    /// When the session ends, however busy it is.
    pub fn deadline(&self) -> Timestamp {
        self.header.deadline
    }

    /// When the session ends if nobody uses it: never later than [`deadline`](Self::deadline).
    pub fn expires_at(&self) -> Timestamp {
        self.header.expires_at.min(self.header.deadline)
    }

    /// Whether the record is expired: `now` has reached [`expires_at`](Self::expires_at).
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at()
    }

    /// The tag of the principal the session belongs to, if it belongs to one.
    pub fn principal_tag(&self) -> Option<PrincipalTag> {
        self.header.tag
    }

    /// The same record with another idle deadline, at most the absolute one: what a touch does.
    #[must_use]
    pub fn with_expires_at(&self, expires_at: Timestamp) -> Self {
        let expires_at = expires_at.min(self.header.deadline);
        Self {
            header: Header { expires_at, ..self.header },
            sealed: self.sealed.clone(),
            opened: self.opened.clone(),
        }
    }

    /// A record with a body nobody sealed, to exercise backends with.
    #[cfg(feature = "conformance")]
    pub(crate) fn unsealed(
        id: SessionId,
        version: Version,
        deadline: Timestamp,
        expires_at: Timestamp,
        tag: Option<PrincipalTag>,
        body: &[u8],
    ) -> Self {
        let header = Header {
            key_id: KeyId::default(),
            id,
            version,
            deadline,
            tag,
            expires_at: expires_at.min(deadline),
        };
        let mut sealed = vec![0x5a; contents::SEAL_BYTES];
        sealed.extend_from_slice(body);
        Self { header, sealed: sealed.into(), opened: OnceLock::new() }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("version", &self.header.version.get())
            .field("bytes", &self.encoded_len())
            .finish_non_exhaustive()
    }
}

/// Why a record did not open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unopened {
    /// The key that sealed it is not in the ring.
    UnknownKey,
    /// The body was not sealed by that key for this header.
    NotGenuine,
}
