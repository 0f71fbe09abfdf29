//! `SigningKey`: one secret, and what is derived from it.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
};

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    mac::{Algorithm, Mac},
    seal::Seal,
};
use crate::{Error, Result, random, record::KeyId};

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
/// The secret is at least 32 bytes from a random generator, as they are or as text of one line
/// (hexadecimal, base64). A pass phrase is not one, however long: what people can remember can be
/// guessed, and one cookie is enough to test guesses with.
///
/// # Errors
///
/// With [`ErrorKind::Config`](crate::ErrorKind::Config) the constructors refuse secrets that are
/// shorter than 32 bytes, that are made of fewer than 8 different bytes, or that are text of
/// several words.
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
    /// 32 random hexadecimal digits have fewer once in a million times, 32 random bytes never.
    const MIN_DIFFERENT_BYTES: usize = 8;

    /// A key that signs cookies with HMAC-SHA256: a cookie value of 101 bytes.
    ///
    /// Take this one unless you have a reason.
    pub fn hmac_sha256(secret: impl AsRef<[u8]>) -> Result<Self> {
        Self::derive(Algorithm::HmacSha256, secret.as_ref())
    }

    /// The key whose secret is in `file`, for [`hmac_sha256`](Self::hmac_sha256).
    ///
    /// The file is made once, and kept: `(umask 077; head -c 32 /dev/urandom > session.key)`.
    /// Whoever reads it can log in as anyone, and who loses it logs everyone out.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), with the path and what to do: the file
    /// cannot be read, has more than 4,096 bytes, or what is in it is refused.
    pub fn from_file(file: impl AsRef<Path>) -> Result<Self> {
        let file = file.as_ref();
        let mut secret = Zeroizing::new(Vec::new());
        let read = File::open(file)
            .and_then(|open| open.take(Self::MAX_FILE_BYTES + 1).read_to_end(&mut secret));
        if let Err(error) = read {
            let message = if error.kind() == io::ErrorKind::NotFound {
                format!(
                    "there is no key file {0}: make one, (umask 077; head -c 32 /dev/urandom > {0})",
                    file.display()
                )
            } else {
                format!("the key file {} cannot be read: {error}", file.display())
            };
            return Err(Error::config(message).with_source(error));
        }
        if secret.len() as u64 > Self::MAX_FILE_BYTES {
            return Err(Error::config(format!(
                "{} is no key file, it has more than {} bytes: name the file of the key",
                file.display(),
                Self::MAX_FILE_BYTES
            )));
        }
        Self::hmac_sha256(&*secret).map_err(|error| {
            let message = format!("the key file {} holds no key", file.display());
            Error::config(format!("{message}: {}", error.message())).with_source(error)
        })
    }

    const MAX_FILE_BYTES: u64 = 4096;

    /// A new key, from the system's random generator, for [`hmac_sha256`](Self::hmac_sha256).
    ///
    /// For tests, and for programs whose sessions end with the process: no other process, and not
    /// this one after a restart, can read what is stored under it. To keep sessions, keep the
    /// secret: see [`from_file`](Self::from_file).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable): the system gave no randomness.
    pub fn generate() -> Result<Self> {
        Self::hmac_sha256(*Zeroizing::new(random::bytes::<32>()?))
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
        let mut seen = [false; 256];
        for byte in secret {
            seen[usize::from(*byte)] = true;
        }
        if seen.iter().filter(|seen| **seen).count() < Self::MIN_DIFFERENT_BYTES {
            return Err(Error::config(
                "the secret of a signing key repeats a few bytes: take it from a random generator",
            ));
        }
        // Base64 and hexadecimal digits have no blanks between them; random bytes are not text.
        if str::from_utf8(secret).is_ok_and(is_several_words) {
            return Err(Error::config(
                "the secret of a signing key is a pass phrase, or text of several lines: take it from a random generator",
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

fn is_several_words(text: &str) -> bool {
    let is_text = text.chars().all(|char| !char.is_control() || char.is_whitespace());
    is_text && text.split_whitespace().nth(1).is_some()
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm.name())
    }
}
