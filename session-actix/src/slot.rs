//! Where a request keeps its session.

use std::{
    cell::{Cell, OnceCell},
    fmt,
    marker::PhantomData,
    rc::Rc,
    sync::Arc,
};

use actix_web::{HttpMessage, dev::Extensions, http::header::HeaderValue};
use session_core::{ErrorKind, ManagedSession, SessionInterface, Verified};
use tokio::sync::Mutex;

use crate::{Error, Result, Session, cookie, set_cookie::SetCookie, skip::SkipPaths};

/// What all requests of a middleware have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) interface: SessionInterface,
    pub(crate) set_cookie: SetCookie,
    pub(crate) skip_paths: SkipPaths,
    pub(crate) eager: bool,
    pub(crate) outage: Outage,
}

/// What a handler gets when the store is out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outage {
    /// Nothing: the extractor answers 503.
    Refuse,
    /// An empty session that refuses every change.
    ReadOnly,
}

/// The session of one request: not opened until somebody asks.
pub(crate) struct Slot {
    pub(crate) shared: Arc<Shared>,
    /// The cookies of the request, once the store is to be asked with them.
    verified: OnceCell<Rc<Verified>>,
    /// `None` in it stands for a session the store did not give.
    opened: OnceCell<Option<ManagedSession>>,
    /// Held by who asks the store, so that the others wait for its answer.
    opening: Mutex<()>,
    /// Whether anybody was given the session, so that the response depends on it.
    handed_out: Cell<bool>,
    /// Whether the handler has answered.
    ended: Cell<bool>,
}

impl Slot {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            verified: OnceCell::new(),
            opened: OnceCell::new(),
            opening: Mutex::const_new(()),
            handed_out: Cell::new(false),
            ended: Cell::new(false),
        }
    }

    /// Opens the session if nobody has to be waited for; otherwise says what the store is to be
    /// asked with. `fields` are those of `Cookie`.
    pub(crate) fn recall<'a>(
        &self,
        fields: impl IntoIterator<Item = &'a HeaderValue>,
    ) -> std::result::Result<Option<ManagedSession>, Rc<Verified>> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened.clone());
        }
        if let Some(verified) = self.verified.get() {
            return Err(Rc::clone(verified));
        }
        let values = cookie::values(fields, self.shared.set_cookie.name());
        let verified = self.shared.interface.verify(values);
        match verified.recall() {
            Some(session) => Ok(self.fill(Some(session))),
            None => Err(Rc::clone(self.verified.get_or_init(|| Rc::new(verified)))),
        }
    }

    /// Opens the session with what [`recall`](Self::recall) gave, once for all who ask.
    pub(crate) async fn open(&self, verified: &Verified) -> Result<Option<ManagedSession>> {
        let _turn = self.opening.lock().await;
        if let Some(opened) = self.opened.get() {
            return Ok(opened.clone());
        }
        let session = match verified.open().await {
            Ok(session) => Some(session),
            Err(error)
                if self.shared.outage == Outage::ReadOnly
                    && error.kind() == ErrorKind::Unavailable =>
            {
                None
            }
            Err(error) => return Err(Error::from(error)),
        };
        Ok(self.fill(session))
    }

    fn fill(&self, session: Option<ManagedSession>) -> Option<ManagedSession> {
        let fill = || {
            // The end was, and will not come again to save changes and tell of a token.
            if self.ended.get()
                && let Some(session) = &session
            {
                session.conclude();
            }
            session
        };
        self.opened.get_or_init(fill).clone()
    }

    pub(crate) fn hand_out<N>(&self, session: Option<ManagedSession>) -> Session<N> {
        self.handed_out.set(true);
        Session::new(session, Arc::clone(&self.shared))
    }

    /// The session, if it was opened.
    pub(crate) fn opened(&self) -> Option<&Option<ManagedSession>> {
        self.opened.get()
    }

    pub(crate) fn was_asked_for(&self) -> bool {
        self.handed_out.get()
    }

    pub(crate) fn note_asked_for(&self) {
        self.handed_out.set(true);
    }

    /// The handler has answered: what is opened from now on is opened too late to be changed.
    pub(crate) fn end(&self) {
        self.ended.set(true);
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("opened", &self.opened.get().is_some()).finish_non_exhaustive()
    }
}

/// A slot among the extensions of a request, told from others by the name's type.
struct Named<N> {
    /// `None` on a skip path.
    slot: Option<Rc<Slot>>,
    name: PhantomData<fn() -> N>,
}

/// Gives the request a slot, or marks it as one that has none.
pub(crate) fn put<N: 'static>(message: &impl HttpMessage, slot: Option<Rc<Slot>>) {
    message.extensions_mut().insert(Named::<N> { slot, name: PhantomData });
}

/// Whether the request has a slot of this very middleware, from a clone of it further outside.
///
/// One that ended is from before: the request was answered, and sent through once more.
pub(crate) fn is_of<N: 'static>(message: &impl HttpMessage, shared: &Arc<Shared>) -> bool {
    let extensions = message.extensions();
    let slot = extensions.get::<Named<N>>().and_then(|named| named.slot.as_ref());
    slot.is_some_and(|slot| Arc::ptr_eq(&slot.shared, shared) && !slot.ended.get())
}

/// The slot of the request.
///
/// # Errors
///
/// No middleware of this name came by, or the path is one it skips.
pub(crate) fn find<N: 'static>(extensions: &Extensions) -> Result<Rc<Slot>> {
    let Some(named) = extensions.get::<Named<N>>() else {
        return Err(Error::config(
            "no `SessionMiddleware` of this name is around the handler: add `.wrap(sessions)` to the app or scope",
        ));
    };
    named.slot.clone().ok_or_else(|| {
        Error::config(
            "the handler asks for a session on a skip path: take the path from `skip_paths`",
        )
    })
}
