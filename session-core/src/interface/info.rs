//! What a list shows of a session.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use crate::{SessionId, Timestamp};

/// Names a session in lists: to be shown, sent and put into URLs.
///
/// Derived from the sid by a one-way function: it is no cookie, no part of one, and no file or key
/// name (CVE-2020-5224 is about one that was). Revoking by it needs the principal it belongs to.
///
/// # Form and units
///
/// 22 characters of `[0-9a-zA-Z_-]`.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct SessionHandle([u8; 16]);

impl SessionHandle {
    pub(crate) fn of(id: &SessionId) -> Self {
        let hash = Sha256::new()
            .chain_update(b"session-core v1 handle")
            .chain_update(id.as_bytes())
            .finalize();
        let mut handle = [0; 16];
        handle.copy_from_slice(&hash[..16]);
        Self(handle)
    }

    /// Reads what `Display` wrote; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionHandle(..)")
    }
}

impl Serialize for SessionHandle {
    /// As `Display` writes it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionHandle {
    /// As [`parse`](Self::parse) reads it: from a path or a form, say.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("this is no handle of a session"))
    }
}

/// One session in its owner's list. Serialised for the owner to see: it names nothing that logs in.
#[derive(Clone, Serialize)]
#[non_exhaustive]
pub struct SessionInfo {
    /// What to revoke it by.
    pub handle: SessionHandle,
    /// When it was first stored.
    pub created_at: Timestamp,
    /// When it was last used, to within a tenth of the idle timeout.
    pub last_seen_at: Timestamp,
    /// When its principal was bound last.
    pub authenticated_at: Option<Timestamp>,
    /// When it ends if it is not used again.
    pub expires_at: Timestamp,
    /// When it ends, however busy it is.
    pub deadline: Timestamp,
    /// Whether it has the longer lifetime.
    pub permanent: bool,
    /// What the application called it.
    pub label: Option<Arc<str>>,
}

impl fmt::Debug for SessionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionInfo").field("handle", &self.handle).finish_non_exhaustive()
    }
}
