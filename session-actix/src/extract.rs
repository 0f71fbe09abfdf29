//! The ways to the session of a request.

use std::{
    future::{Ready, ready},
    rc::Rc,
};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::{Payload, ServiceRequest},
    guard::GuardContext,
    http::header::HeaderMap,
};
use futures_util::future::{Either, LocalBoxFuture};

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
    /// Ready from the start when the store need not be waited for.
    type Future = Opening<Self>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        open(slot::find::<N>(&request.extensions()), request.headers())
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
        boxed(open(slot::find::<N>(&self.extensions()), self.headers()))
    }
}

impl SessionExt for ServiceRequest {
    fn session_named<N: 'static>(&self) -> LocalBoxFuture<'static, Result<Session<N>>> {
        boxed(open(slot::find::<N>(&self.extensions()), self.headers()))
    }
}

/// There already, or to be waited for.
type Opening<T> = Either<Ready<Result<T>>, LocalBoxFuture<'static, Result<T>>>;

fn open<N: 'static>(slot: Result<Rc<Slot>>, headers: &HeaderMap) -> Opening<Session<N>> {
    let slot = match slot {
        Ok(slot) => slot,
        Err(error) => return Either::Left(ready(Err(error))),
    };
    // Also when it fails: the answer depends on the cookie.
    slot.note_asked_for();
    match slot.recall(headers) {
        Ok(session) => Either::Left(ready(Ok(slot.hand_out(session)))),
        Err(verified) => Either::Right(Box::pin(async move {
            let session = slot.open(&verified).await?;
            Ok(slot.hand_out(session))
        })),
    }
}

fn boxed<T: 'static>(opening: Opening<T>) -> LocalBoxFuture<'static, Result<T>> {
    match opening {
        Either::Left(ready) => Box::pin(ready),
        Either::Right(boxed) => boxed,
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
///     request.opened_session().is_some_and(|session| session.principal().is_some())
/// });
/// let scope = web::scope("/members").guard(members);
/// # let _ = actix_web::App::new().service(scope);
/// ```
pub trait OpenedSession {
    /// The session, if it was opened already; `None` also when the store is out.
    fn opened_session(&self) -> Option<Session> {
        self.opened_session_named::<Main>()
    }

    /// The session of the middleware with this name.
    fn opened_session_named<N: 'static>(&self) -> Option<Session<N>>;
}

impl OpenedSession for GuardContext<'_> {
    fn opened_session_named<N: 'static>(&self) -> Option<Session<N>> {
        opened(slot::find::<N>(&self.req_data()))
    }
}

impl OpenedSession for HttpRequest {
    fn opened_session_named<N: 'static>(&self) -> Option<Session<N>> {
        opened(slot::find::<N>(&self.extensions()))
    }
}

fn opened<N>(slot: Result<Rc<Slot>>) -> Option<Session<N>> {
    let slot = slot.ok()?;
    slot.note_asked_for();
    let session = slot.opened()?.clone();
    Some(slot.hand_out(session))
}
