//! `ManagerStore`: a session manager, as actix-session wants its stores.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use session_core::{
    Clock, CookieAction, Error, ErrorKind, KeyRing, ManagedSession, Observer, Result, Saved,
    SessionManager,
};

use crate::settings::Settings;

/// The value of the session that is all of actix-session's state.
const STATE: &str = "state";

/// What actix-session keeps: JSON under names.
type State = HashMap<String, String>;

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
///   [`lifetime`](Self::lifetime) after it was saved, however busy it is.
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
/// ```
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
    settings: Settings,
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
        let settings = Settings::new(manager, keys.into());
        settings.interface(None)?;
        Ok(Self { settings: settings.changed() })
    }

    /// How long a session lasts after it was saved, however busy it is: 31 days unless set.
    ///
    /// A login of actix-identity saves a new one. A time to live that is longer counts as this one.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.lifetime = lifetime;
        Self { settings: self.settings.changed() }
    }

    /// The most bytes a state may have: 64 KiB unless set.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_bytes = Some(bytes);
        Self { settings: self.settings.changed() }
    }

    /// The clock sessions expire by; give the manager the same.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        Self { settings: self.settings.changed() }
    }

    /// Whom to tell of every [`Event`](session_core::Event).
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.settings.observer = Some(observer);
        Self { settings: self.settings.changed() }
    }

    async fn open(&self, key: &SessionKey, ttl: Option<Duration>) -> Result<ManagedSession> {
        self.settings.interface(ttl)?.open([key.as_ref().as_bytes()]).await
    }

    async fn create(&self, state: State, ttl: Duration) -> Result<SessionKey> {
        let session = self.settings.interface(Some(ttl))?.open([]).await?;
        session.insert(STATE, &state)?;
        match session.finish().await?.cookie {
            CookieAction::Set(cookie) => key_of(cookie.value()),
            _ => Err(gone()),
        }
    }

    async fn replace(&self, key: SessionKey, state: State, ttl: Duration) -> Result<SessionKey> {
        let session = self.open(&key, Some(ttl)).await?;
        if session.is_new() {
            return Err(gone());
        }
        session.insert(STATE, &state)?;
        let finished = session.finish().await?;
        match (finished.saved, finished.cookie) {
            (Saved::Gone, _) | (_, CookieAction::Remove) => Err(gone()),
            // The key was signed with a secret that has been replaced.
            (_, CookieAction::Set(cookie)) => key_of(cookie.value()),
            (_, CookieAction::Keep) => Ok(key),
        }
    }

    async fn extend(&self, key: &SessionKey, ttl: Duration) -> Result<()> {
        let session = self.open(key, Some(ttl)).await?;
        if !session.is_new() {
            let _ended_meanwhile_is_ended = session.finish().await?;
        }
        Ok(())
    }
}

impl SessionStore for ManagerStore {
    async fn load(&self, key: &SessionKey) -> std::result::Result<Option<State>, LoadError> {
        let session = self.open(key, None).await;
        let session = session.map_err(|error| LoadError::Other(error.into()))?;
        session.get(STATE).map_err(|error| LoadError::Deserialization(error.into()))
    }

    async fn save(&self, state: State, ttl: &Ttl) -> std::result::Result<SessionKey, SaveError> {
        let saved = self.create(state, duration(ttl)).await;
        saved.map_err(|error| SaveError::Other(error.into()))
    }

    async fn update(
        &self,
        key: SessionKey,
        state: State,
        ttl: &Ttl,
    ) -> std::result::Result<SessionKey, UpdateError> {
        let updated = self.replace(key, state, duration(ttl)).await;
        updated.map_err(|error| UpdateError::Other(error.into()))
    }

    async fn update_ttl(&self, key: &SessionKey, ttl: &Ttl) -> std::result::Result<(), Other> {
        Ok(self.extend(key, duration(ttl)).await?)
    }

    async fn delete(&self, key: &SessionKey) -> std::result::Result<(), Other> {
        Ok(self.open(key, None).await?.destroy().await?)
    }
}

impl fmt::Debug for ManagerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerStore")
            .field("lifetime", &self.settings.lifetime)
            .finish_non_exhaustive()
    }
}

type Ttl = actix_web::cookie::time::Duration;
type Other = anyhow::Error;

/// Less than nothing is nothing, which the interface refuses.
fn duration(ttl: &Ttl) -> Duration {
    Duration::try_from(*ttl).unwrap_or_default()
}

fn key_of(value: &str) -> Result<SessionKey> {
    // It is far below the limit of actix-session, 4064 bytes.
    value.to_owned().try_into().map_err(|_| {
        Error::new(ErrorKind::Config, "actix-session", "the session key is too long for a cookie")
    })
}

fn gone() -> Error {
    Error::new(
        ErrorKind::Gone,
        "actix-session",
        "the session ended while the request was running: nothing was stored",
    )
}
