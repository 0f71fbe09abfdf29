//! actix-identity over actix-session over a session manager.

use std::{rc::Rc, time::Duration};

use actix_identity::{Identity, IdentityMiddleware};
use actix_session::{
    Session, SessionMiddleware,
    config::{PersistentSession, TtlExtensionPolicy},
};
use actix_web::{
    App, Error, HttpMessage, HttpRequest, HttpResponse,
    body::MessageBody,
    cookie::{Cookie, Key},
    dev::{Service, ServiceResponse},
    http::StatusCode,
    test, web,
};
use futures_util::future;
use session_actix_compat::ManagerStore;
use tokio::sync::Notify;

use crate::support::{HOUR, store};

/// Where a slow request says that it has begun, and waits until it may go on.
#[derive(Default)]
struct Gate {
    begun: Notify,
    go_on: Notify,
}

async fn log_in(request: HttpRequest, user: web::Path<String>) -> actix_web::Result<HttpResponse> {
    Identity::login(&request.extensions(), user.into_inner())?;
    Ok(HttpResponse::NoContent().finish())
}

async fn who(user: Option<Identity>, session: Session) -> actix_web::Result<String> {
    let fruit = session.get::<String>("fruit")?.unwrap_or_default();
    Ok(format!("{}:{fruit}", user.map(|user| user.id()).transpose()?.unwrap_or_default()))
}

async fn put(session: Session, fruit: web::Path<String>) -> actix_web::Result<HttpResponse> {
    session.insert("fruit", fruit.into_inner())?;
    Ok(HttpResponse::NoContent().finish())
}

async fn put_slowly(session: Session, gate: web::Data<Gate>) -> actix_web::Result<HttpResponse> {
    gate.begun.notify_one();
    gate.go_on.notified().await;
    session.insert("fruit", "late")?;
    Ok(HttpResponse::NoContent().finish())
}

async fn log_out(user: Identity) -> HttpResponse {
    user.logout();
    HttpResponse::NoContent().finish()
}

/// An application with logins, whose sessions last an hour.
async fn application(
    store: ManagerStore,
    gate: web::Data<Gate>,
) -> impl Service<actix_http::Request, Response = ServiceResponse<impl MessageBody>, Error = Error>
{
    let lasting = PersistentSession::default()
        .session_ttl(HOUR)
        .session_ttl_extension_policy(TtlExtensionPolicy::OnEveryRequest);
    let sessions =
        SessionMiddleware::builder(store, Key::from(&[7; 64])).session_lifecycle(lasting).build();
    let app = App::new()
        .app_data(gate)
        .wrap(IdentityMiddleware::default())
        .wrap(sessions)
        .route("/", web::get().to(who))
        .route("/login/{user}", web::post().to(log_in))
        .route("/put/{fruit}", web::post().to(put))
        .route("/slowly", web::post().to(put_slowly))
        .route("/logout", web::post().to(log_out));
    test::init_service(app).await
}

/// Keeps one cookie, as a browser would.
struct Browser<A> {
    app: Rc<A>,
    cookie: Option<Cookie<'static>>,
}

impl<A, B> Browser<A>
where
    A: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    /// Another one with the same cookie.
    fn copy(&self) -> Self {
        Self { app: Rc::clone(&self.app), cookie: self.cookie.clone() }
    }

    async fn get(&mut self) -> String {
        let (status, body) = self.send(test::TestRequest::get()).await;
        assert_eq!(status, StatusCode::OK);
        body
    }

    async fn post(&mut self, path: &str) -> StatusCode {
        self.send(test::TestRequest::post().uri(path)).await.0
    }

    async fn send(&mut self, mut request: test::TestRequest) -> (StatusCode, String) {
        if let Some(cookie) = &self.cookie {
            request = request.cookie(cookie.clone());
        }
        let response = match self.app.call(request.to_request()).await {
            Ok(response) => response,
            Err(error) => return (error.as_response_error().status_code(), String::new()),
        };
        let set = response.response().cookies().next().map(Cookie::into_owned);
        if let Some(cookie) = set {
            self.cookie = Some(cookie).filter(|cookie| !cookie.value().is_empty());
        }
        let status = response.status();
        (status, String::from_utf8(test::read_body(response).await.to_vec()).unwrap())
    }
}

#[actix_web::test]
async fn a_user_logs_in_under_a_new_key_and_out_for_good() {
    let (store, _) = store();
    let mut browser =
        Browser { app: Rc::new(application(store, web::Data::default()).await), cookie: None };
    assert_eq!(browser.get().await, ":");
    assert!(browser.cookie.is_none(), "a visitor without data has no session");
    assert_eq!(browser.post("/put/apple").await, StatusCode::NO_CONTENT);
    let mut before = browser.copy();
    assert_eq!(browser.post("/login/ada").await, StatusCode::NO_CONTENT);
    assert_eq!(browser.get().await, "ada:apple");
    assert_eq!(before.get().await, ":", "the key of before the login is dead");
    let mut stolen = browser.copy();
    assert_eq!(stolen.get().await, "ada:apple");
    assert_eq!(browser.post("/logout").await, StatusCode::NO_CONTENT);
    assert!(browser.cookie.is_none());
    assert_eq!(stolen.get().await, ":", "the session ended on the server");
}

#[actix_web::test]
async fn a_login_ends_when_nobody_uses_it() {
    let (store, clock) = store();
    let mut browser =
        Browser { app: Rc::new(application(store, web::Data::default()).await), cookie: None };
    browser.post("/login/ada").await;
    for _ in 0..3 {
        clock.advance(Duration::from_secs(3000));
        assert_eq!(browser.get().await, "ada:");
    }
    clock.advance(Duration::from_secs(3600));
    assert_eq!(browser.get().await, ":");
}

#[actix_web::test]
async fn a_request_that_is_overtaken_by_the_logout_brings_nothing_back() {
    let (store, _) = store();
    let gate = web::Data::new(Gate::default());
    let app = Rc::new(application(store, gate.clone()).await);
    let mut browser = Browser { app, cookie: None };
    browser.post("/login/ada").await;
    let (mut slow, mut stolen) = (browser.copy(), browser.copy());
    let overtake = async {
        gate.begun.notified().await;
        let status = browser.post("/logout").await;
        gate.go_on.notify_one();
        status
    };
    let (late, left) = future::join(slow.post("/slowly"), overtake).await;
    assert_eq!(left, StatusCode::NO_CONTENT);
    assert_eq!(late, StatusCode::INTERNAL_SERVER_ERROR, "it is told that nothing was stored");
    assert_eq!(stolen.get().await, ":");
}

#[actix_web::test]
async fn of_two_requests_at_once_the_last_state_holds_and_the_login_stays() {
    let (store, _) = store();
    let gate = web::Data::new(Gate::default());
    let app = Rc::new(application(store, gate.clone()).await);
    let mut browser = Browser { app, cookie: None };
    browser.post("/login/ada").await;
    let mut slow = browser.copy();
    let overtake = async {
        gate.begun.notified().await;
        let status = browser.post("/put/apple").await;
        gate.go_on.notify_one();
        status
    };
    let (late, early) = future::join(slow.post("/slowly"), overtake).await;
    assert_eq!((late, early), (StatusCode::NO_CONTENT, StatusCode::NO_CONTENT));
    assert_eq!(slow.get().await, "ada:late");
}
