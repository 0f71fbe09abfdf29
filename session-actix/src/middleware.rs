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
    body::EitherBody,
    dev::{Service, ServiceRequest, ServiceResponse, Transform},
    http::{
        Version,
        header::{CONTENT_LENGTH, COOKIE, HeaderMap, HeaderValue, TRANSFER_ENCODING},
    },
};
use futures_util::future::LocalBoxFuture;
use session_core::{ErrorKind, KeyRing, SessionId, SessionInterface, SessionManager};

use crate::{
    Error, Result, SessionMiddlewareBuilder, error, headers,
    http::{activity, request},
    slot::{self, Place, Shared, Slot},
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
        let exists = self.shared.interface.manager().exists(&id);
        let answer = tokio::time::timeout(self.shared.store_timeout, exists).await;
        answer
            .map_err(|_| Error::unavailable("the store did not answer within its time limit"))??;
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
        // As the router compares it.
        let skips = shared.skip_paths.contain(request.match_info().as_str());
        let passes_by = match slot::outer::<N>(&request) {
            // Of two slots, what is put into the outer one would never meet what is put into the
            // inner.
            Some(slot) if !Arc::ptr_eq(&slot.shared, shared) => Some(Place::Doubled),
            Some(slot) if !skips => Some(Place::Slot(slot)),
            _ => skips.then_some(Place::Skipped),
        };
        if let Some(place) = passes_by {
            slot::put::<N>(&request, place);
            let answer = self.service.call(request);
            return Box::pin(async move { Ok(answer.await?.map_into_left_body()) });
        }
        let slot = Rc::new(Slot::new(Arc::clone(shared), request.uri().path()));
        slot::put::<N>(&request, Place::Slot(Rc::clone(&slot)));
        if !shared.eager && !has_body(&request) {
            let handler = self.service.call(request);
            return Box::pin(async move { end(&slot, kept_alive(&slot, handler).await).await });
        }
        let service = Rc::clone(&self.service);
        Box::pin(async move {
            if let Err(verified) = slot.recall(request.headers().get_all(COOKIE))
                && let Err(error) = slot.open(&verified).await
            {
                // Handlers that need no session work on; those that do try again and answer 503.
                tracing::debug!(target: "session", %error, "not opened ahead");
            }
            end(&slot, kept_alive(&slot, service.call(request)).await).await
        })
    }
}

/// A body takes its time, and the session must not end meanwhile: it is opened before it is read.
fn has_body(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    request::has_body(
        request.version() <= Version::HTTP_11,
        request.method().as_str(),
        headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes),
        headers.contains_key(TRANSFER_ENCODING),
    )
}

async fn kept_alive<T>(slot: &Slot, handler: impl Future<Output = T>) -> T {
    activity::kept_alive(|| slot.to_be_saved().cloned(), handler).await
}

type Answer<B> = std::result::Result<ServiceResponse<B>, actix_web::Error>;

/// Saves what the handler did, and tells the browser and caches.
async fn end<B>(slot: &Slot, answer: Answer<B>) -> Answer<EitherBody<B>> {
    slot.end();
    if !slot.was_asked_for() {
        return Ok(answer?.map_into_left_body());
    }
    let (cookie, saved) = finish(slot).await;
    let marks = Marks { shared: Arc::clone(&slot.shared), cookie };
    match (answer, saved) {
        (Ok(response), Ok(())) => Ok(marks.set_on(response)),
        (Ok(response), Err(error)) => {
            let replaced = response.headers().clone();
            let mut refusal = response.error_response(error);
            headers::inherit(refusal.headers_mut(), &replaced);
            Ok(marks.set_on(refusal).map_into_boxed_body().map_into_right_body())
        }
        // The error itself goes on, so that what is further outside knows it by its type.
        (Err(error), Ok(())) => Err(marks.set_on_error(error, HeaderMap::new())),
        (Err(replaced), Err(error)) => {
            let replaced = replaced.error_response().headers().clone();
            Err(marks.set_on_error(error.into(), replaced))
        }
    }
}

/// Stores what is pending; returns the cookie to send, also when that failed: a login may have been
/// stored before, and its token is the only one that works.
async fn finish(slot: &Slot) -> (Option<HeaderValue>, Result<()>) {
    let Some(session) = slot.to_be_saved() else { return (None, Ok(())) };
    let (action, saved) = match session.finish().await {
        Ok(finished) => (finished.cookie, Ok(())),
        Err(error) => (session.take_cookie(), Err(error.into())),
    };
    match slot.set_cookie(&action) {
        Ok(cookie) => (cookie, saved),
        Err(error) => (None, saved.and(Err(error))),
    }
}

/// What every response that depends on the session carries.
struct Marks {
    shared: Arc<Shared>,
    cookie: Option<HeaderValue>,
}

impl Marks {
    fn set_on<B>(self, mut response: ServiceResponse<B>) -> ServiceResponse<EitherBody<B>> {
        let page = response.response().error().and_then(Self::kind_of).and_then(|kind| {
            let page = self.shared.error_page.as_ref()?;
            Some(page.of(kind, error::response_to(kind)))
        });
        let Some(page) = page else {
            self.mark(response.headers_mut());
            return response.map_into_left_body();
        };
        let (page, body) = page.into_parts();
        response.map_body(|head, _| {
            let mut headers = page.headers().clone();
            headers::inherit(&mut headers, &head.headers);
            self.mark(&mut headers);
            head.headers = headers;
            head.status = page.status();
            EitherBody::right(body)
        })
    }

    /// Marks every response that will be made of `error`, which takes the place of one with the
    /// headers `replaced`.
    fn set_on_error(self, mut error: actix_web::Error, replaced: HeaderMap) -> actix_web::Error {
        let kind = Self::kind_of(&error);
        error.add_response_mapper(move |mut response| {
            if let (Some(page), Some(kind)) = (&self.shared.error_page, kind) {
                response = page.of(kind, response);
            }
            headers::inherit(response.headers_mut(), &replaced);
            self.mark(response.headers_mut());
            response
        });
        error
    }

    fn kind_of(error: &actix_web::Error) -> Option<ErrorKind> {
        error.as_error::<Error>().map(Error::kind)
    }

    fn mark(&self, headers: &mut HeaderMap) {
        headers::mark(headers, self.shared.set_cookie.name(), self.cookie.clone());
    }
}
