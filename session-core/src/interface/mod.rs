//! `SessionInterface`: opens, saves, renews and revokes sessions. The policy; no I/O of its own.

mod builder;
mod candidates;
mod endings;
mod hints;
mod info;
mod look;
mod open;
mod policy;
mod principals;
mod store;
mod tally;

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;

pub use self::{
    builder::SessionInterfaceBuilder,
    info::{SessionHandle, SessionInfo},
    open::{Opening, Verified},
    policy::MaxSessions,
};
pub(crate) use self::{
    endings::Endings,
    hints::Hints,
    look::{Look, TokenMatch},
    policy::Policy,
    store::Store,
};
use crate::{
    Clock, KeyRing, Result, SessionManager, Timestamp, cookie,
    keys::{InUse, Standing},
    observer::Events,
    queue::Queue,
    session::LoadedSession,
};

/// Opens and saves the sessions of one cookie: the heart of the crate.
///
/// Whoever speaks HTTP hands it the values of the cookies it received and gets a
/// [`ManagedSession`](crate::ManagedSession); at the end of the request it calls
/// [`finish`](crate::ManagedSession::finish) and is told which cookie to send. Everything between
/// is decided here:
///
/// - **Nothing is stored, and nothing sent, for a visitor until a value is put in.** The MAC of a
///   cookie is checked before the store is asked: a forged one costs at most one HMAC for each key
///   of the ring, and at most 8 of a request are looked at.
/// - **Nothing is lost when requests overlap.** Changes are kept as data and applied to the newest
///   record; a writer that lost the race applies its changes again. Set after get is
///   last-writer-wins for that key; [`update`](crate::ManagedSession::update) and
///   [`take`](crate::ManagedSession::take) are atomic.
/// - **Nothing ended comes back.** A request whose session was ended, or whose token was replaced
///   by a login, stores nothing: not its changes, not its activity, not a session of its own.
/// - **Lifetimes are enforced here,** at every open, by the clock: idle timeout and absolute
///   lifetime, whatever the browser does with its cookie.
///
/// Cheap to clone; clones share everything.
///
/// # Examples
///
/// ```
/// use session_core::{CookieAction, MemorySessionManager, SessionInterface, SigningKey};
///
/// # let secret: Vec<u8> = (0..32).collect();
/// # let run = async {
/// let key = SigningKey::hmac_sha256(&secret)?;
/// let interface = SessionInterface::builder(MemorySessionManager::new(), key).build()?;
///
/// // The first request has no cookie.
/// let session = interface.open([]).await?;
/// session.insert("visits", &1)?;
/// let CookieAction::Set(cookie) = session.finish().await?.cookie else {
///     panic!("a new session has a cookie")
/// };
///
/// // The second one brings it.
/// let session = interface.open([cookie.value().as_bytes()]).await?;
/// assert_eq!(session.get::<u32>("visits")?, Some(1));
/// # Ok::<(), session_core::Error>(())
/// # };
/// # let mut run = std::pin::pin!(run);
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert!(matches!(run.as_mut().poll(&mut context), std::task::Poll::Ready(Ok(()))));
/// ```
#[derive(Clone)]
pub struct SessionInterface {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) keys: ArcSwap<InUse>,
    pub(crate) policy: Policy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) events: Events,
    pub(crate) queue: Queue,
    pub(crate) hints: Hints,
    pub(crate) endings: Endings,
    cookie_name: String,
    realm: String,
}

impl SessionInterface {
    /// The name of the cookie the sessions are kept by.
    pub fn cookie_name(&self) -> &str {
        &self.shared.cookie_name
    }

    /// The manager the sessions are kept in.
    pub fn manager(&self) -> &Arc<dyn SessionManager> {
        &self.shared.store.manager
    }

    /// The clock sessions expire by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// Replaces the keys. Requests that are under way finish with either ring; see [`KeyRing`] for
    /// the order of a rotation.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if a key is twice in the ring, or the ring
    /// too long; the old one stays.
    pub fn replace_keys(&self, keys: impl Into<KeyRing>) -> Result<()> {
        let keys = InUse::new(&keys.into(), &self.shared.realm, &self.shared.cookie_name)?;
        self.shared.keys.store(Arc::new(keys));
        Ok(())
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}

impl Shared {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The cookie of `loaded`.
    pub(crate) fn issue(&self, loaded: &LoadedSession) -> CookieAction {
        let now = self.now();
        CookieAction::Set(IssuedCookie {
            value: cookie::sign(&self.keys.load(), loaded.id(), &loaded.token),
            ends_at: self.policy.deadline(&loaded.contents, now).min(loaded.record.deadline()),
            now,
            permanent: loaded.contents.data.permanent,
        })
    }

    /// Whether what was signed or sealed under a key of this standing is to be done again under the
    /// current one.
    pub(crate) fn is_retired(standing: Option<Standing>) -> bool {
        standing == Some(Standing::Retired)
    }
}

impl fmt::Debug for SessionInterface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionInterface")
            .field("cookie_name", &self.shared.cookie_name)
            .field("policy", &self.shared.policy)
            .field("manager", &self.shared.store.manager)
            .finish_non_exhaustive()
    }
}

/// Which cookie to send at the end of a request.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_enums, reason = "whoever speaks HTTP must carry out each of them")]
pub enum CookieAction {
    /// None: what the browser has is right, or is not ours to judge.
    #[default]
    Keep,
    /// This one: the session is new, its token was replaced, or its key was.
    Set(IssuedCookie),
    /// One that removes the browser's: this request ended the session.
    Remove,
}

/// A cookie to be sent. `Debug` does not show its value.
#[derive(Clone)]
pub struct IssuedCookie {
    value: String,
    ends_at: Timestamp,
    now: Timestamp,
    permanent: bool,
}

impl IssuedCookie {
    /// The value: 85 or 101 bytes of `[0-9a-zA-Z!_-]`, to be sent as it is. It is the secret of the
    /// session.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What is left of the absolute lifetime.
    pub fn max_age(&self) -> std::time::Duration {
        self.ends_at.saturating_since(self.now)
    }

    /// Whether the session is permanent: a cookie without `Max-Age` would end it with the browser.
    pub fn is_permanent(&self) -> bool {
        self.permanent
    }
}

impl fmt::Debug for IssuedCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedCookie").field("max_age", &self.max_age()).finish_non_exhaustive()
    }
}
