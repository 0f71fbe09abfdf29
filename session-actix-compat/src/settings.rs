//! From the time to live actix-session names at each call to an interface that keeps it.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use session_core::{
    Clock, KeyRing, Observer, Result, SessionInterface, SessionInterfaceBuilder, SessionManager,
    SystemClock,
};

/// Session keys given out here are worth nothing elsewhere, even if the secret is the same.
const REALM: &str = "actix-session";

/// What a [`ManagerStore`](crate::ManagerStore) was made with.
#[derive(Clone)]
pub(crate) struct Settings {
    manager: Arc<dyn SessionManager>,
    keys: KeyRing,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) lifetime: Duration,
    pub(crate) max_bytes: Option<usize>,
    /// The interface used last. An application has one time to live, so this is the only one.
    last: Arc<RwLock<Option<(Duration, SessionInterface)>>>,
}

impl Settings {
    pub(crate) fn new(manager: impl SessionManager, keys: KeyRing) -> Self {
        Self {
            manager: Arc::new(manager),
            keys,
            clock: Arc::new(SystemClock::new()),
            observer: None,
            lifetime: Duration::from_secs(31 * 24 * 60 * 60),
            max_bytes: None,
            last: Arc::default(),
        }
    }

    /// After a change: what was built before is not of these settings.
    pub(crate) fn changed(mut self) -> Self {
        self.last = Arc::default();
        self
    }

    /// An interface whose sessions idle for `ttl`, or until the end of their lifetime if that is
    /// less.
    ///
    /// Without a `ttl`, one to read with: what was stored knows its own end.
    pub(crate) fn interface(&self, ttl: Option<Duration>) -> Result<SessionInterface> {
        let last = self.last.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((of, interface)) = last
            && ttl.is_none_or(|ttl| ttl == of)
        {
            return Ok(interface);
        }
        let ttl = ttl.unwrap_or(self.lifetime);
        let interface = self.builder(ttl.min(self.lifetime)).build()?;
        let mut last = self.last.write().unwrap_or_else(PoisonError::into_inner);
        *last = Some((ttl, interface.clone()));
        Ok(interface)
    }

    fn builder(&self, idle: Duration) -> SessionInterfaceBuilder {
        let mut builder = SessionInterface::builder(Arc::clone(&self.manager), self.keys.clone())
            .realm(REALM)
            .clock(Arc::clone(&self.clock))
            .idle_timeout(idle)
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
