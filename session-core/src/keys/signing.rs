//! `SigningKey`: one secret, and what is derived from it.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    mac::{Algorithm, Mac},
    seal::Seal,
};
use crate::{Error, Result, record::KeyId};

/// A secret of the server, and the keys derived from it: one to sign cookies, one to seal records,
/// one to tag principals.
///
/// Derived with HKDF-SHA256 for each purpose and algorithm, so the same secret used elsewhere, or
/// under the other algorithm, gives unrelated keys. The secret itself is not kept; the derived keys
/// are wiped when this is dropped. Nothing shows or compares them: there is no `Display`,
/// `PartialEq` or `Clone`, and `Debug` prints the algorithm only.
///
/// # Form and units
///
/// The secret is at least 32 bytes, best from a generator: `head -c 32 /dev/urandom`. A pass phrase
/// is not one, however long.
///
/// # Errors
///
/// The constructors refuse secrets that are shorter than 32 bytes or one byte repeated, with
/// [`ErrorKind::Config`](crate::ErrorKind::Config).
///
/// # Examples
///
/// ```
/// use session_core::SigningKey;
///
/// # let secret: Vec<u8> = (0..32).collect();
/// let key = SigningKey::hmac_sha256(&secret)?;
/// assert!(SigningKey::hmac_sha256(b"too short").is_err());
/// # Ok::<(), session_core::Error>(())
/// ```
///
/// # Source
///
/// RFC 5869 (HKDF), RFC 2104 (HMAC), OWASP ASVS 5.0 section 11 and its appendix on approved
/// algorithms.
pub struct SigningKey {
    algorithm: Algorithm,
    id: KeyId,
    cookie: Zeroizing<[u8; 32]>,
    seal: Seal,
    principal: Mac,
}

impl SigningKey {
    /// The shortest secret that is taken.
    pub const MIN_SECRET_BYTES: usize = 32;

    /// A key that signs cookies with HMAC-SHA256: a cookie value of 101 bytes.
    ///
    /// Take this one unless you have a reason.
    pub fn hmac_sha256(secret: impl AsRef<[u8]>) -> Result<Self> {
        Self::derive(Algorithm::HmacSha256, secret.as_ref())
    }

    /// A key that signs cookies with HMAC-SHA1, as the Flask snippet this began with did: a cookie
    /// value of 85 bytes.
    ///
    /// No attack on HMAC-SHA1 is known; OWASP ASVS 5.0 lists it as legacy. Records are sealed the
    /// same as under [`hmac_sha256`](Self::hmac_sha256).
    pub fn hmac_sha1(secret: impl AsRef<[u8]>) -> Result<Self> {
        Self::derive(Algorithm::HmacSha1, secret.as_ref())
    }

    fn derive(algorithm: Algorithm, secret: &[u8]) -> Result<Self> {
        if secret.len() < Self::MIN_SECRET_BYTES {
            return Err(Error::config(format!(
                "the secret of a signing key has {} bytes: give it at least {}, from a random generator",
                secret.len(),
                Self::MIN_SECRET_BYTES
            )));
        }
        if secret.iter().all(|byte| *byte == secret[0]) {
            return Err(Error::config(
                "the secret of a signing key is one byte repeated: take it from a random generator",
            ));
        }
        let hkdf = Hkdf::<Sha256>::new(None, secret);
        let mut id = [0; 8];
        let mut cookie = Zeroizing::new([0; 32]);
        let mut seal = Zeroizing::new([0; 32]);
        let mut principal = Zeroizing::new([0; 32]);
        for (purpose, key) in [
            ("key id", &mut id[..]),
            ("cookie", &mut cookie[..]),
            ("record", &mut seal[..]),
            ("principal", &mut principal[..]),
        ] {
            let info = format!("session-core v1 {purpose} {}", algorithm.name());
            hkdf.expand(info.as_bytes(), key).map_err(|error| {
                Error::config("the keys cannot be derived").with_source(error.to_string())
            })?;
        }
        Ok(Self {
            algorithm,
            id: KeyId(id),
            seal: Seal::new(seal),
            principal: Mac::new(Algorithm::HmacSha256, &*principal),
            cookie,
        })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn id(&self) -> KeyId {
        self.id
    }

    /// A MAC for the cookies of one realm and name, under a key of their own: what they have in
    /// common is hashed once and not for each of them.
    pub(super) fn cookie_mac(&self, realm: &str, cookie_name: &str) -> Mac {
        let mut mac = Mac::new(self.algorithm, &*self.cookie);
        mac.update_part(b"session-core v1");
        mac.update_part(realm.as_bytes());
        mac.update_part(cookie_name.as_bytes());
        let mut key = Zeroizing::new(Vec::with_capacity(self.algorithm.digest_bytes()));
        mac.finish_into(&mut key);
        Mac::new(self.algorithm, &key)
    }

    /// A MAC that has taken in all that the principals of one realm and cookie name have in common:
    /// those of another are others, even if they are called the same.
    pub(super) fn principal_mac(&self, realm: &str, cookie_name: &str) -> Mac {
        let mut mac = self.principal.clone();
        mac.update_part(realm.as_bytes());
        mac.update_part(cookie_name.as_bytes());
        mac
    }

    pub(crate) fn seal(
        &self,
        nonce: &[u8; 24],
        header: &[u8],
        body: &mut [u8],
    ) -> Option<[u8; 16]> {
        self.seal.seal(nonce, header, body)
    }

    pub(crate) fn open(
        &self,
        nonce: &[u8; 24],
        header: &[u8],
        body: &mut [u8],
        tag: &[u8; 16],
    ) -> Option<()> {
        self.seal.open(nonce, header, body, tag)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm.name())
    }
}
