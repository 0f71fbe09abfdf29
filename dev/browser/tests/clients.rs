//! The demo under the cookie jars of curl and of Python's requests.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use demo_tests::{Answer, Client, Curl, Demo, Requests};
use serde_json::{Value, json};

/// A client at the demo, and the token it had after the last answer.
struct Visit<C> {
    client: C,
    site: String,
    token: Option<String>,
}

impl<C: Client> Visit<C> {
    fn new(client: C, demo: &Demo) -> Self {
        Self { client, site: demo.url(), token: None }
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let answer = self.client.send(method, &format!("{}{path}", self.site), body);
        self.token.clone_from(&answer.token);
        answer
    }

    /// Sends what must leave another token in the jar than before.
    fn change(&mut self, path: &str, body: &str) -> Answer {
        let before = self.token.clone();
        let answer = self.send("POST", path, body);
        assert!(answer.token.is_some() && answer.token != before, "{path}: {answer:?}");
        answer
    }

    fn count(&mut self) -> String {
        self.send("POST", "/api/session/n/increment", "").body
    }

    fn session(&mut self) -> Value {
        serde_json::from_str(&self.send("GET", "/api/session", "").body).expect("JSON")
    }
}

fn follows_every_change_of_its_token(client: impl Client) {
    let demo = Demo::start();
    let mut visit = Visit::new(client, &demo);
    assert_eq!(visit.send("GET", "/", "").token, None, "a visitor without data");
    assert_eq!(visit.change("/api/session/n/increment", "").body, "1");
    let token = visit.token.clone();
    assert_eq!(visit.count(), "2");
    assert_eq!(visit.token, token);
    assert_eq!(visit.change("/api/login", r#"{"user":"ada"}"#).status, 204);
    assert_eq!(visit.count(), "3");
    assert_eq!(visit.change("/api/renew", "").status, 204);
    assert_eq!(visit.count(), "4");
    // Three renewals on the way, each of which is the end of the token before it.
    let arrived = visit.change("/api/renew/2", "");
    assert_eq!((arrived.status, arrived.redirects), (200, 3));
    let session: Value = serde_json::from_str(&arrived.body).expect("JSON");
    assert_eq!((&session["principal"], &session["data"]), (&json!("ada"), &json!({"n": 4})));
    assert_eq!(visit.count(), "5");
    let left = visit.send("POST", "/api/logout", "");
    assert_eq!((left.status, left.token), (204, None));
    assert_eq!(visit.session()["new"], true);
}

fn follows_a_rotation(client: impl Client) {
    let demo = Demo::start_with(&["--rotate", "1"]);
    let mut visit = Visit::new(client, &demo);
    visit.change("/api/login", r#"{"user":"ada"}"#);
    let first = visit.token.clone();
    // As often as it takes until the server thinks the token old enough.
    let mut asked = 0;
    while visit.token == first {
        assert_eq!(visit.session()["principal"], "ada");
        asked += 1;
        assert!(asked < 20_000, "the token is never rotated");
    }
    assert!(visit.token.is_some());
    assert_eq!(visit.session()["principal"], "ada");
    assert_eq!(visit.count(), "1");
}

#[test]
fn curl_follows_every_change_of_its_token() {
    follows_every_change_of_its_token(Curl::new());
}

#[test]
fn requests_follows_every_change_of_its_token() {
    follows_every_change_of_its_token(Requests::new());
}

#[test]
fn curl_follows_a_rotation() {
    follows_a_rotation(Curl::new());
}

#[test]
fn requests_follows_a_rotation() {
    follows_a_rotation(Requests::new());
}

#[test]
fn what_curl_keeps_is_for_this_host_over_tls_and_for_no_script() {
    let demo = Demo::start();
    let mut visit = Visit::new(Curl::new(), &demo);
    visit.count();
    let cookie = visit.client.cookie().expect("a cookie");
    // Host, subdomains, path, TLS only.
    assert_eq!(cookie[..4], ["#HttpOnly_localhost", "FALSE", "/", "TRUE"]);
    assert!(cookie[4].parse::<u64>().expect("an instant") > 0, "it has an end");
}

#[test]
fn a_jar_copied_before_a_renewal_is_worth_nothing_after_it() {
    let demo = Demo::start();
    let mut visit = Visit::new(Curl::new(), &demo);
    visit.change("/api/login", r#"{"user":"ada"}"#);
    let mut stolen = Visit::new(visit.client.copy(), &demo);
    assert_eq!(stolen.session()["principal"], "ada");
    visit.change("/api/renew/1", "");
    assert_eq!(stolen.session()["new"], true);
    assert_eq!(visit.session()["principal"], "ada");
}
