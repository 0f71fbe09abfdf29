//! The hot paths.

#![expect(clippy::expect_used, reason = "a path that cannot be gone ends the program")]

use std::{hint::black_box, sync::Arc};

use actix_web::{
    App, Error, HttpResponse,
    dev::{Service, ServiceResponse},
    http::header::{COOKIE, HeaderValue},
    rt::Runtime,
    test::{self, TestRequest},
    web,
};
use session_actix::{Session, SessionMiddleware, testing::Visitor};
use session_cache::{CacheConfig, CachingSessionManager, Coherence, RecordTable};
use session_core::{
    CookieAction, MemorySessionManager, SessionInterface, SessionManager, SigningKey,
};

/// Goes a path so many times.
pub type Path = fn(u64);

/// The paths, by name. Those of handlers have the bare application as their first, so that the
/// difference is what the sessions take.
pub const PATHS: &[(&str, Path)] = &[
    ("actix-web alone", alone),
    ("a handler that does not touch the session", untouched),
    ("a handler that reads a session cached with exclusive", |times| {
        cached(Coherence::Exclusive, times);
    }),
    ("a handler that reads a session cached with checked", |times| {
        cached(Coherence::Checked, times);
    }),
    ("a handler that reads, and the visitor has no cookie", stranger),
    ("a forged cookie", forged),
    ("a hit of the cache's table", hit),
    ("a change, stored in memory", change),
];

fn key() -> SigningKey {
    let secret: Vec<u8> = (0..32).collect();
    SigningKey::hmac_sha256(&secret).expect("32 different bytes are a key")
}

fn alone(times: u64) {
    Runtime::new().expect("a runtime starts").block_on(async {
        let app = App::new().route("/", web::get().to(answer));
        let cookie = HeaderValue::from_static(SOME_COOKIE);
        requests(&test::init_service(app).await, &cookie, times).await;
    });
}

/// As long as one of ours.
const SOME_COOKIE: &str = "__Host-sid=0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";

async fn answer() -> HttpResponse {
    HttpResponse::Ok().body("hello")
}

async fn read(session: Session) -> session_actix::Result<HttpResponse> {
    black_box(session.get::<u32>("n")?);
    Ok(HttpResponse::Ok().body("hello"))
}

fn untouched(times: u64) {
    Runtime::new().expect("a runtime starts").block_on(async {
        let (sessions, cookie) = sessions(MemorySessionManager::new()).await;
        let app = App::new().wrap(sessions).route("/", web::get().to(answer));
        requests(&test::init_service(app).await, &cookie, times).await;
    });
}

fn cached(coherence: Coherence, times: u64) {
    Runtime::new().expect("a runtime starts").block_on(async {
        let config = CacheConfig::new().capacity(1_000);
        let manager =
            CachingSessionManager::with_config(MemorySessionManager::new(), coherence, config);
        let (sessions, cookie) = sessions(manager.expect("memory has every ability")).await;
        let app = App::new().wrap(sessions).route("/", web::get().to(read));
        requests(&test::init_service(app).await, &cookie, times).await;
    });
}

fn stranger(times: u64) {
    Runtime::new().expect("a runtime starts").block_on(async {
        let (sessions, _) = sessions(MemorySessionManager::new()).await;
        let app = App::new().wrap(sessions).route("/", web::get().to(read));
        requests(&test::init_service(app).await, &HeaderValue::from_static("a=b"), times).await;
    });
}

/// A middleware, and the cookie of a session it keeps.
async fn sessions(manager: impl SessionManager) -> (SessionMiddleware, HeaderValue) {
    let sessions =
        SessionMiddleware::builder(manager, key()).build().expect("the settings are valid");
    let visitor = Visitor::with(&sessions, async |session| session.insert("n", 7_u32))
        .await
        .expect("memory stores");
    (sessions, visitor.cookie().1)
}

async fn requests<S, B>(app: &S, cookie: &HeaderValue, times: u64)
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
{
    for _ in 0..times {
        let request = TestRequest::get().insert_header((COOKIE, cookie.clone())).to_request();
        let response = app.call(request).await.expect("the handler answers");
        assert!(response.status().is_success(), "the handler answers");
    }
}

/// A session in memory, and the value of its cookie.
async fn stored() -> (SessionInterface, String) {
    let interface = SessionInterface::builder(MemorySessionManager::new(), key())
        .build()
        .expect("the settings are valid");
    let session = interface.open([]).await.expect("memory answers");
    session.insert("n", &7_u32).expect("a number can be kept");
    let CookieAction::Set(cookie) = session.finish().await.expect("memory stores").cookie else {
        panic!("a new session has a cookie");
    };
    (interface, cookie.value().to_owned())
}

fn forged(times: u64) {
    Runtime::new().expect("a runtime starts").block_on(async {
        let (interface, mut cookie) = stored().await;
        let last = if cookie.ends_with('A') { 'B' } else { 'A' };
        cookie.pop();
        cookie.push(last);
        for _ in 0..times {
            let opened = interface.open([black_box(cookie.as_bytes())]).await;
            assert!(opened.expect("memory answers").is_new(), "it opens nothing");
        }
    });
}

fn change(times: u64) {
    Runtime::new().expect("a runtime starts").block_on(async {
        let (interface, cookie) = stored().await;
        for at in 0..times {
            let session = interface.open([cookie.as_bytes()]).await.expect("memory answers");
            session.insert("n", &black_box(at)).expect("a number can be kept");
            session.finish().await.expect("memory stores");
        }
    });
}

fn hit(times: u64) {
    let record = Runtime::new().expect("a runtime starts").block_on(async {
        let (interface, cookie) = stored().await;
        let id = session_core::SessionId::parse(&cookie.as_bytes()[..36]).expect("a sid");
        interface.manager().get(&id).await.expect("memory answers").expect("it is stored")
    });
    let table = RecordTable::new(1_000, 1 << 30);
    table.insert(&record);
    for _ in 0..times {
        let found: Option<Arc<_>> = table.get(black_box(record.id()));
        assert!(black_box(found).is_some(), "it is kept");
    }
}
