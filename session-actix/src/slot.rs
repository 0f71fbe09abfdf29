//! Where a request keeps its session.

use std::{
    cell::{Cell, OnceCell},
    fmt,
    marker::PhantomData,
    rc::Rc,
    sync::{Arc, Once},
    time::Duration,
};

use actix_web::{
    HttpMessage, HttpResponse, dev::Extensions, http::header::HeaderValue, web::Bytes,
};
use session_core::{
    CookieAction, ErrorKind, ManagedSession, Opening, SessionInterface, Timestamp, Verified,
};
use tokio::sync::Mutex;

use crate::{
    Error, Result, Session,
    http::{cookie, set_cookie::SetCookie, skip::SkipPaths},
};

/// What all requests of a middleware have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) interface: SessionInterface,
    pub(crate) set_cookie: SetCookie,
    pub(crate) skip_paths: SkipPaths,
    pub(crate) eager: bool,
    pub(crate) outage: Outage,
    pub(crate) store_timeout: Duration,
    pub(crate) error_page: Option<ErrorPage>,
    /// Warns of sessions that begin where their cookie does not come back.
    pub(crate) path_warning: Once,
}

/// What the application answers with in place of our own body.
pub(crate) struct ErrorPage(Box<Page>);

type Page = dyn Fn(ErrorKind, HttpResponse) -> HttpResponse + Send + Sync;

impl ErrorPage {
    pub(crate) fn new(
        page: impl Fn(ErrorKind, HttpResponse) -> HttpResponse + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(page))
    }

    /// The application's answer in place of `response`.
    pub(crate) fn of(&self, kind: ErrorKind, response: HttpResponse) -> HttpResponse {
        (self.0)(kind, response)
    }
}

impl fmt::Debug for ErrorPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErrorPage")
    }
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
    /// Whether the browser does not send our cookie with requests of this path.
    outside: bool,
    /// When the head of the request was here: a change of the token after it overtakes the request.
    arrived: Timestamp,
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
    /// For a request of `path`, as it stands in the request line.
    pub(crate) fn new(shared: Arc<Shared>, path: &str) -> Self {
        Self {
            outside: !shared.set_cookie.is_sent_with(path),
            arrived: shared.interface.clock().now(),
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
        let fields = fields.into_iter().map(HeaderValue::as_bytes);
        let values = cookie::values(fields, self.shared.set_cookie.name());
        let verified = self.shared.interface.verify(values).arrived_at(self.arrived);
        if let Opening::Ready(session) = verified.open() {
            return Ok(self.fill(Some(session)));
        }
        Err(Rc::clone(self.verified.get_or_init(|| Rc::new(verified))))
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
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`]: it could not be. [`ErrorKind::Config`]: nobody tried.
    pub(crate) fn opened(&self) -> Result<Option<ManagedSession>> {
        match self.opened.get() {
            Some(opened) => Ok(opened.clone()),
            None if self.verified.get().is_some() => {
                Err(Error::unavailable("the store did not answer when the session was opened"))
            }
            None => Err(Error::config(
                "nobody has opened the session yet: build the middleware with `eager`, or ask for \
                 the session further outside",
            )),
        }
    }

    /// The `Set-Cookie` that carries out `action`, if any.
    pub(crate) fn set_cookie(&self, action: &CookieAction) -> Result<Option<HeaderValue>> {
        let set_cookie = &self.shared.set_cookie;
        let text = match action {
            CookieAction::Keep => return Ok(None),
            CookieAction::Set(cookie) => {
                if self.outside {
                    self.shared.path_warning.call_once(|| {
                        tracing::warn!(
                            target: "session",
                            path = set_cookie.path(),
                            "a session began in a request outside of the cookie's path, which is \
                             the only place it is seen again: begin sessions below it, or widen it"
                        );
                    });
                }
                Bytes::from(set_cookie.set(cookie))
            }
            CookieAction::Remove => Bytes::copy_from_slice(set_cookie.removal().as_bytes()),
        };
        let header = HeaderValue::from_maybe_shared(text);
        Ok(Some(header.map_err(|_| Error::config("the cookie cannot be written"))?))
    }

    /// The session to be saved at the end, and kept alive until then.
    pub(crate) fn to_be_saved(&self) -> Option<&ManagedSession> {
        self.opened.get()?.as_ref()
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

/// What a middleware of the name `N` put among the extensions of a request.
struct Named<N> {
    place: Place,
    name: PhantomData<fn() -> N>,
}

/// Where the handlers inside find their session, or why there is none.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Slot(Rc<Slot>),
    /// The path is one the middleware skips.
    Skipped,
    /// Another middleware of the name is further outside.
    Doubled,
}

pub(crate) fn put<N: 'static>(message: &impl HttpMessage, place: Place) {
    message.extensions_mut().insert(Named::<N> { place, name: PhantomData });
}

/// The slot a middleware of the name put in further outside.
///
/// One that ended is from before: the request was answered, and sent through once more.
pub(crate) fn outer<N: 'static>(message: &impl HttpMessage) -> Option<Rc<Slot>> {
    match &message.extensions().get::<Named<N>>()?.place {
        Place::Slot(slot) if !slot.ended.get() => Some(Rc::clone(slot)),
        _ => None,
    }
}

/// The slot of the request.
///
/// # Errors
///
/// [`ErrorKind::Config`]: no middleware of this name came by, two that were built apart did, or the
/// path is one it skips.
pub(crate) fn find<N: 'static>(extensions: &Extensions) -> Result<Rc<Slot>> {
    let place = extensions.get::<Named<N>>().map(|named| &named.place);
    Err(Error::config(match place {
        Some(Place::Slot(slot)) => return Ok(Rc::clone(slot)),
        Some(Place::Skipped) => {
            "the handler asks for a session on a skip path: take the path from `skip_paths`"
        }
        Some(Place::Doubled) => {
            "two `SessionMiddleware` of one name that were built apart are around the handler: \
             build one and clone it, or give the second a name with `named`"
        }
        None => {
            "no `SessionMiddleware` of this name is around the handler: add `.wrap(sessions)` to \
             the app or scope, after the middleware that asks for the session"
        }
    }))
}
