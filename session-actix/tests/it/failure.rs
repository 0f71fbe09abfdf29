//! A store that fails, hangs and comes back.

use std::{sync::Arc, time::Duration};

use actix_web::{
    App,
    body::MessageBody,
    dev::ServiceResponse,
    http::{StatusCode, header},
    test, web,
};
use session_actix::{Result, Session, SessionMiddleware, testing::Visitor};
use session_core::{ErrorKind, ManualClock};

use crate::support::{Faults, Faulty, Mode, builder, kind, sessions};

async fn read(session: Session) -> Result<String> {
    Ok(format!("{:?} {}", session.get::<u32>("n")?, session.is_degraded()))
}

async fn write(session: Session) -> Result<&'static str> {
    session.insert("n", 2)?;
    Ok("what the handler believes")
}

async fn bind(session: Session) -> Result<&'static str> {
    session.bind("ada").await?;
    Ok("what the handler believes")
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/read", web::get().to(read))
        .route("/write", web::get().to(write))
        .route("/bind", web::get().to(bind))
        .route("/plain", web::get().to(async || "ok"));
}

async fn visitor(manager: &Faulty) -> Visitor {
    Visitor::with(&sessions(manager), async |session| session.insert("n", 1)).await.unwrap()
}

/// What `path` answers, through `sessions`, to `visitor`.
async fn answer(
    sessions: &SessionMiddleware,
    path: &str,
    visitor: &Visitor,
) -> ServiceResponse<impl MessageBody + use<>> {
    let app = App::new().wrap(sessions.clone()).configure(routes);
    let app = test::init_service(app).await;
    let request = test::TestRequest::with_uri(path).insert_header(visitor.cookie());
    test::call_service(&app, request.to_request()).await
}

/// Nothing but that it did not work, and when to try again, whatever the cause.
fn is_an_opaque_503(response: ServiceResponse<impl MessageBody>, what: &str) {
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{what}");
    let headers = response.headers();
    assert_eq!(headers.get(header::RETRY_AFTER).unwrap(), "1", "{what}");
    assert_eq!(headers.get(header::CACHE_CONTROL).unwrap(), "no-store", "{what}");
    assert_eq!(headers.get(header::VARY).unwrap(), "Cookie", "{what}");
    assert!(!headers.contains_key(header::SET_COOKIE), "{what}: an outage touches no cookie");
    let text = format!("{headers:?}");
    assert!(!text.contains("faulty") && !text.contains("detail"), "{what}: {text}");
    let body = response.into_body().try_into_bytes().ok().expect("a body without a stream");
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(body.contains("\"code\":\"sessions_unavailable\""), "{what}: {body}");
    assert!(!body.contains("faulty") && !body.contains("the detail"), "{what}: {body}");
}

fn impatient(manager: &Faulty) -> SessionMiddleware {
    builder(manager).store_timeout(Duration::from_millis(20)).build().unwrap()
}

#[actix_web::test]
async fn a_store_that_is_out_is_a_503_and_no_logout() {
    let manager = Faulty::default();
    let visitor = visitor(&manager).await;
    for mode in [Mode::Fails, Mode::Hangs] {
        manager.set(mode);
        for path in ["/read", "/write", "/bind"] {
            let response = answer(&impatient(&manager), path, &visitor).await;
            is_an_opaque_503(response, &format!("{mode:?} {path}"));
        }
        let plain = answer(&impatient(&manager), "/plain", &visitor).await;
        assert_eq!(plain.status(), StatusCode::OK, "{mode:?}");
        manager.set(Mode::Works);
        let read = answer(&sessions(&manager), "/read", &visitor).await;
        assert_eq!(test::read_body(read).await, "Some(1) false");
    }
}

#[actix_web::test]
async fn what_was_not_stored_is_never_answered_with_success() {
    let manager = Faulty::default();
    let known = visitor(&manager).await;
    let mut stranger = known.clone();
    stranger.follow(&removal());
    for mode in [
        Mode::FailsToWrite(ErrorKind::Unavailable),
        Mode::FailsToWrite(ErrorKind::Full),
        Mode::FailsToWrite(ErrorKind::Contended),
        Mode::HangsOnWrites,
    ] {
        manager.set(mode);
        for visitor in [&known, &stranger] {
            for path in ["/write", "/bind"] {
                let response = answer(&impatient(&manager), path, visitor).await;
                is_an_opaque_503(response, &format!("{mode:?} {path}"));
            }
        }
        manager.set(Mode::Works);
        assert_eq!(manager.len(), 1);
        let read = answer(&sessions(&manager), "/read", &known).await;
        assert_eq!(test::read_body(read).await, "Some(1) false", "{mode:?}");
    }
}

fn removal() -> header::HeaderMap {
    let mut headers = header::HeaderMap::new();
    let removal = header::HeaderValue::from_static("__Host-sid=; Max-Age=0");
    headers.insert(header::SET_COOKIE, removal);
    headers
}

#[actix_web::test]
async fn a_visitor_without_a_cookie_does_not_notice_an_outage_until_something_is_stored() {
    let manager = Faulty::default();
    let mut stranger = visitor(&manager).await;
    stranger.follow(&removal());
    manager.set(Mode::Fails);
    let read = answer(&sessions(&manager), "/read", &stranger).await;
    assert_eq!(test::read_body(read).await, "None false");
}

#[actix_web::test]
async fn read_only_degradation_reads_nothing_and_refuses_every_change() {
    let manager = Faulty::default();
    let visitor = visitor(&manager).await;
    let degrading = || {
        builder(&manager)
            .store_timeout(Duration::from_millis(20))
            .read_only_when_unavailable()
            .build()
            .unwrap()
    };
    for mode in [Mode::Fails, Mode::Hangs] {
        manager.set(mode);
        let read = answer(&degrading(), "/read", &visitor).await;
        assert_eq!(read.status(), StatusCode::OK);
        assert!(!read.headers().contains_key(header::SET_COOKIE));
        assert_eq!(test::read_body(read).await, "None true");
        for path in ["/write", "/bind"] {
            let response = answer(&degrading(), path, &visitor).await;
            is_an_opaque_503(response, path);
        }
    }
    manager.set(Mode::Works);
    let read = answer(&degrading(), "/read", &visitor).await;
    assert_eq!(test::read_body(read).await, "Some(1) false");
}

#[actix_web::test]
async fn the_probe_of_the_store_tells_an_outage() {
    let manager = Faulty::default();
    let sessions = impatient(&manager);
    assert_eq!(kind(sessions.check_store().await), None);
    for mode in [Mode::Fails, Mode::Hangs] {
        manager.set(mode);
        assert_eq!(kind(sessions.check_store().await), Some(ErrorKind::Unavailable));
    }
    manager.set(Mode::Works);
    assert_eq!(kind(sessions.check_store().await), None);
}

#[actix_web::test]
async fn new_sessions_are_capped_and_old_ones_are_not() {
    let clock = Arc::new(ManualClock::default());
    let manager = Faults::with_clock(clock.clone());
    let capped =
        builder(&manager).clock(clock.clone()).max_new_sessions_per_second(3).build().unwrap();
    let mut stranger = visitor(&Faulty::default()).await;
    stranger.follow(&removal());
    let mut statuses = Vec::new();
    let mut known = stranger.clone();
    for _ in 0..5 {
        let response = answer(&capped, "/write", &stranger).await;
        known.follow(response.headers());
        statuses.push(response.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 503, 503]);
    assert_eq!(manager.len(), 3);
    assert_eq!(answer(&capped, "/bind", &known).await.status(), StatusCode::OK);
    clock.advance(Duration::from_secs(1));
    assert_eq!(answer(&capped, "/write", &stranger).await.status(), StatusCode::OK);
}

#[actix_web::test]
async fn the_log_tells_what_the_client_is_not_told() {
    let manager = Faulty::default();
    manager.set(Mode::Fails);
    let error = sessions(&manager).check_store().await.expect_err("the store is out");
    assert!(error.to_string().contains("detail"));
}

#[actix_web::test]
async fn the_cookie_of_a_login_goes_out_with_the_error_of_what_came_after_it() {
    let manager = Faulty::default();
    let sessions = sessions(&manager);
    let (outage, store) = (manager.clone(), sessions.interface().clone());
    let handler = move |session: Session| {
        let outage = outage.clone();
        async move {
            session.bind("ada").await?;
            session.insert("more", 1)?;
            outage.set(Mode::Fails);
            Ok::<_, session_actix::Error>("what the handler believes")
        }
    };
    let app = App::new().wrap(sessions.clone()).route("/login", web::get().to(handler));
    let app = test::init_service(app).await;
    let request = test::TestRequest::with_uri("/login").to_request();
    let response = test::call_service(&app, request).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let cookie = response.headers().get(header::SET_COOKIE).expect("the only token that works");
    let value = cookie.to_str().unwrap().split([';', '=']).nth(1).unwrap();
    manager.set(Mode::Works);
    let session = store.open([value.as_bytes()]).await.unwrap();
    assert_eq!(session.principal().as_deref(), Some("ada"));
}
