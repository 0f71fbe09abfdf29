//! What counts as a use of a session, in time that moves when everyone waits for it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix_http::{BoxedPayloadStream, Payload, Request};
use actix_web::{
    App, Error, HttpResponse,
    body::MessageBody,
    dev::{Service, ServiceResponse},
    http::StatusCode,
    test::{TestRequest, call_service, init_service, read_body},
    web::{self, Bytes},
};
use futures_util::{StreamExt, future, stream};
use session_actix::{Result, Session, SessionMiddlewareBuilder, testing::Visitor};
use session_core::{Clock, Timestamp};
use tokio::time::Instant;

use crate::support::{Faults, Faulty, builder};

/// The paused clock of tokio, as a clock of sessions.
#[derive(Debug)]
struct TokioClock {
    began: Instant,
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from(SystemTime::UNIX_EPOCH).saturating_add(self.began.elapsed() + YEARS)
    }
}

const YEARS: Duration = Duration::from_secs(50 * 365 * 24 * 60 * 60);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[expect(clippy::disallowed_methods, reason = "no time passes: the clock is moved")]
async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Settings over a store with the same clock, which stands still while anyone works.
fn paused(idle: Duration) -> (Faulty, SessionMiddlewareBuilder) {
    tokio::time::pause();
    let clock = Arc::new(TokioClock { began: Instant::now() });
    let manager = Faults::with_clock(clock.clone());
    let builder = builder(&manager).clock(clock).idle_timeout(idle);
    (manager, builder)
}

async fn who(session: Session) -> String {
    session.principal().as_deref().unwrap_or("nobody").to_owned()
}

async fn slow(session: Session, time: web::Path<u64>) -> String {
    pass(seconds(*time)).await;
    who(session).await
}

async fn upload(body: Bytes, session: Session) -> Result<String> {
    session.insert("upload", body.len())?;
    Ok(who(session).await)
}

async fn stream_out(session: Session, time: web::Path<u64>) -> HttpResponse {
    let body = stream::once(async move {
        pass(seconds(*time)).await;
        Result::<_>::Ok(Bytes::from(who(session).await))
    });
    HttpResponse::Ok().streaming(Box::pin(body))
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/who", web::get().to(who))
        .route("/slow/{seconds}", web::get().to(slow))
        .route("/upload", web::post().to(upload))
        .route("/stream/{seconds}", web::get().to(stream_out))
        .route("/static/plain", web::to(async || "ok"))
        .route("/plain", web::to(async || "ok"));
}

/// An application, and somebody who logged in.
macro_rules! start {
    ($builder:expr) => {{
        let sessions = $builder.build().unwrap();
        let app = init_service(App::new().wrap(sessions.clone()).configure(routes)).await;
        let log_in = async |session: &Session| session.bind("ada").await;
        (app, Visitor::with(&sessions, log_in).await.unwrap())
    }};
}

async fn get<B: MessageBody>(
    app: &impl Service<Request, Response = ServiceResponse<B>, Error = Error>,
    visitor: &Visitor,
    path: &str,
) -> Bytes {
    let request = TestRequest::with_uri(path).insert_header(visitor.cookie()).to_request();
    let response = call_service(app, request).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    read_body(response).await
}

/// A POST whose body takes so long to arrive.
fn uploading(visitor: &Visitor, time: u64) -> Request {
    let chunks: BoxedPayloadStream = Box::pin(stream::iter(0..time).then(|_| async {
        pass(seconds(1)).await;
        Ok(Bytes::from_static(b"chunk"))
    }));
    let request = TestRequest::post().uri("/upload").insert_header(visitor.cookie());
    let request = request.insert_header(("transfer-encoding", "chunked")).to_request();
    request.replace_payload(Payload::Stream { payload: chunks }).0
}

#[actix_web::test]
async fn a_request_that_is_under_way_keeps_its_session_alive() {
    let (_, builder) = paused(seconds(6));
    let (app, visitor) = start!(builder);
    for time in [4, 20] {
        pass(seconds(4)).await;
        assert_eq!(get(&app, &visitor, &format!("/slow/{time}")).await, "ada");
        assert_eq!(get(&app, &visitor, "/who").await, "ada", "after {time} seconds");
    }
    pass(seconds(6)).await;
    assert_eq!(get(&app, &visitor, "/who").await, "nobody");
}

#[actix_web::test]
async fn an_upload_that_takes_its_time_ends_neither_itself_nor_its_session() {
    let (_, builder) = paused(seconds(10));
    let (app, visitor) = start!(builder);
    for time in [5, 30] {
        pass(seconds(7)).await;
        let page = async {
            pass(seconds(2)).await;
            get(&app, &visitor, "/who").await
        };
        let upload = call_service(&app, uploading(&visitor, time));
        let (response, page) = future::join(upload, page).await;
        assert_eq!((response.status(), &*page), (StatusCode::OK, &b"ada"[..]), "{time} seconds");
        assert_eq!(read_body(response).await, "ada");
        assert_eq!(get(&app, &visitor, "/who").await, "ada");
    }
}

#[actix_web::test]
async fn an_upload_of_an_ended_session_revives_nothing() {
    let (_, builder) = paused(seconds(10));
    let (app, visitor) = start!(builder);
    pass(seconds(10)).await;
    let response = call_service(&app, uploading(&visitor, 3)).await;
    assert_eq!(read_body(response).await, "nobody");
    assert_eq!(get(&app, &visitor, "/who").await, "nobody");
}

#[actix_web::test]
async fn a_request_keeps_its_session_alive_for_ten_minutes_and_no_longer() {
    let (_, builder) = paused(seconds(60));
    let (app, visitor) = start!(builder);
    get(&app, &visitor, "/slow/600").await;
    assert_eq!(get(&app, &visitor, "/who").await, "ada");
    get(&app, &visitor, "/slow/1200").await;
    assert_eq!(get(&app, &visitor, "/who").await, "nobody");
}

#[actix_web::test]
async fn no_request_keeps_a_session_beyond_its_lifetime() {
    let (_, builder) = paused(seconds(20));
    let (app, visitor) = start!(builder.lifetime(seconds(60)));
    get(&app, &visitor, "/slow/59").await;
    assert_eq!(get(&app, &visitor, "/who").await, "ada");
    get(&app, &visitor, "/slow/2").await;
    assert_eq!(get(&app, &visitor, "/who").await, "nobody");
}

#[actix_web::test]
async fn a_body_that_is_being_sent_is_no_use_of_the_session() {
    let (_, builder) = paused(seconds(6));
    let (app, visitor) = start!(builder);
    assert_eq!(get(&app, &visitor, "/stream/5").await, "ada");
    assert_eq!(get(&app, &visitor, "/who").await, "ada");
    get(&app, &visitor, "/stream/7").await;
    assert_eq!(get(&app, &visitor, "/who").await, "nobody");
}

#[actix_web::test]
async fn a_session_is_opened_ahead_where_a_body_follows_and_nowhere_else() {
    let (manager, builder) = paused(seconds(60));
    let (app, visitor) = start!(builder.skip_paths(["/static"]));
    let calls = async |request: TestRequest| {
        let before = manager.calls();
        let request = request.insert_header(visitor.cookie()).to_request();
        assert_eq!(call_service(&app, request).await.status(), StatusCode::OK);
        manager.calls() - before
    };
    assert_eq!(calls(TestRequest::with_uri("/plain")).await, 0);
    let post = |path: &str, length: &str| {
        TestRequest::post().uri(path).insert_header(("content-length", length))
    };
    assert_eq!(calls(post("/plain", "0")).await, 0);
    assert_eq!(calls(post("/plain", "5")).await, 1);
    assert_eq!(calls(post("/static/plain", "5")).await, 0);
}

#[actix_web::test]
async fn a_request_that_answers_soon_touches_nothing() {
    let (manager, builder) = paused(seconds(60));
    let (app, visitor) = start!(builder);
    let before = manager.calls();
    get(&app, &visitor, "/slow/5").await;
    assert_eq!(manager.calls(), before + 1, "one get");
}
