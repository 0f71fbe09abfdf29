//! Answers that never arrive, and requests that take their time.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use testkit::{Browser, Demo, Response};

const LOGIN: &str = "{\"user\":\"ada\"}";

/// A visitor with a cart, who has not logged in.
fn visitor(demo: &Demo) -> Browser {
    let mut browser = demo.browser();
    assert_eq!(browser.send("PUT", "/api/session/cart", "[\"lamp\"]").status, 204);
    browser
}

/// Sends a login whose answer the browser never sees; returns that answer.
fn lost_login(browser: &Browser) -> Response {
    let cookie = format!("{}={}", browser.name, browser.cookie.as_ref().expect("a cookie"));
    let answer = browser.send_with("POST", "/api/login", cookie.as_bytes(), LOGIN);
    assert_eq!(answer.status, 204);
    answer
}

fn a_login_whose_answer_is_lost_can_be_repeated(demo: &Demo) {
    let mut browser = visitor(demo);
    let mut lost = Vec::new();
    for attempt in 1..=3 {
        lost.push(lost_login(&browser).cookie().expect("a cookie"));
        let again = browser.clone().send("POST", "/api/login", LOGIN);
        assert_eq!(again.status, 204, "attempt {attempt}: {}", again.body);
        lost.push(again.cookie().expect("a cookie"));
    }
    assert_eq!(browser.send("POST", "/api/login", LOGIN).status, 204);
    let page = browser.get("/api/session").body;
    assert!(page.contains("\"principal\":\"ada\"") && page.contains("lamp"), "{page}");
    for token in lost {
        let thief = Browser { cookie: Some(token), ..demo.browser() }.get("/api/session").body;
        assert!(thief.contains("\"principal\":null") && !thief.contains("lamp"), "{thief}");
    }
    let page = browser.get("/api/session").body;
    assert!(page.contains("\"principal\":\"ada\""), "a lost token takes nothing away: {page}");
}

#[test]
fn a_login_whose_answer_is_lost_can_be_repeated_over_files() {
    let folder = TempDir::new().expect("a folder");
    a_login_whose_answer_is_lost_can_be_repeated(&Demo::start(folder.path(), &["--cache", "0"]));
}

#[test]
fn a_login_whose_answer_is_lost_can_be_repeated_over_cached_files() {
    let folder = TempDir::new().expect("a folder");
    a_login_whose_answer_is_lost_can_be_repeated(&Demo::start(folder.path(), &[]));
}

#[test]
fn a_login_whose_answer_is_lost_can_be_repeated_over_redis() {
    let folder = TempDir::new().expect("a folder");
    let redis = Redis::start(folder.path());
    let demo = Demo::start(folder.path(), &["--store", &redis.url]);
    a_login_whose_answer_is_lost_can_be_repeated(&demo);
}

/// A server with nothing in it, stopped when dropped.
struct Redis {
    process: Child,
    url: String,
}

impl Redis {
    fn start(folder: &Path) -> Self {
        let socket = folder.join("redis.sock");
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is there");
        let redis = Self { process, url: format!("unix://{}", socket.display()) };
        let started = Instant::now();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(started.elapsed() < Duration::from_secs(30), "redis-server does not listen");
            thread::yield_now();
        }
        redis
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn an_upload_that_outlasts_the_idle_timeout_is_kept() {
    let folder = TempDir::new().expect("a folder");
    let demo = Demo::start(folder.path(), &["--idle", "3"]);
    let mut browser = visitor(&demo);
    assert_eq!(browser.send("POST", "/api/login", LOGIN).status, 204);
    let cookie = browser.cookie.clone().expect("a cookie");
    let mut upload = TcpStream::connect(demo.addr).expect("the demo listens");
    let head = format!(
        "PUT /api/session/file HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Cookie: __Host-sid={cookie}\r\nContent-Length: 12\r\n\r\n",
        demo.addr
    );
    upload.write_all(head.as_bytes()).expect("the head is taken");
    for digit in 0..10 {
        let text = match digit {
            0 => "\"0",
            9 => "9\"",
            _ => &*digit.to_string(),
        };
        upload.write_all(text.as_bytes()).expect("the body is taken");
        pass(Duration::from_millis(400));
    }
    let mut answer = Vec::new();
    upload.read_to_end(&mut answer).expect("an answer");
    assert_eq!(Response::parse(&answer).status, 204);
    let page = browser.get("/api/session").body;
    assert!(page.contains("\"principal\":\"ada\"") && page.contains("0123456789"), "{page}");
}

#[expect(clippy::disallowed_methods, reason = "the server's clock is the machine's")]
fn pass(time: Duration) {
    thread::sleep(time);
}
