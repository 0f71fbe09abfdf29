//! How a `SessionMiddleware` is put together.

mod cookie;

use std::{
    any::TypeId,
    fmt,
    marker::PhantomData,
    sync::{Arc, Once},
    time::Duration,
};

use actix_web::HttpResponse;
use session_core::{
    Clock, ErrorKind, KeyRing, MaxSessions, Observer, SessionInterface, SessionManager, SystemClock,
};

use crate::{
    Error, Main, Result, SessionMiddleware,
    http::{
        set_cookie::{Attributes, SetCookie},
        skip::SkipPaths,
        timer::TokioTimer,
    },
    slot::{ErrorPage, Outage, Shared},
};

/// Settings of a [`SessionMiddleware`]; every one has a default that is safe.
///
/// | setting | default |
/// | --- | --- |
/// | [`cookie_name`](Self::cookie_name) | `__Host-sid`; `sid` with `insecure_cookie` |
/// | `Secure`, `HttpOnly` | both |
/// | `SameSite` | `Lax` |
/// | [`path`](Self::path), [`domain`](Self::domain) | `/`, none |
/// | `Max-Age` | what is left of the lifetime |
/// | [`idle_timeout`](Self::idle_timeout) | 1 day |
/// | [`lifetime`](Self::lifetime), [`permanent_lifetime`](Self::permanent_lifetime) | 7 days, 31 days |
/// | [`store_timeout`](Self::store_timeout) | 5 seconds a call |
/// | when the store is out | 503 for handlers that ask for the session |
///
/// What is weaker than the default has a name that says so.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use session_actix::SessionMiddleware;
/// use session_core::{MemorySessionManager, SigningKey};
///
/// # let secret: Vec<u8> = (0..32).collect();
/// let sessions =
///     SessionMiddleware::builder(MemorySessionManager::new(), SigningKey::hmac_sha256(&secret)?)
///         .idle_timeout(Duration::from_secs(30 * 60))
///         .same_site_strict()
///         .skip_paths(["/static", "/health"])
///         .build()?;
/// # Ok::<(), session_actix::Error>(())
/// ```
#[must_use = "call `build`"]
pub struct SessionMiddlewareBuilder<N = Main> {
    manager: Arc<dyn SessionManager>,
    keys: KeyRing,
    cookie_name: Option<String>,
    attributes: Attributes,
    skip_paths: Vec<String>,
    eager: bool,
    outage: Outage,
    error_page: Option<ErrorPage>,
    store_timeout: Duration,
    clock: Arc<dyn Clock>,
    policy: Vec<Setting>,
    name: PhantomData<fn() -> N>,
}

/// A setting that is core's to check.
type Setting =
    Box<dyn FnOnce(session_core::SessionInterfaceBuilder) -> session_core::SessionInterfaceBuilder>;

impl SessionMiddlewareBuilder {
    pub(crate) fn new(manager: Arc<dyn SessionManager>, keys: KeyRing) -> Self {
        Self {
            manager,
            keys,
            cookie_name: None,
            attributes: Attributes::default(),
            skip_paths: Vec::new(),
            eager: false,
            outage: Outage::Refuse,
            error_page: None,
            store_timeout: Duration::from_secs(5),
            clock: Arc::new(SystemClock::new()),
            policy: Vec::new(),
            name: PhantomData,
        }
    }
}

impl<N: 'static> SessionMiddlewareBuilder<N> {
    /// Names the middleware by a type, for applications with more than one: a handler gets the
    /// session of this one as `Session<Admin>`. It needs a [`cookie_name`](Self::cookie_name) of
    /// its own: under one name, key and realm both would be the same session, and a login in one a
    /// login in the other.
    ///
    /// # Examples
    ///
    /// ```
    /// use actix_web::App;
    /// use session_actix::{Session, SessionMiddleware};
    /// # use session_core::{MemorySessionManager, SigningKey};
    ///
    /// struct Admin;
    ///
    /// async fn handler(visitor: Session, admin: Session<Admin>) {}
    ///
    /// # let secret: Vec<u8> = (0..32).collect();
    /// # let (manager, key) = (MemorySessionManager::new(), SigningKey::hmac_sha256(&secret)?);
    /// # let other = SigningKey::hmac_sha256(&secret)?;
    /// # let visitors = SessionMiddleware::new(manager.clone(), other)?;
    /// let admins = SessionMiddleware::builder(manager, key)
    ///     .named::<Admin>()
    ///     .cookie_name("__Host-admin")
    ///     .build()?;
    /// let app = App::new().wrap(visitors).wrap(admins);
    /// # Ok::<(), session_actix::Error>(())
    /// ```
    pub fn named<M>(self) -> SessionMiddlewareBuilder<M> {
        SessionMiddlewareBuilder {
            manager: self.manager,
            keys: self.keys,
            cookie_name: self.cookie_name,
            attributes: self.attributes,
            skip_paths: self.skip_paths,
            eager: self.eager,
            outage: self.outage,
            error_page: self.error_page,
            store_timeout: self.store_timeout,
            clock: self.clock,
            policy: self.policy,
            name: PhantomData,
        }
    }

    /// Paths whose requests have no session: these and all below, compared by whole segments as the
    /// router compares them. A path with a segment `.` or `..` is never skipped.
    ///
    /// Rarely needed, since a handler that asks for no session costs nothing, unless its request
    /// has a body: the session of such a request is opened before the body is read, so that it does
    /// not end meanwhile, at the cost of a read of the store. A handler on a skip path that does
    /// ask is answered 500: its changes would be lost.
    pub fn skip_paths<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.skip_paths.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Opens the session of every request that brings a cookie before routing goes on, so that
    /// [guards](crate::OpenedSession) can look at it. Costs every such request a call of the store.
    pub fn eager(mut self) -> Self {
        self.eager = true;
        self
    }

    /// Gives handlers an empty session that can only be read when the store is out, instead of
    /// answering 503.
    ///
    /// Everyone looks logged out to the handler then; nobody is, and no cookie is touched. Changes
    /// are refused with 503. [`is_degraded`](crate::Session::is_degraded) tells.
    pub fn read_only_when_unavailable(mut self) -> Self {
        self.outage = Outage::ReadOnly;
        self
    }

    /// Answers errors of sessions with a page of the application's own.
    ///
    /// `page` is given the kind of the error and the response that would be sent, with its status
    /// and `Retry-After`, and returns what is sent in its place. Cookies and what caches are told
    /// are set afterwards, so a page cannot lose them. Called for errors the middleware answers
    /// with, and for a [`session_actix::Error`](Error) that a handler or other middleware inside
    /// answers with.
    ///
    /// # Examples
    ///
    /// ```
    /// use actix_web::{HttpResponse, body::BoxBody, http::header};
    /// use session_core::ErrorKind;
    ///
    /// fn page(kind: ErrorKind, mut response: HttpResponse) -> HttpResponse {
    ///     let text = match kind {
    ///         ErrorKind::Gone => "<h1>Your session has ended</h1><a href=/login>Log in</a>",
    ///         _ => "<h1>Something went wrong</h1><p>Try again in a moment.",
    ///     };
    ///     let html = header::HeaderValue::from_static("text/html; charset=utf-8");
    ///     response.headers_mut().insert(header::CONTENT_TYPE, html);
    ///     response.set_body(BoxBody::new(text))
    /// }
    /// # use session_actix::SessionMiddleware;
    /// # use session_core::{MemorySessionManager, SigningKey};
    /// # let secret: Vec<u8> = (0..32).collect();
    /// # let (manager, key) = (MemorySessionManager::new(), SigningKey::hmac_sha256(&secret)?);
    ///
    /// let sessions = SessionMiddleware::builder(manager, key).error_page(page).build()?;
    /// # Ok::<(), session_actix::Error>(())
    /// ```
    pub fn error_page(
        mut self,
        page: impl Fn(ErrorKind, HttpResponse) -> HttpResponse + Send + Sync + 'static,
    ) -> Self {
        self.error_page = Some(ErrorPage::new(page));
        self
    }

    /// How long one call of the store may take, and one wait for another save of the same session:
    /// 5 seconds unless set.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.store_timeout = timeout;
        self
    }

    /// At most this many sessions are begun in a second by this process; more are answered 503 with
    /// `Retry-After`. Off unless set; visitors for whom nothing is stored do not count.
    pub fn max_new_sessions_per_second(self, sessions: u32) -> Self {
        self.policy(move |builder| builder.max_new_sessions_per_second(sessions))
    }

    /// A label for the application: cookies of another realm do not verify, even if they are signed
    /// with the same secret.
    pub fn realm(self, realm: impl Into<String>) -> Self {
        let realm = realm.into();
        self.policy(|builder| builder.realm(realm))
    }

    /// How long an unused session lasts: 1 day unless set.
    ///
    /// A request uses it when it is opened, and until the head of the response leaves, for ten
    /// minutes at most: a long upload does not end the session it came with. Bodies that are being
    /// sent, and web sockets, are no use; see [`Session::touch`](crate::Session::touch).
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.policy(move |builder| builder.idle_timeout(timeout))
    }

    /// How long a session lasts after its last login, or its beginning, however busy it is: 7 days
    /// unless set.
    pub fn lifetime(self, lifetime: Duration) -> Self {
        self.policy(move |builder| builder.lifetime(lifetime))
    }

    /// The idle timeout of permanent sessions: as their lifetime unless set.
    pub fn permanent_idle_timeout(self, timeout: Duration) -> Self {
        self.policy(move |builder| builder.permanent_idle_timeout(timeout))
    }

    /// The lifetime of permanent sessions: 31 days unless set.
    pub fn permanent_lifetime(self, lifetime: Duration) -> Self {
        self.policy(move |builder| builder.permanent_lifetime(lifetime))
    }

    /// Replaces the token of a session in use when it is this old; off unless set.
    pub fn rotate_every(self, interval: Duration) -> Self {
        self.policy(move |builder| builder.rotate_every(interval))
    }

    /// How many sessions a principal may have; no limit unless set.
    pub fn max_sessions(self, max: MaxSessions) -> Self {
        self.policy(move |builder| builder.max_sessions(max))
    }

    /// The most bytes the keys and encoded values of a session may have together, each value
    /// counted with 32 more: 64 KiB unless set.
    pub fn max_bytes(self, bytes: usize) -> Self {
        self.policy(move |builder| builder.max_bytes(bytes))
    }

    /// The clock sessions expire by; give the manager the same.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Whom to tell of every [event](session_core::Event).
    pub fn observer(self, observer: Arc<dyn Observer>) -> Self {
        self.policy(|builder| builder.observer(observer))
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], with what to change: a cookie that browsers would drop (`__Host-`
    /// with a domain, `SameSite=None` or `Partitioned` without `Secure`, a top-level domain); a
    /// name, path or domain that cannot be written; a skip path that is none; a time limit or cap
    /// of zero; a [named](Self::named) middleware without a cookie of its own; and what
    /// [`SessionInterface`](session_core::SessionInterfaceBuilder::build) refuses.
    pub fn build(self) -> Result<SessionMiddleware<N>> {
        let default = if self.attributes.secure { "__Host-sid" } else { "sid" };
        let cookie_name = self.cookie_name.as_deref().unwrap_or(default);
        let is_named = TypeId::of::<N>() != TypeId::of::<Main>();
        if is_named && ["__Host-sid", "sid"].contains(&cookie_name) {
            return Err(Error::config(
                "a named middleware shares the session of the one without a name if it shares its cookie: give it a `cookie_name` of its own, such as `__Host-admin`",
            ));
        }
        let builder = SessionInterface::builder(self.manager, self.keys)
            .cookie_name(cookie_name)
            .clock(self.clock)
            .timer(Arc::new(TokioTimer))
            .store_timeout(self.store_timeout);
        let interface =
            self.policy.into_iter().fold(builder, |builder, set| set(builder)).build()?;
        let set_cookie = SetCookie::new(cookie_name, &self.attributes)?;
        let skip_paths = SkipPaths::new(&self.skip_paths)?;
        Ok(SessionMiddleware::from_shared(Shared {
            interface,
            set_cookie,
            skip_paths,
            eager: self.eager,
            outage: self.outage,
            error_page: self.error_page,
            path_warning: Once::new(),
            store_timeout: self.store_timeout,
        }))
    }

    fn policy(
        mut self,
        set: impl FnOnce(session_core::SessionInterfaceBuilder) -> session_core::SessionInterfaceBuilder
        + 'static,
    ) -> Self {
        self.policy.push(Box::new(set));
        self
    }
}

impl<N> fmt::Debug for SessionMiddlewareBuilder<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionMiddlewareBuilder")
            .field("cookie_name", &self.cookie_name)
            .field("attributes", &self.attributes)
            .field("skip_paths", &self.skip_paths)
            .finish_non_exhaustive()
    }
}
