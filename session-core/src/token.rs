//! The secret of a session: the random value in the cookie, and what the store keeps of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use crate::{
    Result, SessionId,
    keys::{Algorithm, Mac},
    random,
};

/// The random value in the cookie: who has it has the session.
#[derive(Clone)]
pub(crate) struct Token([u8; Self::BYTES]);

impl Token {
    pub(crate) const BYTES: usize = 16;

    pub(crate) fn random() -> Result<Self> {
        random::bytes().map(Self)
    }

    pub(crate) const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// What the record of `id` keeps of this token.
    pub(crate) fn verifier(&self, id: &SessionId) -> Verifier {
        // With its label and padding it fits one block of the hash.
        let hash = Sha256::new()
            .chain_update(b"session-core v1 token")
            .chain_update(id.as_bytes())
            .chain_update(self.0);
        Verifier(hash.finalize().into())
    }

    /// The token that follows this one when it is rotated: the same for everyone who has this token
    /// and the salt, unknown to all others.
    pub(crate) fn successor(&self, id: &SessionId, salt: &[u8; 32]) -> Self {
        let mut mac = Mac::new(Algorithm::HmacSha256, salt);
        mac.update(b"session-core v1 successor");
        mac.update(id.as_bytes());
        mac.update(&self.0);
        let mut digest = Vec::with_capacity(32);
        mac.finish_into(&mut digest);
        let mut token = [0; Self::BYTES];
        token.copy_from_slice(&digest[..Self::BYTES]);
        digest.zeroize();
        Self(token)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// A hash of a token: tells it, and does not lead back to it.
#[derive(Clone, Copy, Deserialize, Serialize)]
pub(crate) struct Verifier([u8; 32]);

impl Verifier {
    /// Whether both are of the same token, in constant time. There is no `PartialEq`, so that
    /// nobody compares them otherwise.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        // By words: byte by byte it takes as long as a block of the hash.
        let words = self.0.as_chunks().0.iter().zip(other.0.as_chunks().0);
        let differing = words.fold(0, |differing, (mine, theirs)| {
            differing | (u64::from_ne_bytes(*mine) ^ u64::from_ne_bytes(*theirs))
        });
        differing.ct_eq(&0).into()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(..)")
    }
}
