//! How a `SessionInterface` is put together.

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use arc_swap::ArcSwap;

use super::{
    Endings, Hints, MaxSessions, Policy, SessionInterface, Shared, Store, store::Newcomers,
};
use crate::{
    Clock, Error, KeyRing, Observer, Result, SessionManager, SystemClock, Timer, keys::InUse,
    observer::Events, queue::Queue,
};

/// Settings of a [`SessionInterface`]; every one has a default that is safe.
///
/// | setting | default | |
/// | --- | --- | --- |
/// | [`cookie_name`](Self::cookie_name) | `__Host-sid` | a browser takes it from this host alone, over TLS |
/// | [`idle_timeout`](Self::idle_timeout) | 1 day | a session nobody uses for so long is over |
/// | [`lifetime`](Self::lifetime) | 7 days | a session is over so long after the last login, however busy it is |
/// | [`permanent_lifetime`](Self::permanent_lifetime) | 31 days | the same for permanent sessions ("remember me") |
/// | [`permanent_idle_timeout`](Self::permanent_idle_timeout) | as the lifetime | |
/// | [`rotate_every`](Self::rotate_every) | off | |
/// | [`max_sessions`](Self::max_sessions) | no limit | |
/// | [`max_bytes`](Self::max_bytes) | 64 KiB | |
/// | [`touch_on_open`](Self::touch_on_open) | yes | |
/// | [`store_timeout`](Self::store_timeout) | 5 seconds | with a [`timer`](Self::timer) only |
/// | [`max_new_sessions_per_second`](Self::max_new_sessions_per_second) | no limit | |
///
/// # Source
///
/// OWASP ASVS 5.0, 7.3.1 and 7.3.2, asks for both timeouts and leaves their length to the
/// application; one day is the usual idle timeout of the Flask snippet this began with, 31 days
/// Flask's lifetime of permanent sessions. NIST SP 800-63B-4 asks for re-authentication after 30
/// days at AAL1, and after 24 hours, or one hour of inactivity, at AAL2: set them if you have to
/// meet it.
#[must_use = "call `build`"]
pub struct SessionInterfaceBuilder {
    manager: Arc<dyn SessionManager>,
    keys: KeyRing,
    cookie_name: String,
    realm: String,
    policy: Policy,
    clock: Arc<dyn Clock>,
    timer: Option<Arc<dyn Timer>>,
    store_timeout: Duration,
    newcomers: Option<u32>,
    events: Events,
}

impl SessionInterface {
    /// Starts with a manager to keep sessions in, and the keys to sign and seal with.
    ///
    /// Sessions expire by the machine's clock unless [`clock`](SessionInterfaceBuilder::clock) is
    /// called.
    pub fn builder(
        manager: impl SessionManager,
        keys: impl Into<KeyRing>,
    ) -> SessionInterfaceBuilder {
        SessionInterfaceBuilder {
            manager: Arc::new(manager),
            keys: keys.into(),
            cookie_name: "__Host-sid".into(),
            realm: String::new(),
            policy: Policy::default(),
            clock: Arc::new(SystemClock::new()),
            timer: None,
            store_timeout: Duration::from_secs(5),
            newcomers: None,
            events: Events::default(),
        }
    }
}

impl SessionInterfaceBuilder {
    /// The cookie's name. Cookies of other names do not verify, whatever they hold.
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.cookie_name = name.into();
        self
    }

    /// A label for the application or deployment: cookies of another realm do not verify, even if
    /// they are signed with the same secret.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// How long a session lasts that nobody uses. Activity is written back when a tenth of this has
    /// passed since it last was, so a session ends between nine tenths of the timeout and the whole
    /// after its last use, never later.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.policy.idle = timeout;
        self
    }

    /// How long a session lasts after its last login, or after it began if nobody logged in,
    /// however busy it is.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.policy.lifetime = lifetime;
        self
    }

    /// The idle timeout of permanent sessions.
    pub fn permanent_idle_timeout(mut self, timeout: Duration) -> Self {
        self.policy.permanent_idle = Some(timeout);
        self
    }

    /// The lifetime of permanent sessions.
    pub fn permanent_lifetime(mut self, lifetime: Duration) -> Self {
        self.policy.permanent_lifetime = lifetime;
        self
    }

    /// Replaces the token of a session in use when it is this old.
    ///
    /// However many requests meet at that moment, the token is replaced once, and each of them is
    /// sent the same new one. The old one lives until 30 seconds after the new one was first
    /// presented.
    pub fn rotate_every(mut self, interval: Duration) -> Self {
        self.policy.rotate_every = Some(interval);
        self
    }

    /// How many sessions a principal may have. Needs a manager that can list.
    pub fn max_sessions(mut self, max: MaxSessions) -> Self {
        self.policy.max_sessions = max;
        self
    }

    /// The most bytes the keys and encoded values of a session may have together, each value
    /// counted with 32 more, which is what keeping it takes; a value that would not fit is refused
    /// by [`insert`](crate::ManagedSession::insert).
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.policy.max_bytes = bytes;
        self
    }

    /// Whether opening a session counts as a use, as it does unless set: without it a request that
    /// runs for longer than the session has left outlasts it. Turn it off where sessions are opened
    /// to be looked at, by a tool or under another library's rules.
    pub fn touch_on_open(mut self, touches: bool) -> Self {
        self.policy.touch_on_open = touches;
        self
    }

    /// The clock sessions expire by; give the manager the same.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What bounds calls of the store and waits for other saves. Without a timer nothing does: a
    /// store that hangs then holds up saves of its session, and of those that share its lock, for
    /// as long as it hangs.
    pub fn timer(mut self, timer: Arc<dyn Timer>) -> Self {
        self.timer = Some(timer);
        self
    }

    /// How long one call of the store may take, and one wait for another save of the session, if
    /// there is a [`timer`](Self::timer). Longer ones are
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable).
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// At most this many sessions are created in a second of the clock; others are refused as
    /// [`ErrorKind::Full`](crate::ErrorKind::Full). For stores that must not be filled by visitors
    /// without cookies.
    pub fn max_new_sessions_per_second(mut self, sessions: u32) -> Self {
        self.newcomers = Some(sessions);
        self
    }

    /// Whom to tell of every [`Event`](crate::Event).
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.events = Events(Some(observer));
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), with what to change: a duration below a
    /// second, an idle timeout longer than its lifetime, a size limit of zero or beyond what
    /// backends take, a cookie name that is no token of RFC 6265, a limit on sessions over a
    /// manager that cannot list, a ring with a key twice.
    pub fn build(self) -> Result<SessionInterface> {
        self.policy.check()?;
        if !is_token(&self.cookie_name) {
            return Err(Error::config(
                "the cookie name is no token: use letters, digits and any of !#$%&'*+-.^_`|~",
            ));
        }
        if self.policy.max_sessions != MaxSessions::Unlimited && self.manager.listing().is_none() {
            return Err(Error::config(
                "a limit on sessions needs a manager that can list: take another backend or no limit",
            ));
        }
        if self.store_timeout.is_zero() {
            return Err(Error::config(
                "a store timeout of zero refuses every call: give it longer",
            ));
        }
        let newcomers = match self.newcomers.map(NonZeroU32::new) {
            Some(None) => {
                return Err(Error::config(
                    "a limit of zero new sessions a second refuses every visitor: give at least 1",
                ));
            }
            newcomers => newcomers.flatten().map(Newcomers::new),
        };
        let keys = InUse::new(&self.keys, &self.realm, &self.cookie_name)?;
        Ok(SessionInterface {
            shared: Arc::new(Shared {
                store: Store {
                    manager: self.manager,
                    timer: self.timer,
                    limit: self.store_timeout,
                    newcomers,
                },
                keys: ArcSwap::from_pointee(keys),
                policy: self.policy,
                clock: self.clock,
                events: self.events,
                queue: Queue::new(),
                hints: Hints::new(),
                endings: Endings::default(),
                cookie_name: self.cookie_name,
                realm: self.realm,
            }),
        })
    }
}

impl fmt::Debug for SessionInterfaceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionInterfaceBuilder")
            .field("cookie_name", &self.cookie_name)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// RFC 6265, section 4.1.1: a cookie name is a token of RFC 9110, section 5.6.2.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
