//! What is written to the response.

use actix_web::{
    App, Error, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::ErrorImATeapot,
    http::{StatusCode, header},
    middleware::{self, Next},
    test, web,
};
use futures_util::FutureExt;
use session_actix::{Result, Session, testing::Visitor};
use session_core::ErrorKind;

use crate::support::{Faulty, ok, sessions};

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
async fn there_is_one_cookie_of_the_name_whoever_else_sets_one() {
    let manager = Faulty::default();
    let inner = web::scope("/inner").wrap(sessions(&manager)).route("", web::get().to(write));
    let app = App::new().wrap(sessions(&manager)).service(inner).route(
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
    assert_eq!(test::read_body(response).await, "");
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
                ok(format!("{:?}", session.save().await?))
            }
        }),
    );
    let app = test::init_service(app).await;
    let request = test::TestRequest::get().insert_header(visitor.cookie()).to_request();
    let response = test::call_service(&app, request).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(test::read_body(response).await, "Gone");
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
fn every_kind_of_error_is_answered_without_a_word() {
    use actix_web::{ResponseError, body::BodySize};

    for (kind, status) in [
        (ErrorKind::Codec, 500),
        (ErrorKind::Config, 500),
        (ErrorKind::Contended, 503),
        (ErrorKind::Corrupt, 500),
        (ErrorKind::Finished, 500),
        (ErrorKind::Full, 503),
        (ErrorKind::Gone, 409),
        (ErrorKind::TooLarge, 413),
        (ErrorKind::TooManySessions, 403),
        (ErrorKind::Unavailable, 503),
        (ErrorKind::Unsupported, 500),
    ] {
        let error: session_actix::Error = session_core::Error::new(kind, "fs", "the detail").into();
        let response = error.error_response();
        assert_eq!(response.status().as_u16(), status, "{kind:?}");
        assert!(matches!(response.body().size(), BodySize::None | BodySize::Sized(0)), "{kind:?}");
        let retry = response.headers().get(header::RETRY_AFTER).map(|it| it.to_str().unwrap());
        assert_eq!(retry, (status == 503).then_some("1"), "{kind:?}");
    }
}
