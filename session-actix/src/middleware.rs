//! `SessionMiddleware`: from the head of a request to the head of its response.

use std::{
    fmt,
    future::{Ready, ready},
    marker::PhantomData,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
};

use actix_web::{
    HttpResponse, ResponseError,
    body::EitherBody,
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
    error::InternalError,
    http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE},
};
use futures_util::future::LocalBoxFuture;
use session_core::{CookieAction, KeyRing, Saved, SessionId, SessionInterface, SessionManager};

use crate::{
    Error, Result, SessionMiddlewareBuilder, headers,
    slot::{self, Shared, Slot},
};

/// The name of the one session most applications have.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Main;

/// Brings sessions to an application: `App::new().wrap(sessions.clone())`.
///
/// - **Nothing happens until a handler asks for its [`Session`](crate::Session)**: no HMAC, no call
///   of the store, no header.
/// - **The save is finished before the head of the response leaves**, also when the handler
///   answered with an error. What could not be saved is answered 503, or 409 if the session
///   had ended meanwhile, never 200. A handler that panics, or that
///   actix-web drops because the connection broke, saves nothing.
/// - **One `Set-Cookie` of its name at most**, and only when the browser must learn something.
/// - A response whose handler asked has `Vary: Cookie` and, unless the handler says otherwise,
///   `Cache-Control: no-store`; with a `Set-Cookie` always `no-store`.
///
/// Cheap to clone; clones share everything. Make one before `HttpServer::new` and clone it for
/// every worker. Where clones are around one another, at the app and at a scope in it, the
/// outermost does the work, and the request has one session.
///
/// `N` tells several middlewares in one application apart; see
/// [`named`](SessionMiddlewareBuilder::named).
///
/// # Examples
///
/// ```
/// use actix_web::App;
/// use session_actix::SessionMiddleware;
/// use session_core::{MemorySessionManager, SigningKey};
///
/// # let secret: Vec<u8> = (0..32).collect();
/// let key = SigningKey::hmac_sha256(&secret)?;
/// let sessions = SessionMiddleware::new(MemorySessionManager::new(), key)?;
/// let app = App::new().wrap(sessions);
/// # Ok::<(), session_actix::Error>(())
/// ```
pub struct SessionMiddleware<N = Main> {
    shared: Arc<Shared>,
    name: PhantomData<fn() -> N>,
}

impl SessionMiddleware {
    /// Sessions in `manager`, signed and sealed with `keys`, with defaults that are safe: see
    /// [`SessionMiddlewareBuilder`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](session_core::ErrorKind::Config): a key is twice in the ring.
    pub fn new(manager: impl SessionManager, keys: impl Into<KeyRing>) -> Result<Self> {
        Self::builder(manager, keys).build()
    }

    /// Starts with a manager to keep sessions in, and the keys to sign and seal with.
    pub fn builder(
        manager: impl SessionManager,
        keys: impl Into<KeyRing>,
    ) -> SessionMiddlewareBuilder {
        SessionMiddlewareBuilder::new(Arc::new(manager), keys.into())
    }
}

impl<N> SessionMiddleware<N> {
    pub(crate) fn from_shared(shared: Shared) -> Self {
        Self { shared: Arc::new(shared), name: PhantomData }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The interface behind: for what has to do with no request, such as ending all sessions of a
    /// closed account, or replacing the keys.
    ///
    /// Calls of its methods that reach the store need a runtime of tokio, as actix-web's is.
    pub fn interface(&self) -> &SessionInterface {
        &self.shared.interface
    }

    /// Asks the store for something that is not there: a health probe.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](session_core::ErrorKind::Unavailable): the store is out, or
    /// slower than its time limit.
    pub async fn check_store(&self) -> Result<()> {
        let id = SessionId::random()?;
        self.shared.interface.manager().exists(&id).await?;
        Ok(())
    }
}

impl<N> Clone for SessionMiddleware<N> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), name: PhantomData }
    }
}

impl<N> fmt::Debug for SessionMiddleware<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionMiddleware").field(&self.shared).finish()
    }
}

impl<S, B, N> Transform<S, ServiceRequest> for SessionMiddleware<N>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    B: 'static,
    N: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = SessionService<S, N>;
    type InitError = ();
    type Future = Ready<std::result::Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(SessionService { service: Rc::new(service), sessions: self.clone() }))
    }
}

/// One worker's [`SessionMiddleware`], around the service of the application.
pub struct SessionService<S, N = Main> {
    service: Rc<S>,
    sessions: SessionMiddleware<N>,
}

impl<S, N> fmt::Debug for SessionService<S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionService").field(&self.sessions).finish()
    }
}

impl<S, B, N> Service<ServiceRequest> for SessionService<S, N>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    B: 'static,
    N: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, std::result::Result<Self::Response, Self::Error>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<std::result::Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let shared = self.sessions.shared();
        let skips = shared.skip_paths.contain(request.path());
        if skips {
            slot::put::<N>(&request, None);
        }
        // Of two slots, what is put into the outer one would never meet what is put into the inner.
        if skips || slot::is_of::<N>(&request, shared) {
            let answer = self.service.call(request);
            return Box::pin(async move { Ok(answer.await?.map_into_left_body()) });
        }
        let slot = Rc::new(Slot::new(Arc::clone(shared)));
        slot::put::<N>(&request, Some(Rc::clone(&slot)));
        if !shared.eager {
            let answer = self.service.call(request);
            return Box::pin(async move { end(&slot, answer.await).await });
        }
        let service = Rc::clone(&self.service);
        Box::pin(async move {
            if let Err(verified) = slot.recall(request.headers().get_all(COOKIE))
                && let Err(error) = slot.open(&verified).await
            {
                // Handlers that need no session work on; those that do try again and answer 503.
                tracing::debug!(target: "session", %error, "not opened ahead");
            }
            end(&slot, service.call(request).await).await
        })
    }
}

type Answer<B> = std::result::Result<ServiceResponse<B>, actix_web::Error>;

/// Saves what the handler did, and tells the browser and caches.
async fn end<B>(slot: &Slot, answer: Answer<B>) -> Answer<EitherBody<B>> {
    slot.end();
    if !slot.was_asked_for() {
        return Ok(answer?.map_into_left_body());
    }
    let name = slot.shared.set_cookie.name();
    let (cookie, saved) = finish(slot).await;
    match (answer, saved) {
        (Ok(mut response), Ok(())) => {
            headers::mark(response.headers_mut(), name, cookie);
            Ok(response.map_into_left_body())
        }
        (Ok(response), Err(error)) => {
            let refusal = refusal(&error, response.headers(), name, cookie);
            Ok(response.into_response(refusal).map_into_right_body())
        }
        (Err(error), Ok(())) => {
            let mut response = error.error_response();
            headers::mark(response.headers_mut(), name, cookie);
            Err(InternalError::from_response(error, response).into())
        }
        (Err(replaced), Err(error)) => {
            let replaced = replaced.error_response();
            let refusal = refusal(&error, replaced.headers(), name, cookie);
            Err(InternalError::from_response(error, refusal).into())
        }
    }
}

/// Stores what is pending; returns the cookie to send, also when that failed: a login may have been
/// stored before, and its token is the only one that works.
async fn finish(slot: &Slot) -> (Option<HeaderValue>, Result<()>) {
    let Some(Some(session)) = slot.opened() else { return (None, Ok(())) };
    let (action, saved) = match session.finish().await {
        Ok(finished) if finished.saved == Saved::Gone => (finished.cookie, Err(Error::gone())),
        Ok(finished) => (finished.cookie, Ok(())),
        Err(error) => (session.take_cookie(), Err(error.into())),
    };
    let cookie = match &action {
        CookieAction::Keep => Ok(None),
        CookieAction::Set(cookie) => slot.shared.set_cookie.set(cookie).map(Some),
        CookieAction::Remove => Ok(Some(slot.shared.set_cookie.remove())),
    };
    match cookie {
        Ok(cookie) => (cookie, saved),
        Err(error) => (None, saved.and(Err(error))),
    }
}

/// The answer in place of one with the headers `replaced`.
fn refusal(
    error: &Error,
    replaced: &HeaderMap,
    name: &str,
    cookie: Option<HeaderValue>,
) -> HttpResponse {
    let mut response = error.error_response();
    let headers = response.headers_mut();
    // A session of another name may be stored already, under a token only its cookie brings.
    for other in replaced.get_all(SET_COOKIE) {
        headers.append(SET_COOKIE, other.clone());
    }
    headers::mark(headers, name, cookie);
    response
}
