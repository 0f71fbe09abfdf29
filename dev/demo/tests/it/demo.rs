//! The demo as it is started: another process, killed and started again.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use testkit::{Browser, Demo};

use crate::tls::exchange_over_tls;

/// Files in the folders of a store. Those beside the folders are the store's own: a sweep notes
/// there when it began.
fn files(store: &Path) -> usize {
    fn count(folder: &Path, own: usize) -> usize {
        let entries =
            std::fs::read_dir(folder).expect("a folder").map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { count(&path, 1) } else { own }).sum()
    }
    count(store, 0)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[test]
fn the_count_goes_on_after_kill_9_and_a_restart() {
    let folder = TempDir::new().unwrap();
    let mut browser = Browser { cookie: None, ..Demo::start(folder.path(), &[]).browser() };
    for expected in 1..=3 {
        let mut demo = Demo::start(folder.path(), &[]);
        browser.addr = demo.addr;
        let count = browser.post("/api/session/visits/increment");
        assert_eq!((count.status, &*count.body), (200, &*expected.to_string()));
        demo.kill();
    }
    let mode = std::fs::metadata(folder.path().join("key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn ten_thousand_visitors_without_a_cookie_leave_no_file() {
    const EACH: usize = 10_000;
    const CONNECTIONS: usize = 8;
    let folder = TempDir::new().unwrap();
    let demo = Demo::start(folder.path(), &[]);
    // A first session, so that the store has made all it keeps besides sessions.
    demo.browser().post("/api/session/visits/increment");
    let before = files(&folder.path().join("sessions"));
    assert!(before > 0, "that first session has a file");
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            let addr = demo.addr;
            scope.spawn(move || {
                for request in ["GET /", "GET /api/session", "POST /api/logout"] {
                    strangers(addr, request, EACH / CONNECTIONS);
                }
            });
        }
    });
    assert_eq!(files(&folder.path().join("sessions")), before);
}

/// Sends a request so many times over one connection, each without a cookie.
fn strangers(addr: SocketAddr, request: &str, times: usize) {
    use std::io::{Read, Write};

    let mut stream = std::net::TcpStream::connect(addr).unwrap();
    let text = format!("{request} HTTP/1.1\r\nHost: {addr}\r\nContent-Length: 0\r\n\r\n");
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    for _ in 0..times {
        stream.write_all(text.as_bytes()).unwrap();
        let (mut length, mut line) = (0, String::new());
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 20"), "{line}");
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
            let field = line.to_lowercase();
            assert!(!field.starts_with("set-cookie"), "{request}: {line}");
            if let Some(value) = field.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
    }
}

#[test]
fn the_api_does_what_it_says() {
    let folder = TempDir::new().unwrap();
    let demo = Demo::start(folder.path(), &["--coherence", "exclusive"]);
    let mut browser = demo.browser();
    assert_eq!(browser.get("/plain").body, "ok");
    let css = browser.get("/static/style.css");
    assert!(css.header("content-type").unwrap().starts_with("text/css"));
    let session = json(&browser.get("/api/session").body);
    assert_eq!(
        session,
        json!({"new": true, "permanent": false, "principal": null, "created_at": null,
            "expires_at": null, "data": {}})
    );
    assert_eq!(browser.get("/api/session/a").status, 404);
    assert_eq!(browser.send("PUT", "/api/session/a", "{\"b\":[1,2.5,null,\"é\"]}").status, 204);
    assert_eq!(browser.send("PUT", "/api/session/a", "no json").status, 400);
    assert_eq!(json(&browser.get("/api/session/a").body), json!({"b": [1, 2.5, null, "é"]}));
    assert_eq!(browser.post("/api/session/a/increment").status, 422);
    assert_eq!(browser.post("/api/session/n/increment").body, "1");
    assert_eq!(browser.post("/api/session/n/increment").body, "2");
    assert_eq!(browser.send("DELETE", "/api/session/a", "").status, 204);
    let session = json(&browser.get("/api/session").body);
    assert_eq!((&session["new"], &session["data"]), (&json!(false), &json!({"n": 2})));
    for time in ["created_at", "expires_at"] {
        let text = session[time].as_str().unwrap();
        assert!(text.len() >= 20 && text.contains('T') && text.ends_with('Z'), "{text}");
    }
    let mut before = browser.clone();
    assert_eq!(browser.post("/api/renew").status, 204);
    assert_ne!(before.cookie, browser.cookie);
    assert_eq!(json(&before.get("/api/session").body)["new"], true);
    assert_eq!(browser.get("/api/session/n").body, "2");
    assert_eq!(browser.send("POST", "/api/login", "{\"user\":\"\"}").status, 400);
    let big = format!("\"{}\"", "x".repeat(70_000));
    assert_eq!(browser.send("PUT", "/api/session/big", &big).status, 413);
}

#[test]
fn a_user_sees_and_ends_their_own_sessions_and_no_others() {
    let folder = TempDir::new().unwrap();
    let demo = Demo::start(folder.path(), &[]);
    let log_in = |user: &str| {
        let mut browser = demo.browser();
        let body = json!({"user": user, "remember": user == "ada"}).to_string();
        assert_eq!(browser.send("POST", "/api/login", &body).status, 204);
        browser
    };
    let (mut here, mut there, mut eve) = (log_in("ada"), log_in("ada"), log_in("eve"));
    let session = json(&here.get("/api/session").body);
    assert_eq!((&session["principal"], &session["permanent"]), (&json!("ada"), &json!(true)));
    let list = json(&here.get("/api/sessions").body);
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 2);
    let id_of = |current: bool| {
        let it = list.iter().find(|it| it["current"] == current).unwrap();
        format!("/api/sessions/{}", it["id"].as_str().unwrap())
    };
    assert_eq!(eve.send("DELETE", &id_of(false), "").status, 404);
    assert_eq!(here.send("DELETE", "/api/sessions/nothing", "").status, 404);
    assert_eq!(here.send("DELETE", &id_of(false), "").status, 204);
    assert_eq!(here.send("DELETE", &id_of(false), "").status, 404);
    assert_eq!(json(&there.get("/api/session").body)["new"], true);
    log_in("ada");
    assert_eq!(json(&here.send("DELETE", "/api/sessions", "").body), json!({"revoked": 1}));
    assert_eq!(json(&eve.get("/api/sessions").body).as_array().unwrap().len(), 1);
    assert_eq!(here.post("/api/logout").status, 204);
    assert_eq!(here.cookie, None);
    assert_eq!(json(&here.get("/api/sessions").body), json!([]));
}

#[test]
fn two_processes_on_one_folder_honour_each_others_logout() {
    let folder = TempDir::new().unwrap();
    let (one, two) = (Demo::start(folder.path(), &[]), Demo::start(folder.path(), &[]));
    let mut browser = one.browser();
    assert_eq!(browser.post("/api/session/n/increment").body, "1");
    let mut other = Browser { addr: two.addr, ..browser.clone() };
    assert_eq!(other.post("/api/session/n/increment").body, "2");
    assert_eq!(browser.post("/api/session/n/increment").body, "3");
    assert_eq!(other.post("/api/logout").status, 204);
    assert_eq!(json(&browser.get("/api/session").body)["new"], true);
}

/// The hidden fields of the first form on the page that does `action`.
fn form(page: &str, action: &str) -> String {
    let form = page.split("<form").find(|form| form.contains(&format!("/do/{action}")));
    let form = form.unwrap_or_else(|| panic!("no form for {action}"));
    let form = form.split("</form>").next().unwrap();
    let value = |input: &str, name: &str| {
        let start = input.split(&format!("{name}=")).nth(1)?.trim_start_matches('"');
        Some(start.split(['"', ' ', '>']).next()?.to_owned())
    };
    let inputs = form.split("<input").skip(1).filter(|input| input.contains("type=hidden"));
    inputs
        .filter_map(|input| Some(format!("{}={}", value(input, "name")?, value(input, "value")?)))
        .collect::<Vec<_>>()
        .join("&")
}

fn submit(browser: &mut Browser, action: &str, fields: &str) -> (u16, String) {
    let request = format!(
        "POST /do/{action} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nCookie: {}\r\n\r\n{fields}",
        browser.addr,
        fields.len(),
        browser.cookie.as_ref().map_or("a=b".to_owned(), |it| format!("__Host-sid={it}")),
    );
    let response = testkit::exchange(browser.addr, request.as_bytes());
    if let Some(value) = response.cookie() {
        browser.cookie = Some(value).filter(|value| !value.is_empty());
    }
    (response.status, response.header("location").unwrap_or_default().to_owned())
}

#[test]
fn the_page_works_by_forms_alone() {
    let folder = TempDir::new().unwrap();
    let demo = Demo::start(folder.path(), &[]);
    let mut browser = demo.browser();
    let back = |to: &str| (303, to.to_owned());
    let page = browser.get("/");
    assert!(page.body.contains("Count my visits") && page.cookie().is_none());
    assert_eq!(submit(&mut browser, "visit", &form(&page.body, "visit")), back("/"));
    assert!(browser.get("/").body.contains("<output>1</output>"));
    let page = browser.get("/").body;
    assert!(page.contains("<output>2</output>"));
    assert_eq!(submit(&mut browser, "add", &form(&page, "add")), back("/"));
    // The same form again, as by a double click: nothing happens but a notice, shown once.
    assert_eq!(submit(&mut browser, "add", &form(&page, "add")), back("/"));
    let page = browser.get("/").body;
    assert!(page.contains("sent already") && page.matches("<li><span>apple").count() == 1);
    let page_after = browser.get("/").body;
    assert!(!page_after.contains("sent already"));
    // A page that was open all the time still works.
    let login = format!("{}&user=%3Cb%3Eada%3C%2Fb%3E&remember=on", form(&page, "login"));
    let before = browser.cookie.clone();
    assert_eq!(submit(&mut browser, "login", &login), back("/"));
    assert_ne!(browser.cookie, before);
    let page = browser.get("/").body;
    assert!(page.contains("&lt;b&gt;ada&lt;/b&gt;") && !page.contains("<b>ada"));
    assert!(page.contains("This browser") && page.contains("<li><span>apple"));
    // Another site cannot send the form: it does not know the token.
    assert_eq!(submit(&mut browser, "logout", "token=1.0123"), back("/"));
    assert_eq!(submit(&mut browser, "logout", ""), back("/"));
    assert!(browser.get("/").body.contains("Logged in"));
    let page = browser.get("/").body;
    assert_eq!(submit(&mut browser, "logout", &form(&page, "logout")), back("/?left"));
    assert_eq!(browser.cookie, None);
    assert!(browser.get("/?left").body.contains("logged out"));
}

#[test]
fn a_change_that_another_site_asks_for_is_refused() {
    let folder = TempDir::new().unwrap();
    let demo = Demo::start(folder.path(), &[]);
    for (field, status) in [
        ("Sec-Fetch-Site: cross-site", 403),
        ("Sec-Fetch-Site: same-site", 403),
        ("Origin: https://evil.example", 403),
        ("Origin: null", 403),
        ("Sec-Fetch-Site: same-origin", 204),
        (&*format!("Origin: http://{}", demo.addr), 204),
    ] {
        let body = "{\"user\":\"eve\"}";
        let request = format!(
            "POST /api/login HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{field}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            demo.addr,
            body.len()
        );
        let response = testkit::exchange(demo.addr, request.as_bytes());
        assert_eq!(response.status, status, "{field}");
        assert_eq!(response.cookie().is_some(), status == 204, "{field}");
    }
}

#[test]
fn sigterm_ends_it_cleanly_and_sessions_go_on() {
    let folder = TempDir::new().unwrap();
    let mut demo = Demo::start(folder.path(), &["--cache", "0"]);
    let mut browser = demo.browser();
    assert_eq!(browser.post("/api/session/n/increment").body, "1");
    assert_eq!(demo.terminate(), Some(0));
    let demo = Demo::start(folder.path(), &["--cache=0"]);
    browser.addr = demo.addr;
    assert_eq!(browser.post("/api/session/n/increment").body, "2");
}

#[test]
fn what_it_cannot_be_started_with_is_an_error_that_says_so() {
    let folder = TempDir::new().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "short").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let key = key.display().to_string();
    for (flags, expected) in [
        (&["--nonsense"][..], "--nonsense"),
        (&["--store", "redis:x"], "fs:DIR"),
        (&["--workers", "0"], "whole number"),
        (&["--idle", "0", "--store", "memory", "--key-file", "/proc/x/key"], "key file"),
        (&["--store", "memory", "--key-file", &key], "at least 32"),
    ] {
        let output = Command::new(testkit::demo()).args(flags).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(expected), "{flags:?}: {said}");
    }
}

#[test]
fn it_speaks_tls_under_a_certificate_of_its_own() {
    let folder = TempDir::new().unwrap();
    let demo = Demo::start(folder.path(), &["--tls", "--store", "memory"]);
    let post = |cookie: &str| {
        let request = format!(
            "POST /api/session/n/increment HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Length: 0\r\nCookie: __Host-sid={cookie}\r\n\r\n"
        );
        exchange_over_tls(demo.addr, request.as_bytes())
    };
    let first = post("");
    assert_eq!((first.status, &*first.body), (200, "1"));
    assert_eq!(post(&first.cookie().expect("a new session")).body, "2");
}

#[test]
fn without_secure_the_cookie_has_another_name() {
    let folder = TempDir::new().unwrap();
    let demo = Demo::start(folder.path(), &["--insecure-cookie", "--lifetime=3600", "--idle=60"]);
    let response = demo.browser().post("/api/session/n/increment");
    let cookie = response.header("set-cookie").expect("a new session");
    assert!(cookie.starts_with("sid="), "{cookie}");
    assert!(cookie.ends_with("; Max-Age=3600; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
}
