//! What is written to the response.

use actix_web::{
    App, Error, FromRequest, HttpRequest, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::ErrorImATeapot,
    http::{StatusCode, header},
    middleware::{self, Next},
    test, web,
};
use futures_util::{FutureExt, TryFutureExt, future::LocalBoxFuture};
use serde_json::{Value, json};
use session_actix::{Result, Session, SessionExt, testing::Visitor};
use session_core::ErrorKind;

use crate::support::{Faulty, Mode, builder, ok, sessions};

fn all(response: &ServiceResponse<impl MessageBody>, name: &str) -> Vec<String> {
    let values = response.headers().get_all(name);
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

async fn visitor(manager: &Faulty) -> Visitor {
    Visitor::with(&sessions(manager), async |session| session.insert("n", 1)).await.unwrap()
}

async fn read(session: Session) -> Result<String> {
    Ok(format!("{:?}", session.get::<u32>("n")?))
}

async fn write(session: Session) -> Result<&'static str> {
    session.insert("n", 2)?;
    Ok("written")
}

#[actix_web::test]
async fn the_first_value_sends_one_cookie_with_these_attributes() {
    let manager = Faulty::default();
    let app = App::new().wrap(sessions(&manager)).route("/", web::get().to(write));
    let app = test::init_service(app).await;
    let response = test::call_service(&app, test::TestRequest::get().to_request()).await;
    let cookies = all(&response, "set-cookie");
    let [cookie] = &cookies[..] else { panic!("{cookies:?}") };
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(attributes, "Max-Age=604800; Path=/; Secure; HttpOnly; SameSite=Lax");
    let value = pair.strip_prefix("__Host-sid=").unwrap();
    let octet = |byte: u8| byte.is_ascii_alphanumeric() || b"!_-".contains(&byte);
    assert!(value.len() == 101 && value.bytes().all(octet), "{value}");
    assert_eq!(all(&response, "vary"), ["Cookie"]);
    assert_eq!(all(&response, "cache-control"), ["no-store"]);
}

#[actix_web::test]
async fn a_change_of_a_session_that_is_there_sends_no_cookie() {
    let manager = Faulty::default();
    let visitor = visitor(&manager).await;
    let app = App::new()
        .wrap(sessions(&manager))
        .route("/read", web::get().to(read))
        .route("/write", web::get().to(write));
    let app = test::init_service(app).await;
    for path in ["/read", "/write"] {
        let request = test::TestRequest::with_uri(path).insert_header(visitor.cookie());
        let response = test::call_service(&app, request.to_request()).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(all(&response, "set-cookie"), [""; 0], "{path}");
        assert_eq!(all(&response, "vary"), ["Cookie"]);
        assert_eq!(all(&response, "cache-control"), ["no-store"]);
    }
}

#[actix_web::test]
async fn what_the_handler_says_to_caches_is_merged() {
    let manager = Faulty::default();
    let app = App::new().wrap(sessions(&manager)).route(
        "/",
        web::get().to(async |session: Session, write: web::Query<Vec<(String, u8)>>| {
            if !write.is_empty() {
                session.insert("n", 1)?;
            }
            ok(HttpResponse::Ok()
                .insert_header((header::VARY, "Accept"))
                .insert_header((header::CACHE_CONTROL, "public, max-age=60, no-transform"))
                .finish())
        }),
    );
    let app = test::init_service(app).await;
    let response = test::call_service(&app, test::TestRequest::get().to_request()).await;
    assert_eq!(all(&response, "vary"), ["Accept, Cookie"]);
    assert_eq!(all(&response, "cache-control"), ["public, max-age=60, no-transform"]);
    let request = test::TestRequest::with_uri("/?w=1").to_request();
    let response = test::call_service(&app, request).await;
    assert_eq!(all(&response, "set-cookie").len(), 1);
    assert_eq!(all(&response, "cache-control"), ["no-store, no-transform"]);
}

#[actix_web::test]
async fn beside_a_cookie_no_field_lets_a_cache_store_the_response() {
    const FIELDS: [&str; 7] = [
        "cdn-cache-control",
        "cloudflare-cdn-cache-control",
        "vercel-cdn-cache-control",
        "surrogate-control",
        "x-accel-expires",
        "edge-control",
        "expires",
    ];
    let manager = Faulty::default();
    let app = App::new().wrap(sessions(&manager)).route(
        "/",
        web::get().to(async |session: Session, write: web::Query<Vec<(String, u8)>>| {
            if !write.is_empty() {
                session.insert("n", 1)?;
            }
            let mut response = HttpResponse::Ok();
            for name in FIELDS {
                response.insert_header((name, "max-age=600"));
            }
            ok(response.finish())
        }),
    );
    let app = test::init_service(app).await;
    let read = test::call_service(&app, test::TestRequest::get().to_request()).await;
    let write = test::TestRequest::with_uri("/?w=1").to_request();
    let write = test::call_service(&app, write).await;
    assert_eq!(all(&write, "set-cookie").len(), 1);
    for name in FIELDS {
        assert_eq!(all(&read, name), ["max-age=600"], "{name}");
        assert_eq!(all(&write, name), [""; 0], "{name}");
    }
}

/// What a middleware inside adds for browsers, proxies and people who read logs.
async fn dressed<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> std::result::Result<ServiceResponse<B>, Error> {
    let mut response = next.call(request).await?;
    for (name, value) in [
        ("access-control-allow-origin", "https://app.example"),
        ("strict-transport-security", "max-age=63072000"),
        ("x-request-id", "42"),
        ("vary", "Origin"),
    ] {
        let name = header::HeaderName::from_static(name);
        response.headers_mut().append(name, header::HeaderValue::from_static(value));
    }
    Ok(response)
}

#[actix_web::test]
async fn a_refusal_keeps_what_was_not_about_the_answer_it_replaces() {
    let manager = Faulty::default();
    let visitor = visitor(&manager).await;
    let write = async |session: Session| {
        session.insert("n", 2)?;
        ok(HttpResponse::SeeOther()
            .insert_header((header::LOCATION, "/done"))
            .insert_header((header::ETAG, "\"1\""))
            .insert_header((header::CONTENT_LANGUAGE, "en"))
            .insert_header((header::CACHE_CONTROL, "max-age=60"))
            .content_type("text/html")
            .body("what the handler believes"))
    };
    let app = App::new()
        .wrap(middleware::from_fn(dressed))
        .wrap(sessions(&manager))
        .route("/", web::get().to(write));
    let app = test::init_service(app).await;
    manager.set(Mode::FailsToWrite(ErrorKind::Unavailable));
    let request = test::TestRequest::get().insert_header(visitor.cookie()).to_request();
    let response = test::call_service(&app, request).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    for (name, value) in [
        ("access-control-allow-origin", "https://app.example"),
        ("strict-transport-security", "max-age=63072000"),
        ("x-request-id", "42"),
        ("vary", "Origin, Cookie"),
        ("content-type", "application/problem+json"),
        ("cache-control", "no-store"),
        ("retry-after", "1"),
    ] {
        assert_eq!(all(&response, name), [value]);
    }
    for name in ["location", "etag", "content-language"] {
        assert_eq!(all(&response, name), [""; 0]);
    }
}

#[actix_web::test]
async fn an_application_answers_errors_of_sessions_with_its_own_page() {
    let manager = Faulty::default();
    let visitor = visitor(&manager).await;
    let page = |kind: ErrorKind, mut response: HttpResponse| {
        let html = header::HeaderValue::from_static("text/html");
        response.headers_mut().insert(header::CONTENT_TYPE, html);
        response.set_body(BoxBody::new(format!("<h1>{kind:?}</h1>")))
    };
    let sessions = builder(&manager).error_page(page).build().unwrap();
    let asks = async |request: ServiceRequest, next: Next<_>| {
        if request.path() == "/inside" {
            request.session().await?;
        }
        next.call(request).await
    };
    let app = App::new()
        .wrap(middleware::from_fn(asks))
        .wrap(middleware::from_fn(dressed))
        .wrap(sessions)
        .route("/read", web::get().to(read))
        .route("/write", web::get().to(write));
    let app = test::init_service(app).await;
    for (path, mode) in [
        ("/read", Mode::Fails),
        ("/write", Mode::FailsToWrite(ErrorKind::Unavailable)),
        ("/inside", Mode::Fails),
    ] {
        manager.set(mode);
        let request = test::TestRequest::with_uri(path).insert_header(visitor.cookie());
        let response = match test::try_call_service(&app, request.to_request()).await {
            Ok(response) => {
                assert_eq!(all(&response, "x-request-id"), ["42"], "{path}");
                response.into_parts().1.map_into_boxed_body()
            }
            Err(error) => error.error_response(),
        };
        let headers = response.headers().clone();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(headers.get("content-type").unwrap(), "text/html", "{path}");
        assert_eq!(headers.get("cache-control").unwrap(), "no-store", "{path}");
        assert_eq!(headers.get("retry-after").unwrap(), "1", "{path}");
        let body = response.into_body().try_into_bytes().unwrap();
        assert_eq!(body, "<h1>Unavailable</h1>", "{path}");
    }
}

/// An extractor of an application, as its author moves it here.
struct TypedSession(Session);

impl FromRequest for TypedSession {
    type Error = session_actix::Error;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        Box::pin(Session::from_request(request, payload).map_ok(Self))
    }
}

/// An error of an application that keeps ours.
#[derive(Debug)]
struct AppError(session_actix::Error);

impl std::fmt::Display for AppError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for AppError {
    fn status_code(&self) -> StatusCode {
        self.0.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        self.0.error_response()
    }
}

#[actix_web::test]
async fn extractors_and_errors_of_an_application_answer_an_outage_as_ours_do() {
    let manager = Faulty::default();
    let sessions = sessions(&manager);
    let log_in = async |session: &Session| session.bind("ada").await;
    let visitor = Visitor::with(&sessions, log_in).await.unwrap();
    let interface = sessions.interface().clone();
    let app = App::new()
        .wrap(sessions)
        .route("/extractor", web::get().to(async |session: TypedSession| read(session.0).await))
        .route(
            "/error",
            web::get().to(async |session: Session| {
                session.update("n", |n: Option<u32>| n.unwrap_or(0) + 1).await.map_err(AppError)?;
                Ok::<_, Error>("")
            }),
        )
        .route(
            "/interface",
            web::get().to(move || {
                let interface = interface.clone();
                async move {
                    interface.revoke_all("ada", None).await?;
                    ok("")
                }
            }),
        );
    let app = test::init_service(app).await;
    for (path, mode) in [
        ("/extractor", Mode::Fails),
        ("/error", Mode::FailsToWrite(ErrorKind::Unavailable)),
        ("/interface", Mode::Fails),
    ] {
        for (mode, status) in [(mode, 503), (Mode::Works, 200)] {
            manager.set(mode);
            let request = test::TestRequest::with_uri(path).insert_header(visitor.cookie());
            let response = test::call_service(&app, request.to_request()).await;
            assert_eq!(response.status(), status, "{path}");
        }
    }
}

#[actix_web::test]
async fn there_is_one_cookie_of_the_name_whoever_else_sets_one() {
    let manager = Faulty::default();
    let sessions = sessions(&manager);
    let inner = web::scope("/inner").wrap(sessions.clone()).route("", web::get().to(write));
    let app = App::new().wrap(sessions).service(inner).route(
        "/",
        web::get().to(async |session: Session| {
            session.insert("n", 1)?;
            ok(HttpResponse::Ok()
                .append_header((header::SET_COOKIE, "__Host-sid=mine; Path=/"))
                .append_header((header::SET_COOKIE, "theme=dark"))
                .finish())
        }),
    );
    let app = test::init_service(app).await;
    let response = test::call_service(&app, test::TestRequest::get().to_request()).await;
    let cookies = all(&response, "set-cookie");
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    assert!(cookies.contains(&"theme=dark".to_owned()));
    assert!(cookies.iter().all(|cookie| !cookie.contains("mine")));
    // A middleware inside another: the session is stored once, and sent once.
    let request = test::TestRequest::with_uri("/inner").to_request();
    let before = manager.len();
    let response = test::call_service(&app, request).await;
    assert_eq!((all(&response, "set-cookie").len(), manager.len()), (1, before + 1));
}

#[actix_web::test]
async fn an_error_of_the_handler_is_answered_after_the_save() {
    let manager = Faulty::default();
    let app = App::new().wrap(sessions(&manager)).route(
        "/",
        web::get().to(async |session: Session| {
            session.insert("n", 7)?;
            actix_web::Result::<String>::Err(ErrorImATeapot("short and stout"))
        }),
    );
    let app = test::init_service(app).await;
    let response = test::call_service(&app, test::TestRequest::get().to_request()).await;
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!((all(&response, "set-cookie").len(), manager.len()), (1, 1));
    assert_eq!(test::read_body(response).await, "short and stout");
}

/// Lets the handler do its work and then fails.
async fn fails_afterwards<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> std::result::Result<ServiceResponse<B>, Error> {
    next.call(request).await?;
    Err(ErrorImATeapot("short and stout"))
}

#[actix_web::test]
async fn an_error_of_a_middleware_inside_is_answered_after_the_save() {
    let manager = Faulty::default();
    let app = App::new()
        .wrap(middleware::from_fn(fails_afterwards))
        .wrap(sessions(&manager))
        .route("/", web::get().to(write));
    let app = test::init_service(app).await;
    let error = test::try_call_service(&app, test::TestRequest::get().to_request()).await;
    let response = error.expect_err("the error goes on").error_response();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(response.headers().get_all("set-cookie").count(), 1);
    assert_eq!(response.headers().get("cache-control").unwrap(), "no-store");
    assert_eq!(manager.len(), 1);
}

#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::PAYMENT_REQUIRED
    }
}

#[actix_web::test]
async fn an_error_of_a_middleware_inside_keeps_its_type_and_its_cookie() {
    let manager = Faulty::default();
    let refuses = async |request: ServiceRequest, _next: Next<BoxBody>| {
        request.session().await?.bind("ada").await?;
        Err::<ServiceResponse<BoxBody>, Error>(Refused.into())
    };
    let app = App::new()
        .wrap(middleware::from_fn(refuses))
        .wrap(sessions(&manager))
        .route("/", web::get().to(write));
    let app = test::init_service(app).await;
    let answer = test::try_call_service(&app, test::TestRequest::get().to_request()).await;
    let error = answer.expect_err("the error goes on");
    assert!(error.as_error::<Refused>().is_some());
    for time in ["first", "second"] {
        let response = error.error_response();
        assert_eq!(response.status(), StatusCode::PAYMENT_REQUIRED, "the {time} time");
        let headers = response.headers();
        assert_eq!(headers.get_all("set-cookie").count(), 1, "the {time} time");
        assert_eq!(headers.get("cache-control").unwrap(), "no-store", "the {time} time");
    }
}

#[actix_web::test]
async fn a_handler_that_panics_saves_nothing() {
    let manager = Faulty::default();
    let visitor = visitor(&manager).await;
    let app = App::new().wrap(sessions(&manager)).route(
        "/",
        web::get().to(async |session: Session| -> Result<String> {
            session.insert("n", 2)?;
            panic!("as some handlers do")
        }),
    );
    let app = test::init_service(app).await;
    let request = test::TestRequest::get().insert_header(visitor.cookie()).to_request();
    let call = std::panic::AssertUnwindSafe(test::call_service(&app, request));
    assert!(call.catch_unwind().await.is_err());
    let session = visitor.session(&sessions(&manager)).await.unwrap();
    assert_eq!(session.get::<u32>("n").unwrap(), Some(1));
}

#[actix_web::test]
async fn a_request_that_lost_its_session_is_told_so_and_sends_no_cookie() {
    let manager = Faulty::default();
    let visitor = visitor(&manager).await;
    let (ended, sessions_) = (visitor.clone(), sessions(&manager));
    let app = App::new().wrap(sessions(&manager)).route(
        "/",
        web::get().to(move |session: Session| {
            let (ended, sessions) = (ended.clone(), sessions_.clone());
            async move {
                // Another request logs out while this one is running.
                ended.session(&sessions).await?.destroy().await?;
                session.insert("n", 3)?;
                ok("done")
            }
        }),
    );
    let app = test::init_service(app).await;
    let request = test::TestRequest::get().insert_header(visitor.cookie()).to_request();
    let response = test::call_service(&app, request).await;
    assert_eq!(response.status(), StatusCode::CONFLICT);
    assert_eq!(all(&response, "set-cookie"), [""; 0]);
    assert_eq!(manager.len(), 0);
    assert_eq!(all(&response, "content-type"), ["application/problem+json"]);
    let body: Value = test::read_body_json(response).await;
    assert_eq!((&body["status"], &body["code"]), (&json!(409), &json!("session_gone")));
    assert!(body["detail"].as_str().unwrap().contains("Nothing of it was saved"), "{body}");
}

#[actix_web::test]
async fn a_handler_that_looked_at_its_save_answers_for_itself() {
    let manager = Faulty::default();
    let visitor = visitor(&manager).await;
    let (ended, sessions_) = (visitor.clone(), sessions(&manager));
    let app = App::new().wrap(sessions(&manager)).route(
        "/",
        web::get().to(move |session: Session| {
            let (ended, sessions) = (ended.clone(), sessions_.clone());
            async move {
                ended.session(&sessions).await?.destroy().await?;
                session.insert("n", 3)?;
                let saved = session.save().await.map_err(|error| error.kind());
                ok(format!("{saved:?}"))
            }
        }),
    );
    let app = test::init_service(app).await;
    let request = test::TestRequest::get().insert_header(visitor.cookie()).to_request();
    let response = test::call_service(&app, request).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(test::read_body(response).await, "Err(Gone)");
}

#[actix_web::test]
async fn a_request_with_the_token_from_before_a_login_sends_nothing() {
    let manager = Faulty::default();
    let mut visitor = visitor(&manager).await;
    let before = visitor.clone();
    let app = App::new()
        .wrap(sessions(&manager))
        .route(
            "/login",
            web::get().to(async |session: Session| session.bind("ada").await.map(|()| "welcome")),
        )
        .route("/read", web::get().to(read))
        .route("/write", web::get().to(write));
    let app = test::init_service(app).await;
    let get = async |path: &str, visitor: &Visitor| {
        let request = test::TestRequest::with_uri(path).insert_header(visitor.cookie());
        test::call_service(&app, request.to_request()).await
    };
    let login = get("/login", &visitor).await;
    visitor.follow(login.headers());
    let late = get("/read", &before).await;
    assert_eq!((late.status(), all(&late, "set-cookie").len()), (StatusCode::OK, 0));
    // A write would begin a session whose cookie replaced the good one.
    let late = get("/write", &before).await;
    assert_eq!((late.status(), all(&late, "set-cookie").len()), (StatusCode::CONFLICT, 0));
    let session = visitor.session(&sessions(&manager)).await.unwrap();
    assert_eq!(session.principal().as_deref(), Some("ada"));
    assert_eq!(session.get::<u32>("n").unwrap(), Some(1));
}

#[std::prelude::v1::test]
fn every_kind_of_error_is_answered_for_people_and_programs_and_without_its_cause() {
    for (kind, status, code) in [
        (ErrorKind::Codec, 500, "session_error"),
        (ErrorKind::Config, 500, "session_error"),
        (ErrorKind::Contended, 503, "sessions_unavailable"),
        (ErrorKind::Corrupt, 500, "session_error"),
        (ErrorKind::Finished, 500, "session_error"),
        (ErrorKind::Full, 503, "sessions_unavailable"),
        (ErrorKind::Gone, 409, "session_gone"),
        (ErrorKind::TooLarge, 413, "session_too_large"),
        (ErrorKind::TooManySessions, 403, "too_many_sessions"),
        (ErrorKind::Unavailable, 503, "sessions_unavailable"),
        (ErrorKind::Unsupported, 500, "session_error"),
    ] {
        let error: session_actix::Error = session_core::Error::new(kind, "fs", "the detail").into();
        let response = error.error_response();
        assert_eq!(response.status().as_u16(), status, "{kind:?}");
        let retry = response.headers().get(header::RETRY_AFTER).map(|it| it.to_str().unwrap());
        assert_eq!(retry, (status == 503).then_some("1"), "{kind:?}");
        let body = response.into_body().try_into_bytes().unwrap();
        let problem: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&problem["status"], &problem["code"]), (&json!(status), &json!(code)));
        assert!(problem["detail"].as_str().unwrap().ends_with('.'), "{kind:?}");
        assert!(!problem.to_string().contains("the detail"), "{kind:?}");
    }
}
