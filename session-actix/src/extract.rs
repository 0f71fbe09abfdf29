//! The ways to the session of a request.

use std::{
    fmt, mem,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::{Payload, ServiceRequest},
    guard::GuardContext,
    http::header::{COOKIE, HeaderMap, HeaderValue},
};
use futures_util::future::LocalBoxFuture;
use session_core::ErrorKind;

use crate::{
    Error, Main, Result, Session,
    slot::{self, Slot},
};

/// Opens the session when a handler asks for it: see [`Session`].
///
/// # Errors
///
/// 503 with `Retry-After` when the store is out: the visitor may have a session, so the handler
/// must not go on as if there were none. 500 where no middleware is around the handler.
///
/// Do not take `Option<Session>` or `Result<Session, _>` to go on without one: an outage would look
/// like a logout. See
/// [`read_only_when_unavailable`](crate::SessionMiddlewareBuilder::read_only_when_unavailable).
impl<N: 'static> FromRequest for Session<N> {
    type Error = Error;
    type Future = Opening<N>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let slot = slot::find::<N>(&request.extensions());
        Opening::new(slot, request.headers())
    }
}

/// The session of a request, for middleware and guards.
///
/// # Examples
///
/// Middleware that lets nobody in who has not logged in:
///
/// ```
/// use actix_web::{
///     Error, HttpResponse,
///     body::MessageBody,
///     dev::{ServiceRequest, ServiceResponse},
///     error::InternalError,
///     middleware::Next,
/// };
/// use session_actix::SessionExt;
///
/// async fn members_only(
///     request: ServiceRequest,
///     next: Next<impl MessageBody>,
/// ) -> Result<ServiceResponse<impl MessageBody>, Error> {
///     if request.session().await?.principal().is_none() {
///         let refusal = HttpResponse::Unauthorized().finish();
///         return Err(InternalError::from_response("not logged in", refusal).into());
///     }
///     next.call(request).await
/// }
/// # let _ = actix_web::App::new().wrap(actix_web::middleware::from_fn(members_only));
/// ```
pub trait SessionExt {
    /// The session, opened if nobody has asked for it before.
    ///
    /// # Errors
    ///
    /// As the [extractor](Session).
    fn session(&self) -> LocalBoxFuture<'static, Result<Session>> {
        self.session_named::<Main>()
    }

    /// The session of the middleware with this name.
    ///
    /// # Errors
    ///
    /// As the [extractor](Session).
    fn session_named<N: 'static>(&self) -> LocalBoxFuture<'static, Result<Session<N>>>;
}

impl SessionExt for HttpRequest {
    fn session_named<N: 'static>(&self) -> LocalBoxFuture<'static, Result<Session<N>>> {
        let slot = slot::find::<N>(&self.extensions());
        Box::pin(Opening::new(slot, self.headers()))
    }
}

impl SessionExt for ServiceRequest {
    fn session_named<N: 'static>(&self) -> LocalBoxFuture<'static, Result<Session<N>>> {
        let slot = slot::find::<N>(&self.extensions());
        Box::pin(Opening::new(slot, self.headers()))
    }
}

/// Waits for the session of a request: the future of the extractor.
///
/// Opens it when it is first polled. A session that is in memory, and that of a visitor without a
/// genuine cookie, is there then.
#[must_use = "futures do nothing unless polled"]
pub struct Opening<N = Main>(Step<N>);

enum Step<N> {
    /// And not the request: it must have one owner to be routed.
    Asked(Result<Rc<Slot>>, Fields),
    Waits(LocalBoxFuture<'static, Result<Session<N>>>),
    Over,
}

impl<N> Opening<N> {
    fn new(slot: Result<Rc<Slot>>, headers: &HeaderMap) -> Self {
        Self(Step::Asked(slot, Fields::of(headers)))
    }
}

impl<N: 'static> Future for Opening<N> {
    type Output = Result<Session<N>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let step = &mut self.get_mut().0;
        let mut opening = match mem::replace(step, Step::Over) {
            Step::Asked(slot, fields) => match open(slot?, fields.iter()) {
                Begun::Open(session) => return Poll::Ready(Ok(session)),
                Begun::Waits(opening) => opening,
            },
            Step::Waits(opening) => opening,
            // There was an answer already, and there is no other.
            Step::Over => return Poll::Pending,
        };
        let polled = opening.as_mut().poll(context);
        if polled.is_pending() {
            *step = Step::Waits(opening);
        }
        polled
    }
}

impl<N> fmt::Debug for Opening<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").finish_non_exhaustive()
    }
}

/// The fields of `Cookie`.
struct Fields {
    /// Beside the others, so that the one a browser sends needs no memory of its own.
    first: Option<HeaderValue>,
    others: Vec<HeaderValue>,
}

impl Fields {
    fn of(headers: &HeaderMap) -> Self {
        let mut fields = headers.get_all(COOKIE).cloned();
        Self { first: fields.next(), others: fields.collect() }
    }

    fn iter(&self) -> impl Iterator<Item = &HeaderValue> {
        self.first.iter().chain(&self.others)
    }
}

/// A session whose opening has begun.
enum Begun<N> {
    Open(Session<N>),
    Waits(LocalBoxFuture<'static, Result<Session<N>>>),
}

fn open<'a, N: 'static>(
    slot: Rc<Slot>,
    fields: impl IntoIterator<Item = &'a HeaderValue>,
) -> Begun<N> {
    // Also when it fails: the answer depends on the cookie.
    slot.note_asked_for();
    match slot.recall(fields) {
        Ok(session) => Begun::Open(slot.hand_out(session)),
        Err(verified) => Begun::Waits(Box::pin(async move {
            let session = slot.open(&verified).await?;
            Ok(slot.hand_out(session))
        })),
    }
}

/// The session of a request for code that cannot wait, guards above all.
///
/// It is there when somebody has opened it before: with
/// [`eager`](crate::SessionMiddlewareBuilder::eager) the middleware does.
///
/// # Examples
///
/// ```
/// use actix_web::{guard, web};
/// use session_actix::OpenedSession;
///
/// let members = guard::fn_guard(|request| {
///     request.opened_session().is_ok_and(|session| session.principal().is_some())
/// });
/// let scope = web::scope("/members").guard(members);
/// # let _ = actix_web::App::new().service(scope);
/// ```
///
/// A guard that keeps somebody out must not let in a request whose session is not known: write it
/// as one that lets in, or answer the error.
pub trait OpenedSession {
    /// The session, if it was opened already.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](session_core::ErrorKind::Config), also logged: nobody has opened it,
    /// since the middleware is not eager; no middleware is around here; the path is skipped.
    /// [`ErrorKind::Unavailable`](session_core::ErrorKind::Unavailable): the store was out when it
    /// was to be opened. It is not known whether the visitor has a session.
    fn opened_session(&self) -> Result<Session> {
        self.opened_session_named::<Main>()
    }

    /// The session of the middleware with this name.
    ///
    /// # Errors
    ///
    /// As [`opened_session`](Self::opened_session).
    fn opened_session_named<N: 'static>(&self) -> Result<Session<N>>;
}

impl OpenedSession for GuardContext<'_> {
    fn opened_session_named<N: 'static>(&self) -> Result<Session<N>> {
        opened(slot::find::<N>(&self.req_data()))
    }
}

impl OpenedSession for HttpRequest {
    fn opened_session_named<N: 'static>(&self) -> Result<Session<N>> {
        opened(slot::find::<N>(&self.extensions()))
    }
}

fn opened<N>(slot: Result<Rc<Slot>>) -> Result<Session<N>> {
    let opened = slot.and_then(|slot| {
        slot.note_asked_for();
        Ok(slot.hand_out(slot.opened()?))
    });
    // A guard answers yes or no, so nobody else would hear of a mistake of the program.
    if let Err(error) = &opened
        && error.kind() == ErrorKind::Config
    {
        tracing::error!(target: "session", kind = ?error.kind(), %error);
    }
    opened
}
