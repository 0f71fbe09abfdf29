//! `ManagerStore`: a session manager, as actix-session wants its stores.

use std::{fmt, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use session_core::{
    CookieAction, Error, ErrorKind, KeyRing, ManagedSession, Result, SessionManager,
};

use crate::builder::{Interfaces, ManagerStoreBuilder};

/// The value of the session that is all of actix-session's state.
const STATE: &str = "state";

/// Keeps the sessions of actix-session in any [`SessionManager`].
///
/// Hand it to `actix_session::SessionMiddleware`; it is cheap to clone, and clones share
/// everything.
///
/// # What is guaranteed
///
/// - The store has no session key and no readable state: the key is a signed token, and the record
///   is sealed under a key derived from it. A key that was not given out here is refused before the
///   manager is asked.
/// - A session that was deleted, renewed or has expired stays ended. An update that comes too late
///   stores nothing and is an error, which actix-session answers with 500.
/// - A state is replaced whole. Of several updates at once the last one holds: the trait hands over
///   states, not changes, so what the others changed is lost.
/// - A session ends its time to live after the last update at the latest, and
///   [`lifetime`](ManagerStoreBuilder::lifetime) after it was saved, however busy it is.
///
/// # Errors
///
/// Every method of the trait fails if the manager could not be asked; it is never answered as if
/// there were no session. A time to live below a second is refused.
///
/// # Cancellation
///
/// A dropped future has stored all or nothing.
///
/// # Examples
///
#[cfg_attr(feature = "v0_11", doc = "```")]
#[cfg_attr(not(feature = "v0_11"), doc = "```text")]
/// use actix_session::storage::SessionStore;
/// use session_actix_compat::ManagerStore;
/// use session_core::{MemorySessionManager, SigningKey};
///
/// # let secret: Vec<u8> = (0..32).collect();
/// # actix_web::rt::System::new().block_on(async {
/// let store = ManagerStore::new(
///     MemorySessionManager::new(),
///     SigningKey::hmac_sha256(&secret)?,
/// )?;
/// let ttl = actix_web::cookie::time::Duration::hours(1);
/// let key = store.save([("user".into(), "\"ada\"".into())].into(), &ttl).await?;
/// assert_eq!(store.load(&key).await?.unwrap()["user"], "\"ada\"");
/// store.delete(&key).await?;
/// assert_eq!(store.load(&key).await?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct ManagerStore {
    interfaces: Interfaces,
}

impl ManagerStore {
    /// Keeps sessions in `manager`, with `keys` to sign session keys and to seal records.
    ///
    /// These are other keys than the one that actix-session signs or encrypts its cookie with.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if a key is twice in the ring, or the ring too long.
    pub fn new(manager: impl SessionManager, keys: impl Into<KeyRing>) -> Result<Self> {
        Self::builder(manager, keys).build()
    }

    /// Starts with a manager to keep sessions in, and the keys as [`new`](Self::new) takes them.
    pub fn builder(manager: impl SessionManager, keys: impl Into<KeyRing>) -> ManagerStoreBuilder {
        ManagerStoreBuilder::new(manager, keys.into())
    }

    pub(crate) fn new_with(interfaces: Interfaces) -> Self {
        Self { interfaces }
    }

    async fn open(&self, key: &str, ttl: Option<Duration>) -> Result<ManagedSession> {
        self.interfaces.get(ttl)?.open([key.as_bytes()]).await
    }

    /// The session under `key`; its state can be [read](state_of) as it was written.
    pub(crate) async fn find(&self, key: &str) -> Result<ManagedSession> {
        self.open(key, None).await
    }

    /// Returns the key of a new session.
    pub(crate) async fn create(&self, state: &impl Serialize, ttl: Duration) -> Result<String> {
        let session = self.interfaces.get(Some(ttl))?.open([]).await?;
        session.insert(STATE, state)?;
        match session.finish().await?.cookie {
            CookieAction::Set(cookie) => Ok(cookie.value().to_owned()),
            _ => Err(gone()),
        }
    }

    /// Returns the key that takes the place of `key`, if one does: it was signed with a secret that
    /// has been replaced.
    pub(crate) async fn replace(
        &self,
        key: &str,
        state: &impl Serialize,
        ttl: Duration,
    ) -> Result<Option<String>> {
        let session = self.open(key, Some(ttl)).await?;
        if session.is_new() {
            return Err(gone());
        }
        session.insert(STATE, state)?;
        let finished = session.finish().await?;
        match finished.cookie {
            CookieAction::Remove => Err(gone()),
            CookieAction::Set(cookie) => Ok(Some(cookie.value().to_owned())),
            CookieAction::Keep => Ok(None),
        }
    }

    pub(crate) async fn extend(&self, key: &str, ttl: Duration) -> Result<()> {
        let session = self.open(key, Some(ttl)).await?;
        if !session.is_new() {
            let _ended_meanwhile_is_ended = session.finish().await?;
        }
        Ok(())
    }

    pub(crate) async fn end(&self, key: &str) -> Result<()> {
        self.open(key, None).await?.destroy().await
    }
}

impl fmt::Debug for ManagerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerStore")
            .field("lifetime", &self.interfaces.lifetime())
            .finish_non_exhaustive()
    }
}

/// The state of `session`; `None` if there is no session.
pub(crate) fn state_of<T: DeserializeOwned>(session: &ManagedSession) -> Result<Option<T>> {
    session.get(STATE)
}

fn gone() -> Error {
    Error::new(
        ErrorKind::Gone,
        "actix-session",
        "the session ended while the request was running: nothing was stored",
    )
}
