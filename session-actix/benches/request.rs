//! What a request with a session takes above the same request to actix-web alone.
//!
//! `cargo bench -p session-actix --bench request`
//!
//! No socket and no client: requests go straight to the application. Each takes turns with the
//! bare application, so that what disturbs the machine disturbs both; the first half of each turn,
//! in which every session comes by once, is not timed, since in a server nobody else would have
//! used the processor's caches meanwhile. At the end comes what each takes above the bare
//! application, as the medians over all batches of both.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench reports on its standard output and fails by panicking"
)]

use std::{
    future::Future,
    hint::black_box,
    path::Path,
    pin::Pin,
    time::{Duration, Instant},
};

use actix_http::Request;
use actix_web::{
    App, HttpResponse,
    dev::{Service, ServiceResponse},
    http::header::{COOKIE, HeaderValue},
    rt::Runtime,
    test::{self, TestRequest},
    web,
};
use criterion::{Criterion, criterion_group, criterion_main};
use session_actix::{Session, SessionMiddleware, testing::Visitor};
use session_cache::{CachingSessionManager, Coherence};
use session_core::{MemorySessionManager, SessionManager, SigningKey};
use session_fs::FileBackedSessionManager;
use tempfile::TempDir;

const SESSIONS: usize = 1_000;
/// How many requests are made at a time, and timed together.
const BATCH: usize = 50;
/// How many batches come first in a turn, and how many are timed then.
const BATCHES: usize = SESSIONS / BATCH;

/// An application, and the cookies of its visitors.
struct Contestant {
    name: &'static str,
    path: &'static str,
    app: Application,
    cookies: Vec<HeaderValue>,
    next: usize,
    times: Vec<Duration>,
}

type Application = Box<dyn Fn(Request) -> Pin<Box<dyn Future<Output = bool>>>>;

async fn plain() -> HttpResponse {
    HttpResponse::Ok().body("hello")
}

async fn read(session: Session) -> session_actix::Result<HttpResponse> {
    black_box(session.get::<u32>("n")?);
    Ok(HttpResponse::Ok().body("hello"))
}

async fn write(session: Session) -> session_actix::Result<HttpResponse> {
    let number = session.get::<u32>("n")?.unwrap_or_default();
    session.insert("n", number.wrapping_add(1))?;
    Ok(HttpResponse::Ok().body("hello"))
}

fn requests(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("there is room for files");
    let runtime = Runtime::new().expect("a runtime starts");
    let (mut bare, contestants) = runtime.block_on(async {
        let mut all = Vec::new();
        all.extend(on("memory", |_| MemorySessionManager::new(), &folder).await);
        all.extend(on("files", files, &folder).await);
        let exclusive = |folder: &Path| {
            CachingSessionManager::new(files(folder), Coherence::Exclusive)
                .expect("it needs no ability")
        };
        all.extend(on("files, cached exclusive", exclusive, &folder).await);
        let checked = |folder: &Path| {
            CachingSessionManager::new(files(folder), Coherence::Checked)
                .expect("files have versions")
        };
        all.extend(on("files, cached checked", checked, &folder).await);
        (bare().await, all)
    });
    measure(criterion, bare.title(), || runtime.block_on(bare.turn()));
    for mut it in contestants {
        bare.times.clear();
        measure(criterion, it.title(), || {
            runtime.block_on(bare.turn());
            runtime.block_on(it.turn())
        });
        let (alone, median) = (bare.median(), it.median());
        if alone > 0.0 {
            let (name, path, above) = (it.name, it.path, median - alone);
            println!("{name}, {path}: {median:.2} us, {above:.2} us above {alone:.2}");
        }
    }
}

fn measure(criterion: &mut Criterion, title: [&str; 2], mut turn: impl FnMut() -> Duration) {
    let mut group = criterion.benchmark_group(title[0]);
    group.sample_size(10);
    group.bench_function(title[1], |bencher| {
        bencher.iter_custom(|turns| (0..turns).map(|_| turn()).sum());
    });
    group.finish();
}

fn files(folder: &Path) -> FileBackedSessionManager {
    std::fs::create_dir_all(folder).expect("the folder can be made");
    FileBackedSessionManager::new(folder).expect("the folder can be written")
}

async fn bare() -> Contestant {
    let app = App::new().route("/plain", web::get().to(plain));
    // As long as one of ours.
    let cookie = HeaderValue::try_from(format!("__Host-sid={}", "0".repeat(101)));
    let app = boxed(test::init_service(app).await);
    Contestant::new("actix-web alone", "/plain", app, vec![cookie.expect("these are digits")])
}

/// The three handlers, each with sessions in a manager of its own: the writes of one would be news
/// to the others' caches.
async fn on<M: SessionManager>(
    name: &'static str,
    manager: impl Fn(&Path) -> M,
    folder: &TempDir,
) -> Vec<Contestant> {
    let secret: Vec<u8> = (0..32).collect();
    let mut contestants = Vec::new();
    for path in ["/plain", "/read", "/write"] {
        let key = SigningKey::hmac_sha256(&secret).expect("32 different bytes are a key");
        let manager = manager(&folder.path().join(name).join(&path[1..]));
        let sessions = SessionMiddleware::new(manager, key).expect("the settings are valid");
        let mut cookies = Vec::with_capacity(SESSIONS);
        for _ in 0..SESSIONS {
            let visitor = Visitor::with(&sessions, async |session| {
                session.insert("n", 0)?;
                session.insert("name", "of a usual length")?;
                session.bind("a principal").await
            });
            cookies.push(visitor.await.expect("the manager stores").cookie().1);
        }
        let app = App::new()
            .wrap(sessions.clone())
            .route("/plain", web::get().to(plain))
            .route("/read", web::get().to(read))
            .route("/write", web::get().to(write));
        let app = boxed(test::init_service(app).await);
        contestants.push(Contestant::new(name, path, app, cookies));
    }
    contestants
}

fn boxed<S, B>(app: S) -> Application
where
    S: Service<Request, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    S::Future: 'static,
    B: 'static,
{
    Box::new(move |request| {
        let answer = app.call(request);
        Box::pin(async move { answer.await.is_ok_and(|answer| answer.status().is_success()) })
    })
}

impl Contestant {
    fn new(
        name: &'static str,
        path: &'static str,
        app: Application,
        cookies: Vec<HeaderValue>,
    ) -> Self {
        Self { name, path, app, cookies, next: 0, times: Vec::new() }
    }

    fn title(&self) -> [&'static str; 2] {
        [self.name, self.path]
    }

    /// Goes through all sessions twice, and gives what a request of the second time took.
    async fn turn(&mut self) -> Duration {
        let mut took = Duration::ZERO;
        for number in 0..2 * BATCHES {
            let time = self.batch().await;
            if number >= BATCHES {
                self.times.push(time);
                took += time;
            }
        }
        took / u32::try_from(BATCHES).expect("it is small")
    }

    /// Sends a batch, and gives what one request of it took.
    async fn batch(&mut self) -> Duration {
        let batch: Vec<_> = (0..BATCH)
            .map(|_| {
                // A prime, so that neighbours in time are none in memory.
                self.next = (self.next + 379) % self.cookies.len();
                // A copy, as a server has it from its socket; `cookies` is long out of the
                // processor's caches.
                let cookie = HeaderValue::from_bytes(self.cookies[self.next].as_bytes())
                    .expect("it is a value");
                TestRequest::with_uri(self.path).insert_header((COOKIE, cookie)).to_request()
            })
            .collect();
        let started = Instant::now();
        for request in batch {
            assert!((self.app)(request).await, "the handler answers");
        }
        started.elapsed() / u32::try_from(BATCH).expect("it is small")
    }

    fn median(&mut self) -> f64 {
        self.times.sort_unstable();
        self.times.get(self.times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    }
}

criterion_group!(benches, requests);
criterion_main!(benches);
