//! Requests of one browser at the same time, over HTTP, against the demo on cached files: one
//! server process, and two on one folder.

use std::{
    collections::{HashMap, HashSet},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Barrier,
    thread,
    time::Duration,
};

use testkit::{Browser, Demo, Response};

/// Sends `requests` at the same moment and returns the answers in their order.
fn at_once(requests: Vec<Box<dyn FnOnce() -> Response + Send>>) -> Vec<Response> {
    let start = Barrier::new(requests.len());
    thread::scope(|scope| {
        let threads: Vec<_> = requests
            .into_iter()
            .map(|request| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    request()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    })
}

fn with(addr: SocketAddr, cookie: &str) -> Browser {
    Browser { cookie: Some(cookie.to_owned()), ..Browser::new(addr) }
}

/// A session with one value; returns its cookie.
fn visit(demo: &Demo) -> String {
    let mut browser = Browser::new(demo.addr);
    assert_eq!(browser.post("/api/session/first/increment").status, 200);
    browser.cookie.expect("a cookie")
}

fn two_hundred_of_each(processes: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let demos = Demo::several(processes, folder.path());
    let cookie = visit(&demos[0]);
    let addr = |at: usize| demos[at % demos.len()].addr;
    let answers = at_once(
        (0..200)
            .map(|at| -> Box<dyn FnOnce() -> Response + Send> {
                let mut browser = with(addr(at), &cookie);
                Box::new(move || {
                    browser.send("PUT", &format!("/api/session/key{at}"), &at.to_string())
                })
            })
            .collect(),
    );
    assert!(answers.iter().all(|answer| answer.status == 204), "every write is acknowledged");
    for at in 0..200 {
        let answer = with(addr(at + 1), &cookie).get(&format!("/api/session/key{at}"));
        assert_eq!((answer.status, answer.body), (200, at.to_string()), "and kept");
    }
    let answers = at_once(
        (0..200)
            .map(|at| -> Box<dyn FnOnce() -> Response + Send> {
                let mut browser = with(addr(at), &cookie);
                Box::new(move || browser.post("/api/session/count/increment"))
            })
            .collect(),
    );
    let numbers: HashSet<u32> =
        answers.iter().map(|answer| answer.body.trim().parse().expect("a number")).collect();
    assert_eq!(numbers, (1..=200).collect(), "two hundred different answers");
}

#[test]
fn two_hundred_parallel_writes_and_increments_are_all_kept() {
    two_hundred_of_each(1);
}

#[test]
fn two_hundred_parallel_writes_and_increments_are_all_kept_by_two_processes() {
    two_hundred_of_each(2);
}

/// A write whose body is held back: its session is opened, and its change comes later.
struct SlowWrite {
    stream: TcpStream,
}

impl SlowWrite {
    fn begin(addr: SocketAddr, cookie: &str) -> Self {
        let mut stream = TcpStream::connect(addr).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        let head = format!(
            "PUT /api/session/planted HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: 4\r\nCookie: __Host-sid={cookie}\r\n\r\n12"
        );
        stream.write_all(head.as_bytes()).expect("the head");
        Self { stream }
    }

    fn end(mut self) -> Response {
        self.stream.write_all(b"34").expect("the rest");
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).expect("an answer");
        Response::parse(&bytes)
    }
}

/// What every answer so far says about which tokens are alive.
#[derive(Default)]
struct Model {
    /// The newest token of each sid.
    newest: HashMap<String, String>,
    ended: HashSet<String>,
    /// Those whose end was answered with a removal of the cookie.
    removed: HashSet<String>,
    issued: Vec<String>,
}

impl Model {
    /// `answer` to a request that carried `cookie`.
    fn saw(&mut self, cookie: &str, answer: &Response) {
        match answer.cookie() {
            Some(removed) if removed.is_empty() => {
                assert!(self.removed.insert(sid(cookie)), "a session ends once");
                self.ended.insert(sid(cookie));
            }
            Some(issued) => {
                // A login that finds its token replaced a moment ago ends that session, and one
                // that finds it ended begins another as well.
                if !cookie.is_empty() && sid(&issued) != sid(cookie) {
                    self.ended.insert(sid(cookie));
                }
                let before = self.newest.insert(sid(&issued), issued.clone());
                let is_of_this = before.is_none_or(|before| before == cookie);
                assert!(is_of_this, "a token is replaced by the request that carries it");
                self.issued.push(issued);
            }
            None => {}
        }
    }

    fn is_alive(&self, cookie: &str) -> bool {
        !self.ended.contains(&sid(cookie))
            && self.newest.get(&sid(cookie)).is_some_and(|newest| newest == cookie)
    }
}

fn sid(cookie: &str) -> String {
    cookie[..36].to_owned()
}

fn rounds_of_logins_renewals_slow_writes_and_logouts(processes: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let demos = Demo::several(processes, folder.path());
    let mut model = Model::default();
    for round in 0..50 {
        let addr = |at: usize| demos[(at + round) % demos.len()].addr;
        let mut browser = Browser::new(addr(0));
        let first = browser.post("/api/session/first/increment");
        model.saw("", &first);
        let cookie = browser.cookie.expect("a cookie");
        let slow: Vec<_> = (0..3).map(|at| SlowWrite::begin(addr(at), &cookie)).collect();
        // A different mixture every round; without an end in every other one.
        let mut paths = vec!["/api/login", "/api/renew", "/api/renew", "/api/session/n/increment"];
        if round % 2 == 0 {
            paths.push("/api/logout");
        }
        paths.rotate_left(round % 4);
        let answers = at_once(
            paths
                .iter()
                .enumerate()
                .map(|(at, path)| -> Box<dyn FnOnce() -> Response + Send> {
                    let (mut browser, path) = (with(addr(at), &cookie), (*path).to_owned());
                    let body = if path == "/api/login" { r#"{"user":"alice"}"# } else { "" };
                    Box::new(move || browser.send("POST", &path, body))
                })
                .collect(),
        );
        for (path, answer) in paths.iter().zip(&answers) {
            assert!(matches!(answer.status, 200 | 204 | 409), "{path}: {}", answer.status);
            model.saw(&cookie, answer);
        }
        let replaced = !model.is_alive(&cookie);
        assert!(replaced, "a login, a renewal or a logout took place");
        for slow in slow {
            let answer = slow.end();
            model.saw(&cookie, &answer);
            let own = answer.cookie().is_some_and(|issued| sid(&issued) != sid(&cookie));
            assert!(answer.status == 409 || own, "a write under a dead token: {}", answer.status);
        }
        if let Some(newest) =
            model.newest.get(&sid(&cookie)).filter(|newest| model.is_alive(newest))
        {
            let planted = with(addr(1), newest).get("/api/session/planted");
            assert_eq!(planted.status, 404, "nothing of it is in the session");
        }
    }
    let mut alive = 0;
    for (at, cookie) in model.issued.iter().enumerate() {
        let answer = with(demos[at % demos.len()].addr, cookie).get("/api/session");
        let is_known = answer.body.contains(r#""new":false"#);
        assert_eq!(is_known, model.is_alive(cookie), "a token replayed at the end");
        alive += usize::from(is_known);
    }
    assert!(alive > 0 && alive < model.issued.len(), "{alive} of {} alive", model.issued.len());
}

#[test]
fn of_all_tokens_ever_issued_those_authenticate_that_should() {
    rounds_of_logins_renewals_slow_writes_and_logouts(1);
}

#[test]
fn of_all_tokens_ever_issued_by_two_processes_those_authenticate_that_should() {
    rounds_of_logins_renewals_slow_writes_and_logouts(2);
}

#[test]
fn a_logout_in_one_process_is_honoured_by_the_very_next_request_to_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let demos = Demo::several(2, folder.path());
    for round in 0..1_000 {
        let [here, there] = [round % 2, (round + 1) % 2].map(|at: usize| &demos[at]);
        let cookie = visit(here);
        let known = |demo: &Demo| {
            with(demo.addr, &cookie).get("/api/session").body.contains(r#""new":false"#)
        };
        assert!(known(there) && known(here), "both have it in their caches");
        assert_eq!(with(here.addr, &cookie).post("/api/logout").status, 204);
        assert!(!known(there), "in round {round}");
    }
}
