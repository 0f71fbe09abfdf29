//! The names of keys.

use session_core::{PrincipalTag, Result, SessionId};

use crate::error;

/// Makes keys under a prefix.
///
/// A key has no braces, so a Cluster spreads sessions by their whole names.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    prefix: String,
    records: String,
}

impl Names {
    /// Takes a prefix that has one meaning only: in a key, in a pattern and as a hash tag.
    pub(crate) fn new(prefix: &str) -> Result<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":-_./".contains(&byte);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(plain) {
            return Err(error::config(
                "the prefix of keys must be 1 to 64 letters, digits or any of `:-_./`",
            ));
        }
        Ok(Self { prefix: prefix.to_owned(), records: format!("{prefix}s:") })
    }

    /// The key of a session's record.
    pub(crate) fn record(&self, id: &SessionId) -> Vec<u8> {
        let mut text = [0; SessionId::TEXT_BYTES];
        [self.records.as_bytes(), id.encode(&mut text).as_bytes()].concat()
    }

    /// What all keys match.
    pub(crate) fn pattern(&self) -> String {
        format!("{}*", self.prefix)
    }

    /// What the keys of all records begin with.
    pub(crate) fn records(&self) -> &str {
        &self.records
    }

    /// The session a record's key is of.
    pub(crate) fn session(&self, key: &[u8]) -> Option<SessionId> {
        SessionId::parse(key.strip_prefix(self.records.as_bytes())?)
    }

    /// The key of the index of a principal's sessions.
    pub(crate) fn index(&self, tag: &PrincipalTag) -> Vec<u8> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut key = format!("{}p:", self.prefix).into_bytes();
        for byte in tag.as_bytes() {
            key.extend([DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        key
    }

    /// The name of the connections that hear of changes, in the server's list of clients.
    pub(crate) fn feed(&self) -> String {
        format!("{}feed", self.prefix)
    }
}
