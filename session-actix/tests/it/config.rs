//! What cannot work is refused when it is put together.

use std::time::Duration;

use actix_web::{App, http::StatusCode, test, web};
use session_actix::{Session, SessionMiddlewareBuilder};
use session_core::ErrorKind;

use crate::support::{Faulty, builder};

fn check(what: &str, set: impl FnOnce(SessionMiddlewareBuilder) -> SessionMiddlewareBuilder) {
    let error = set(builder(&Faulty::default())).build().expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Config, "{what}");
    let message = error.to_string();
    assert!(message.contains(':') && message.len() > 20, "{what}: says what to change: {message}");
}

#[std::prelude::v1::test]
fn a_cookie_that_browsers_would_drop_is_refused() {
    check("host and domain", |it: SessionMiddlewareBuilder| it.domain("example.com"));
    check("host and path", |it: SessionMiddlewareBuilder| it.path("/app"));
    check("insecure host", |it: SessionMiddlewareBuilder| {
        it.cookie_name("__Host-sid").insecure_cookie()
    });
    check("insecure secure", |it: SessionMiddlewareBuilder| {
        it.cookie_name("__Secure-sid").insecure_cookie()
    });
    check("prefix in another case", |it: SessionMiddlewareBuilder| it.cookie_name("__host-sid"));
    check("same site none", |it: SessionMiddlewareBuilder| {
        it.insecure_same_site_none().insecure_cookie()
    });
    check("partitioned", |it: SessionMiddlewareBuilder| it.partitioned().insecure_cookie());
    check("domain", |it: SessionMiddlewareBuilder| {
        it.cookie_name("sid").domain("example.com; Path=/")
    });
    check("top-level domain", |it: SessionMiddlewareBuilder| it.cookie_name("sid").domain("com"));
    check("path", |it: SessionMiddlewareBuilder| it.cookie_name("sid").path("/; Domain=x"));
}

#[std::prelude::v1::test]
fn a_name_that_is_no_token_is_refused() {
    for name in ["", "a b", "a;b", "a=b", "a,b", "a\r\nb", "\"a\"", "sïd"] {
        check(name, |it: SessionMiddlewareBuilder| it.cookie_name(name));
    }
}

#[std::prelude::v1::test]
fn a_named_middleware_without_a_cookie_of_its_own_is_refused() {
    struct Admin;
    for set in [
        |it: SessionMiddlewareBuilder| it,
        |it: SessionMiddlewareBuilder| it.insecure_cookie(),
        |it: SessionMiddlewareBuilder| it.cookie_name("__Host-sid"),
    ] {
        let error = set(builder(&Faulty::default())).named::<Admin>().build().expect_err("shared");
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("`cookie_name`"), "{error}");
    }
    let own = builder(&Faulty::default()).named::<Admin>().cookie_name("__Host-admin");
    assert!(own.build().is_ok());
}

#[std::prelude::v1::test]
fn times_and_limits_of_nothing_are_refused() {
    check("idle", |it: SessionMiddlewareBuilder| it.idle_timeout(Duration::ZERO));
    check("lifetime", |it: SessionMiddlewareBuilder| it.lifetime(Duration::ZERO));
    check("store timeout", |it: SessionMiddlewareBuilder| it.store_timeout(Duration::ZERO));
    check("cap", |it: SessionMiddlewareBuilder| it.max_new_sessions_per_second(0));
    check("bytes", |it: SessionMiddlewareBuilder| it.max_bytes(0));
    check("idle longer than lifetime", |it| {
        it.idle_timeout(Duration::from_secs(20)).lifetime(Duration::from_secs(10))
    });
}

#[std::prelude::v1::test]
fn a_skip_path_that_is_none_is_refused() {
    for path in ["static", "/", "", "/a?b", "/a/../b", "/a//b", "/%61"] {
        check(path, |it: SessionMiddlewareBuilder| it.skip_paths([path]));
    }
}

#[std::prelude::v1::test]
fn what_can_work_is_taken() {
    let manager = Faulty::default();
    for set in [
        |it: SessionMiddlewareBuilder| it,
        |it: SessionMiddlewareBuilder| it.insecure_cookie(),
        |it: SessionMiddlewareBuilder| it.insecure_cookie().insecure_script_access(),
        |it: SessionMiddlewareBuilder| it.same_site_strict().browser_session_cookie(),
        |it: SessionMiddlewareBuilder| it.insecure_same_site_none().partitioned(),
        |it: SessionMiddlewareBuilder| {
            it.cookie_name("__Secure-sid").domain("example.com").path("/app")
        },
        |it: SessionMiddlewareBuilder| it.cookie_name("sid").domain("localhost"),
        |it: SessionMiddlewareBuilder| {
            it.rotate_every(Duration::from_secs(60)).skip_paths(["/static", "/a/b"])
        },
    ] {
        assert!(set(builder(&manager)).build().is_ok());
    }
    // Endless times saturate and do not wrap.
    assert!(
        builder(&manager)
            .idle_timeout(Duration::MAX)
            .lifetime(Duration::MAX)
            .permanent_lifetime(Duration::MAX)
            .store_timeout(Duration::MAX)
            .build()
            .is_ok()
    );
}

#[actix_web::test]
async fn a_skip_path_has_no_session_and_a_handler_there_is_told() {
    let manager = Faulty::default();
    let sessions = builder(&manager).skip_paths(["/static"]).build().unwrap();
    let read = async |session: Session| format!("{}", session.is_new());
    let app = App::new()
        .wrap(sessions)
        .route("/static/ok", web::get().to(async || "ok"))
        .route("/static/asks", web::get().to(read))
        .route("/staticx", web::get().to(read));
    let app = test::init_service(app).await;
    for (path, status) in [("/static/ok", 200), ("/static/asks", 500), ("/staticx", 200)] {
        let request = test::TestRequest::with_uri(path).to_request();
        let response = test::call_service(&app, request).await;
        assert_eq!(response.status(), StatusCode::from_u16(status).unwrap(), "{path}");
    }
}

#[actix_web::test]
async fn no_client_makes_a_path_skipped_that_is_routed_to_a_handler_with_a_session() {
    let sessions = builder(&Faulty::default()).skip_paths(["/static"]).build().unwrap();
    let read = async |session: Session| format!("{}", session.is_new());
    let app = App::new()
        .wrap(sessions)
        .route("/static/{tail:.*}", web::get().to(async || "ok"))
        .route("/{tail:.*}", web::get().to(read));
    let app = test::init_service(app).await;
    for path in [
        "/files/../static/x",
        "/files/%2e%2e/static/x",
        "/files/%2E./static/x",
        "//static/x",
        "/./static/x",
        "/static%2fx",
        "/static/../x",
        "/%73tatic/x",
        "/static/x",
    ] {
        let request = test::TestRequest::with_uri(path).to_request();
        let response = test::call_service(&app, request).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
}

#[actix_web::test]
async fn a_handler_without_middleware_around_it_is_told() {
    let read = async |session: Session| format!("{}", session.is_new());
    let app = test::init_service(App::new().route("/", web::get().to(read))).await;
    let response = test::call_service(&app, test::TestRequest::get().to_request()).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = test::read_body(response).await;
    assert!(String::from_utf8_lossy(&body).contains("session_error"), "{body:?}");
}
