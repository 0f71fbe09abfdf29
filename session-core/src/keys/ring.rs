//! `KeyRing`: keys that come, rule and go.

use std::sync::Arc;

use super::{
    mac::{Algorithm, Mac},
    signing::SigningKey,
};
use crate::{
    Error, Result,
    record::{KeyId, PrincipalTag},
};

/// The keys of a server, each in one of three states.
///
/// | state | opens and verifies | signs and seals |
/// | --- | --- | --- |
/// | upcoming | yes | no |
/// | current, exactly one | yes | yes |
/// | retired | yes | no; what it signed is signed again by the current key when it is used |
///
/// # Rotating a key
///
/// 1. Give every server and every tool the new key as [`upcoming`](Self::upcoming), before any of
///    them signs with it.
/// 2. When all have it, make it current everywhere and the old one [`retired`](Self::retired).
///    Servers may be one step apart: neither undoes what the other did.
/// 3. After the longest lifetime of a session, or when you want the sessions nobody used since to
///    end, take the old key out: what it signed is then unknown.
///
/// A server finds the sessions of a user under the keys of its own ring only.
/// [`sessions_of`](crate::SessionInterface::sessions_of),
/// [`revoke_all`](crate::SessionInterface::revoke_all) and the limit on sessions miss those that
/// are sealed under a key it does not have: at a server without the first step, what a server with
/// the second has sealed; at a server with the third, what is still in use at one without. So no
/// server may be two steps ahead of another, and while the third is under way, revoke at a server
/// that still has the old key.
/// [`revoke_everyone`](crate::SessionInterface::revoke_everyone) needs no key.
///
/// A ring can be replaced in a running server:
/// [`SessionInterface::replace_keys`](crate::SessionInterface::replace_keys).
///
/// # Examples
///
/// ```
/// use session_core::{KeyRing, SigningKey};
///
/// # let (new, old): (Vec<u8>, Vec<u8>) = ((0..32).collect(), (32..64).collect());
/// let ring = KeyRing::new(SigningKey::hmac_sha256(&new)?).retired(SigningKey::hmac_sha256(&old)?);
/// # Ok::<(), session_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyRing {
    /// The current key first.
    keys: Vec<(Standing, Arc<SigningKey>)>,
}

/// The state of a key in its ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    Current,
    Upcoming,
    Retired,
}

impl KeyRing {
    /// The most keys a ring has: every one may have to be tried for a cookie.
    pub const MAX_KEYS: usize = 8;

    /// A ring of one key.
    pub fn new(current: SigningKey) -> Self {
        Self { keys: vec![(Standing::Current, Arc::new(current))] }
    }

    /// Adds a key that every server should know before one of them signs with it.
    #[must_use]
    pub fn upcoming(mut self, key: SigningKey) -> Self {
        self.keys.push((Standing::Upcoming, Arc::new(key)));
        self
    }

    /// Adds a key that was current once, and whose cookies are still good.
    #[must_use]
    pub fn retired(mut self, key: SigningKey) -> Self {
        self.keys.push((Standing::Retired, Arc::new(key)));
        self
    }
}

impl From<SigningKey> for KeyRing {
    fn from(current: SigningKey) -> Self {
        Self::new(current)
    }
}

/// A ring made ready for the cookies of one realm and name.
pub(crate) struct InUse {
    keys: Vec<Ready>,
}

struct Ready {
    standing: Standing,
    key: Arc<SigningKey>,
    /// Under a key of this realm and cookie name.
    cookie: Mac,
    /// Has taken in the key for principals, realm and cookie name.
    principal: Mac,
}

impl Ready {
    fn principal_tag(&self, principal: &str) -> PrincipalTag {
        let mut mac = self.principal.clone();
        mac.update_part(principal.as_bytes());
        let mut digest = Vec::with_capacity(32);
        mac.finish_into(&mut digest);
        let mut tag = [0; 16];
        tag.copy_from_slice(&digest[..16]);
        PrincipalTag::from_bytes(tag)
    }
}

impl InUse {
    pub(crate) fn new(ring: &KeyRing, realm: &str, cookie_name: &str) -> Result<Self> {
        let keys = &ring.keys;
        if keys.len() > KeyRing::MAX_KEYS {
            return Err(Error::config(format!(
                "the key ring has {} keys: take out retired ones until it has at most {}",
                keys.len(),
                KeyRing::MAX_KEYS
            )));
        }
        if keys
            .iter()
            .enumerate()
            .any(|(at, (_, key))| keys[..at].iter().any(|(_, other)| other.id() == key.id()))
        {
            return Err(Error::config("the same key is twice in the key ring: take one out"));
        }
        let keys = keys
            .iter()
            .map(|(standing, key)| Ready {
                standing: *standing,
                key: Arc::clone(key),
                cookie: key.cookie_mac(realm, cookie_name),
                principal: key.principal_mac(realm, cookie_name),
            })
            .collect();
        Ok(Self { keys })
    }

    /// The key that signs and seals. A ring always has one, the first.
    pub(crate) fn current(&self) -> &SigningKey {
        &self.keys[0].key
    }

    pub(crate) fn find(&self, id: KeyId) -> Option<&SigningKey> {
        self.keys.iter().find(|ready| ready.key.id() == id).map(|ready| &*ready.key)
    }

    pub(crate) fn standing(&self, id: KeyId) -> Option<Standing> {
        self.keys.iter().find(|ready| ready.key.id() == id).map(|ready| ready.standing)
    }

    /// The tag under which sessions of `principal` are stored now.
    pub(crate) fn principal_tag(&self, principal: &str) -> PrincipalTag {
        self.keys[0].principal_tag(principal)
    }

    /// The tags under which sessions of `principal` may be stored: one for each key.
    pub(crate) fn principal_tags(&self, principal: &str) -> impl Iterator<Item = PrincipalTag> {
        self.keys.iter().map(|ready| ready.principal_tag(principal))
    }

    /// The algorithm cookies are signed with now.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.current().algorithm()
    }

    /// Appends the digest of `message` under the current key.
    pub(crate) fn sign(&self, message: &[u8], out: &mut Vec<u8>) {
        mac_of(&self.keys[0].cookie, message).finish_into(out);
    }

    /// The standing of the key that made `digest`, if one of the ring did. The digest's length
    /// alone says which algorithm it can be of, and each key has just one.
    pub(crate) fn verify(&self, message: &[u8], digest: &[u8]) -> Option<Standing> {
        self.keys
            .iter()
            .filter(|ready| ready.key.algorithm().digest_bytes() == digest.len())
            .find(|ready| mac_of(&ready.cookie, message).verify(digest))
            .map(|ready| ready.standing)
    }
}

impl std::fmt::Debug for InUse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|ready| (ready.standing, &ready.key))).finish()
    }
}

fn mac_of(keyed: &Mac, message: &[u8]) -> Mac {
    let mut mac = keyed.clone();
    mac.update(message);
    mac
}
