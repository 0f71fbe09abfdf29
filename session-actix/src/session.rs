//! `Session`: what a handler asks for.

use std::{collections::BTreeMap, fmt, marker::PhantomData, sync::Arc};

use serde::de::DeserializeOwned;
use session_core::{Fingerprint, ManagedSession, SessionHandle, Status, Timestamp};

use crate::{AsKey, Error, KeyName, Main, Result, slot::Shared};

/// The session of the visitor: ask for it in a handler, and it is opened.
///
/// A snapshot of what is stored, and the changes of this request. Reading and changing are
/// immediate; changes are stored together when the handler has answered, before the head of the
/// response leaves. Only methods that are `async` reach the store themselves, and what they did is
/// stored when they return. Cheap to clone; clones are the same session, and so are several
/// extractors in one handler.
///
/// Nothing is stored, and no cookie sent, for a visitor until a value is put in. See
/// [`ManagedSession`] for what overlapping requests see of each other.
///
/// Errors can be answered as they are, with `?`: see [`Error`].
///
/// # After the head of the response
///
/// In a streaming body, a web socket or a task the handler left behind, the session can be read on,
/// also where it is first asked for there, [`is_live`](Self::is_live) asked, and the session kept
/// alive by [`touch`](Self::touch). A change is an
/// error of the kind [`Finished`](session_core::ErrorKind::Finished), until the code there has
/// called [`save`](Self::save) itself; from then on it has to call it after every change. `update`,
/// `take` and `destroy` store at once and always work; `bind` and `renew` do not, for no cookie can
/// be sent.
///
/// # Names
///
/// `N` names the middleware, if there are several: see
/// [`SessionMiddlewareBuilder::named`](crate::SessionMiddlewareBuilder::named).
///
/// # Examples
///
/// ```
/// use session_actix::{Result, Session};
///
/// async fn visits(session: Session) -> Result<String> {
///     let visits = session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1).await?;
///     Ok(format!("visit {visits}"))
/// }
/// ```
pub struct Session<N = Main> {
    /// `None` where the store did not give one and the middleware was told to go on read-only.
    managed: Option<ManagedSession>,
    shared: Arc<Shared>,
    name: PhantomData<fn() -> N>,
}

impl<N> Session<N> {
    pub(crate) fn new(managed: Option<ManagedSession>, shared: Arc<Shared>) -> Self {
        Self { managed, shared, name: PhantomData }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(crate) fn managed(&self) -> Result<&ManagedSession> {
        self.managed.as_ref().ok_or_else(Error::degraded)
    }

    /// Whether this stands in for a session the store did not give: empty, and refusing changes
    /// with 503. Only with
    /// [`read_only_when_unavailable`](crate::SessionMiddlewareBuilder::read_only_when_unavailable).
    pub fn is_degraded(&self) -> bool {
        self.managed.is_none()
    }

    /// The value stored under `key`, or `None`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`](session_core::ErrorKind::Codec): what is stored cannot be read as `T`.
    /// It stays as it is.
    pub fn get<T: DeserializeOwned>(&self, key: impl AsKey<T>) -> Result<Option<T>> {
        let Some(session) = &self.managed else { return Ok(None) };
        Ok(session.get(key)?)
    }

    /// Whether anything is stored under `key`.
    pub fn contains_key(&self, key: impl KeyName) -> bool {
        self.read(|session| session.contains_key(key))
    }

    /// The keys of all values.
    pub fn value_keys(&self) -> Vec<String> {
        self.read(ManagedSession::value_keys)
    }

    /// All keys and values.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`](session_core::ErrorKind::Codec): one of them cannot be read as `T`;
    /// take a type that reads everything, such as `serde_json::Value`.
    pub fn entries<T: DeserializeOwned>(&self) -> Result<BTreeMap<String, T>> {
        let Some(session) = &self.managed else { return Ok(BTreeMap::new()) };
        Ok(session.entries()?)
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.read(ManagedSession::len)
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether nothing of this session is stored, as far as is known.
    pub fn is_new(&self) -> bool {
        self.managed.as_ref().is_none_or(ManagedSession::is_new)
    }

    /// Whether the visitor came without a genuine cookie of ours: for the first time, say.
    pub fn is_stranger(&self) -> bool {
        self.read(ManagedSession::is_stranger)
    }

    /// Whether a genuine cookie came whose session is over, so that a page can say "your session
    /// has ended". Not if its token was replaced: the session may live on under the new one.
    pub fn was_ended(&self) -> bool {
        self.read(ManagedSession::was_ended)
    }

    /// What will become of the session at the end of the request, as far as it is known now.
    pub fn status(&self) -> Status {
        self.managed.as_ref().map_or(Status::Unchanged, ManagedSession::status)
    }

    /// Whether the session is permanent: has the longer lifetime ("remember me").
    pub fn permanent(&self) -> bool {
        self.read(ManagedSession::permanent)
    }

    /// Whom the session belongs to, if anyone logged in.
    pub fn principal(&self) -> Option<Arc<str>> {
        self.read(ManagedSession::principal)
    }

    /// When the principal was bound last: ask for the password again before something grave if that
    /// is long ago (OWASP ASVS 5.0, 7.5.3).
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        self.read(ManagedSession::authenticated_at)
    }

    /// What the application called the session.
    pub fn label(&self) -> Option<Arc<str>> {
        self.read(ManagedSession::label)
    }

    /// When the session was first stored; `None` while it is new.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.read(ManagedSession::created_at)
    }

    /// When the session ends if it is not used again; `None` while it is new.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.read(ManagedSession::expires_at)
    }

    /// When the session ends, however busy it is; `None` while it is new.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.read(ManagedSession::deadline)
    }

    /// The name of the session in [lists](Self::sessions); `None` while it is new.
    pub fn handle(&self) -> Option<SessionHandle> {
        self.read(ManagedSession::handle)
    }

    /// What the session is called in the logs of this process; `None` while it is new.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.read(ManagedSession::fingerprint)
    }

    fn read<T: Default>(&self, read: impl FnOnce(&ManagedSession) -> T) -> T {
        self.managed.as_ref().map(read).unwrap_or_default()
    }
}

impl<N> Clone for Session<N> {
    fn clone(&self) -> Self {
        Self::new(self.managed.clone(), Arc::clone(&self.shared))
    }
}

impl<N> fmt::Debug for Session<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.managed).finish()
    }
}
