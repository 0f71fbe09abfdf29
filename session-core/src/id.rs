//! `SessionId`: the name of a record.

use std::fmt;

use uuid::{Builder, Variant, Version};

use crate::{Error, ErrorKind, Result, random};

/// The name of a session's record: a UUIDv4 in its one canonical form.
///
/// A value of this type can only be a well-formed version 4 UUID: it is made by
/// [`random`](Self::random) or by parsing exactly the 36 bytes that [`encode`](Self::encode)
/// writes. So no path separator, no dot, no NUL, no second spelling and no empty id ever reaches a
/// manager (CVE-2024-2044, CVE-2015-3982).
///
/// A sid is not a secret and logs nobody in: the token beside it in the cookie does. It is still
/// kept out of `Debug` and has no `Display`, so that logs cannot be joined with cookies.
///
/// # Form and units
///
/// 16 bytes, 122 of the bits random; as text 36 bytes, lower-case hexadecimal with four hyphens.
///
/// # Source
///
/// RFC 9562, section 5.4.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// The length of the text form in bytes.
    pub const TEXT_BYTES: usize = 36;

    /// Makes a new id from the operating system's generator.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if the operating system has no randomness to give.
    pub fn random() -> Result<Self> {
        let bytes = random::bytes::<16>()?;
        Ok(Self(Builder::from_random_bytes(bytes).into_uuid().into_bytes()))
    }

    /// Reads the canonical text form; anything else is `None`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != Self::TEXT_BYTES || text.iter().any(u8::is_ascii_uppercase) {
            return None;
        }
        let uuid = uuid::Uuid::try_parse_ascii(text).ok()?;
        Self::from_bytes(uuid.into_bytes()).ok()
    }

    /// Reads the 16 bytes of a version 4 UUID.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`] if the bytes are no version 4 UUID, so the nil UUID too.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self> {
        let uuid = uuid::Uuid::from_bytes(bytes);
        if uuid.get_version() == Some(Version::Random) && uuid.get_variant() == Variant::RFC4122 {
            Ok(Self(bytes))
        } else {
            Err(Error::new(ErrorKind::Corrupt, "core", "the bytes are no version 4 UUID"))
        }
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Writes the canonical text form into `buffer` and returns it.
    ///
    /// # Examples
    ///
    /// ```
    /// use session_core::SessionId;
    ///
    /// let id = SessionId::random()?;
    /// let mut buffer = [0; SessionId::TEXT_BYTES];
    /// assert_eq!(SessionId::parse(id.encode(&mut buffer).as_bytes()), Some(id));
    /// # Ok::<(), session_core::Error>(())
    /// ```
    pub fn encode<'a>(&self, buffer: &'a mut [u8; Self::TEXT_BYTES]) -> &'a str {
        uuid::Uuid::from_bytes(self.0).hyphenated().encode_lower(buffer)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}
