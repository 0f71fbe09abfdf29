//! Where a request keeps its session.

use std::{cell::Cell, fmt, marker::PhantomData, rc::Rc, sync::Arc};

use actix_web::{
    HttpMessage,
    dev::Extensions,
    http::header::{COOKIE, HeaderMap, HeaderValue},
};
use session_core::{ErrorKind, ManagedSession, SessionInterface};
use tokio::sync::OnceCell;

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
    /// `None` in it stands for a session the store did not give.
    opened: OnceCell<Option<ManagedSession>>,
    /// Whether anybody was given the session, so that the response depends on it.
    handed_out: Cell<bool>,
}

impl Slot {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, opened: OnceCell::new(), handed_out: Cell::new(false) }
    }

    /// The `Cookie` fields, to be read when the session is opened.
    pub(crate) fn fields(headers: &HeaderMap) -> Vec<HeaderValue> {
        headers.get_all(COOKIE).cloned().collect()
    }

    /// Opens the session, once for all who ask.
    pub(crate) async fn open(&self, fields: &[HeaderValue]) -> Result<Option<ManagedSession>> {
        let open = || async {
            let values = cookie::values(fields, self.shared.set_cookie.name());
            match self.shared.interface.open(values).await {
                Ok(session) => Ok(Some(session)),
                Err(error)
                    if self.shared.outage == Outage::ReadOnly
                        && error.kind() == ErrorKind::Unavailable =>
                {
                    Ok(None)
                }
                Err(error) => Err(Error::from(error)),
            }
        };
        self.opened.get_or_try_init(open).await.cloned()
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
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("opened", &self.opened.initialized()).finish_non_exhaustive()
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
