//! Responses that go on after their head, and clients that do not wait for it.

use std::{
    io::Write,
    net::TcpStream,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse,
    test::{TestRequest, call_service, init_service},
    web,
};
use futures_util::stream;
use session_actix::{Result, Session, SessionExt, testing::Visitor};
use session_core::{ErrorKind, Saved};

use crate::support::{Browser, Faulty, Mode, Server, kind, sessions};

async fn count(session: Session) -> Result<String> {
    Ok(session.update("n", |n: Option<u32>| n.unwrap_or(0) + 1).await?.to_string())
}

async fn show(session: Session) -> Result<String> {
    let late = session.get::<String>("late")?;
    Ok(format!("{:?} {late:?}", session.get::<u32>("n")?))
}

/// Does `work` in the body, after the head has left, and sends what it returns.
fn in_the_body<F: Future<Output = String> + 'static>(work: F) -> HttpResponse {
    let body = stream::once(async move { Result::<_>::Ok(web::Bytes::from(work.await)) });
    HttpResponse::Ok().streaming(Box::pin(body))
}

async fn late_change(session: Session) -> HttpResponse {
    in_the_body(async move {
        let refused = [
            kind(session.insert("late", "lost")),
            kind(session.remove("n").map(|_| ())),
            kind(session.clear()),
            kind(session.purge()),
            kind(session.renew()),
            kind(session.set_permanent(true)),
            kind(session.bind("ada").await),
        ];
        assert_eq!(refused, [Some(ErrorKind::Finished); 7]);
        format!("{:?}", session.get::<u32>("n").unwrap())
    })
}

async fn late_opening(request: HttpRequest) -> HttpResponse {
    in_the_body(async move {
        let session = request.session().await.unwrap();
        let refused = [
            kind(session.insert("late", "lost")),
            kind(session.renew()),
            kind(session.bind("ada").await),
        ];
        assert_eq!(refused, [Some(ErrorKind::Finished); 3]);
        format!("{:?}", session.get::<u32>("n").unwrap())
    })
}

async fn late_save(session: Session) -> HttpResponse {
    in_the_body(async move {
        assert_eq!(session.save().await.unwrap(), Saved::Unchanged);
        session.insert("late", "kept".to_owned()).unwrap();
        format!("{:?}", session.save().await.unwrap())
    })
}

async fn late_update(session: Session) -> HttpResponse {
    in_the_body(async move {
        session.update("n", |n: Option<u32>| n.unwrap_or(0) + 100).await.unwrap().to_string()
    })
}

async fn early_change(session: Session) -> Result<HttpResponse> {
    session.insert("n", 50)?;
    Ok(in_the_body(async move { format!("{:?}", session.is_live().await.unwrap()) }))
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/", web::get().to(show))
        .route("/count", web::post().to(count))
        .route("/late-change", web::post().to(late_change))
        .route("/late-opening", web::post().to(late_opening))
        .route("/late-save", web::post().to(late_save))
        .route("/late-update", web::post().to(late_update))
        .route("/early-change", web::post().to(early_change));
}

/// The chunks of a body sent in chunks.
fn text(chunked: &str) -> String {
    chunked.split("\r\n").skip(1).step_by(2).collect()
}

fn start() -> (Faulty, Server, Browser) {
    let manager = Faulty::default();
    let server = Server::start(sessions(&manager), routes);
    let mut browser = Browser::new(server.addr);
    assert_eq!(browser.post("/count").body, "1");
    (manager, server, browser)
}

#[test]
fn a_change_after_the_head_is_an_error_the_handler_sees() {
    let (_manager, _server, mut browser) = start();
    assert_eq!(text(&browser.post("/late-change").body), "Some(1)");
    assert_eq!(browser.get("/").body, "Some(1) None");
}

#[test]
fn a_session_first_opened_after_the_head_is_as_one_kept_from_before() {
    let (_manager, server, mut browser) = start();
    assert_eq!(text(&browser.post("/late-opening").body), "Some(1)");
    assert_eq!(browser.get("/").body, "Some(1) None");
    assert_eq!(text(&Browser::new(server.addr).post("/late-opening").body), "None");
}

#[actix_web::test]
async fn a_session_that_was_being_opened_when_the_handler_answered_is_as_one_kept_from_before() {
    let manager = Faulty::default();
    let sessions = sessions(&manager);
    let visitor = Visitor::with(&sessions, async |session| session.insert("n", 1)).await.unwrap();
    let (tell, told) = mpsc::channel();
    let opens = move |request: HttpRequest| {
        let opening = request.session();
        let tell = tell.clone();
        async move {
            let mut opening = Box::pin(opening);
            let begun = futures_util::poll!(&mut opening);
            tell.send((opening, begun.is_pending())).unwrap();
            HttpResponse::Ok().finish()
        }
    };
    manager.set(Mode::Yields);
    let app = App::new().wrap(sessions).route("/", web::get().to(opens));
    let app = init_service(app).await;
    let request = TestRequest::get().insert_header(visitor.cookie()).to_request();
    assert!(call_service(&app, request).await.status().is_success());
    let (opening, begun) = told.recv().unwrap();
    assert!(begun, "the store lets others go first");
    let session = opening.await.unwrap();
    assert_eq!(session.get("n").unwrap(), Some(1));
    assert_eq!(kind(session.insert("n", 2)), Some(ErrorKind::Finished));
    assert_eq!(kind(session.renew()), Some(ErrorKind::Finished));
    assert_eq!(kind(session.bind("ada").await), Some(ErrorKind::Finished));
}

#[test]
fn who_saves_after_the_head_is_believed() {
    let (_manager, _server, mut browser) = start();
    assert_eq!(text(&browser.post("/late-save").body), "Stored");
    assert_eq!(browser.get("/").body, "Some(1) Some(\"kept\")");
    assert_eq!(text(&browser.post("/late-update").body), "101");
    assert_eq!(browser.get("/").body, "Some(101) Some(\"kept\")");
}

#[test]
fn what_was_changed_before_the_head_is_stored_before_it() {
    let (_manager, server, mut browser) = start();
    assert_eq!(text(&browser.post("/early-change").body), "true");
    assert_eq!(browser.get("/").body, "Some(50) None");
    let mut stranger = Browser::new(server.addr);
    let response = stranger.post("/early-change");
    assert!(response.cookie().is_some(), "the head of a stream has the cookie");
    assert_eq!(text(&response.body), "true");
}

/// Tells when it is dropped.
struct Dropped(mpsc::Sender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

#[test]
fn a_client_that_left_before_the_answer_has_changed_nothing() {
    let manager = Faulty::default();
    let (tell, told) = mpsc::channel();
    let tell = Arc::new(Mutex::new(tell));
    let server = Server::start(sessions(&manager), move |config| {
        let tell = Arc::clone(&tell);
        config.configure(routes).route(
            "/hang",
            web::post().to(move |session: Session| {
                let tell = tell.lock().unwrap().clone();
                async move {
                    session.insert("n", 1000).unwrap();
                    tell.send("running").unwrap();
                    let _dropped = Dropped(tell);
                    std::future::pending::<String>().await
                }
            }),
        );
    });
    let mut browser = Browser::new(server.addr);
    assert_eq!(browser.post("/count").body, "1");
    let mut stream = TcpStream::connect(server.addr).unwrap();
    let cookie = browser.cookie.clone().unwrap();
    // The answer to the first is never read: closing then breaks the connection, instead of telling
    // politely that no more will be sent.
    let head = |method_and_path: &str| {
        format!(
            "{method_and_path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\
             Cookie: __Host-sid={cookie}\r\n\r\n"
        )
    };
    stream.write_all((head("GET /") + &head("POST /hang")).as_bytes()).unwrap();
    let patience = Duration::from_secs(60);
    assert_eq!(told.recv_timeout(patience), Ok("running"));
    stream.peek(&mut [0]).unwrap();
    drop(stream);
    assert_eq!(told.recv_timeout(patience), Ok("dropped"));
    assert_eq!(browser.get("/").body, "Some(1) None");
    assert_eq!(manager.len(), 1);
}

#[test]
fn parallel_requests_of_one_browser_lose_nothing() {
    let (_manager, server, browser) = start();
    let answers: Vec<u32> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let mut browser = browser.clone();
                scope.spawn(move || {
                    let count = |_| browser.post("/count").body.parse::<u32>().unwrap();
                    (0..25).map(count).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut sorted = answers;
    sorted.sort_unstable();
    assert_eq!(sorted, (2..=201).collect::<Vec<_>>());
    assert_eq!(Browser { addr: server.addr, ..browser }.get("/").body, "Some(201) None");
}
