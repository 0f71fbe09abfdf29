//! What a store is made with, and the interface for the time to live that is named at each call.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use session_core::{
    Clock, Error, ErrorKind, KeyRing, Observer, Result, SessionInterface, SessionInterfaceBuilder,
    SessionManager, SystemClock,
};

use crate::ManagerStore;

/// Session keys given out here are worth nothing elsewhere, even if the secret is the same.
const REALM: &str = "actix-session";

/// Settings of a [`ManagerStore`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use session_actix_compat::ManagerStore;
/// use session_core::{MemorySessionManager, SigningKey};
///
/// # let secret: Vec<u8> = (0..32).collect();
/// # let key = SigningKey::hmac_sha256(&secret)?;
/// let store = ManagerStore::builder(MemorySessionManager::new(), key)
///     .realm("shop")
///     .lifetime(Duration::from_secs(7 * 24 * 60 * 60))
///     .build()?;
/// # Ok::<(), session_core::Error>(())
/// ```
#[must_use = "call `build`"]
pub struct ManagerStoreBuilder {
    settings: Settings,
}

impl ManagerStoreBuilder {
    pub(crate) fn new(manager: impl SessionManager, keys: KeyRing) -> Self {
        let settings = Settings {
            manager: Arc::new(manager),
            keys,
            realm: REALM.to_owned(),
            clock: Arc::new(SystemClock::new()),
            observer: None,
            lifetime: Duration::from_secs(31 * 24 * 60 * 60),
            max_bytes: None,
        };
        Self { settings }
    }

    /// A label for the application: session keys of another realm are unknown, even if they are
    /// signed with the same secret. Give each application its own where several share a store.
    pub fn realm(mut self, realm: &str) -> Self {
        self.settings.realm = format!("{REALM} {realm}");
        self
    }

    /// How long a session lasts after it was saved, however busy it is: 31 days unless set.
    ///
    /// A login of actix-identity saves a new one. A time to live that is longer counts as this one.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.lifetime = lifetime;
        self
    }

    /// The most bytes a state may have: 64 KiB unless set.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_bytes = Some(bytes);
        self
    }

    /// The clock sessions expire by; give the manager the same.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Whom to tell of every [`Event`](session_core::Event).
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.settings.observer = Some(observer);
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], with what to change: a lifetime below a second, a size no record can
    /// have, a key that is twice in the ring, or a ring that is too long.
    pub fn build(self) -> Result<ManagerStore> {
        if self.settings.lifetime < Duration::from_secs(1) {
            return Err(Error::new(
                ErrorKind::Config,
                "actix-session",
                "the lifetime is less than a second: give it at least one",
            ));
        }
        // Any time to live shows whether the other settings are right.
        self.settings.builder(self.settings.lifetime).build()?;
        Ok(ManagerStore::new_with(Interfaces {
            settings: Arc::new(self.settings),
            last: Arc::default(),
        }))
    }
}

impl fmt::Debug for ManagerStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerStoreBuilder")
            .field("realm", &self.settings.realm)
            .field("lifetime", &self.settings.lifetime)
            .finish_non_exhaustive()
    }
}

struct Settings {
    manager: Arc<dyn SessionManager>,
    keys: KeyRing,
    realm: String,
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn Observer>>,
    lifetime: Duration,
    max_bytes: Option<usize>,
}

impl Settings {
    fn builder(&self, idle: Duration) -> SessionInterfaceBuilder {
        let mut builder = SessionInterface::builder(Arc::clone(&self.manager), self.keys.clone())
            .realm(&*self.realm)
            .clock(Arc::clone(&self.clock))
            .idle_timeout(idle)
            // Loading a state is no use of it: actix-session says when it is used.
            .touch_on_open(false)
            .lifetime(self.lifetime)
            // Nothing here is permanent; the longer of the two has to be the longer one.
            .permanent_idle_timeout(idle)
            .permanent_lifetime(self.lifetime);
        if let Some(observer) = &self.observer {
            builder = builder.observer(Arc::clone(observer));
        }
        if let Some(bytes) = self.max_bytes {
            builder = builder.max_bytes(bytes);
        }
        builder
    }
}

/// The interfaces of one store, by time to live.
#[derive(Clone)]
pub(crate) struct Interfaces {
    settings: Arc<Settings>,
    /// The one used last. An application has one time to live, so this is the only one.
    last: Arc<RwLock<Option<(Duration, SessionInterface)>>>,
}

impl Interfaces {
    pub(crate) fn lifetime(&self) -> Duration {
        self.settings.lifetime
    }

    /// An interface whose sessions idle for `ttl`, or until the end of their lifetime if that is
    /// less.
    ///
    /// Without a `ttl`, one to read with: what was stored knows its own end.
    pub(crate) fn get(&self, ttl: Option<Duration>) -> Result<SessionInterface> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((of, interface)) = last
            && ttl.is_none_or(|ttl| ttl == of)
        {
            return Ok(interface);
        }
        let ttl = ttl.unwrap_or(self.settings.lifetime);
        let interface = self.settings.builder(ttl.min(self.settings.lifetime)).build()?;
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        *last = Some((ttl, interface.clone()));
        Ok(interface)
    }
}
