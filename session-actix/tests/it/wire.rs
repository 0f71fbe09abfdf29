//! What is read from the `Cookie` header, over real connections.

use actix_web::web;
use session_actix::{Result, Session};

use crate::support::{Browser, Faulty, Server, exchange, sessions};

const NAME: &str = "__Host-sid";

async fn show(session: Session) -> Result<String> {
    Ok(session.get::<String>("who")?.unwrap_or_else(|| "nobody".to_owned()))
}

async fn store(session: Session, who: web::Path<String>) -> Result<String> {
    session.insert("who", who.into_inner())?;
    Ok("stored".to_owned())
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/", web::get().to(show))
        .route("/form", web::post().to(show))
        .route("/store/{who}", web::post().to(store))
        .route("/plain", web::get().to(async || "ok"))
        .route(
            "/end",
            web::post().to(async |session: Session| session.destroy().await.map(|()| "")),
        );
}

fn start() -> (Faulty, Server) {
    let manager = Faulty::default();
    let server = Server::start(sessions(&manager), routes);
    (manager, server)
}

/// The cookie value of a session that holds `who`.
fn cookie_of(server: &Server, who: &str) -> String {
    let mut browser = Browser::new(server.addr);
    assert_eq!(browser.post(&format!("/store/{who}")).status, 200);
    browser.cookie.expect("a session was begun")
}

/// Who the handler sees, sent one `Cookie` field of these bytes. Nothing may be sent back.
fn seen(server: &Server, cookie: &[u8]) -> String {
    let response = Browser::new(server.addr).send_with("GET", "/", cookie, "");
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(cookie));
    assert_eq!(response.header("set-cookie"), None);
    response.body
}

#[test]
fn a_visitor_without_a_cookie_leaves_nothing_and_is_sent_nothing() {
    let (manager, server) = start();
    assert_eq!(seen(&server, b""), "nobody");
    assert_eq!(Browser::new(server.addr).post("/end").header("set-cookie"), None);
    assert_eq!((manager.calls(), manager.len()), (0, 0));
}

#[test]
fn a_handler_without_the_session_costs_nothing_and_says_nothing() {
    let (manager, server) = start();
    let mut browser = Browser::new(server.addr);
    browser.cookie = Some(cookie_of(&server, "ada"));
    let before = manager.calls();
    let response = browser.get("/plain");
    assert_eq!((response.status, &*response.body), (200, "ok"));
    for header in ["set-cookie", "vary", "cache-control"] {
        assert_eq!(response.header(header), None);
    }
    assert_eq!(manager.calls(), before);
}

#[test]
fn what_is_no_cookie_of_ours_never_reaches_the_store() {
    let (manager, server) = start();
    let good = cookie_of(&server, "ada");
    let (sid, token) = good.split_once('!').unwrap();
    let before = manager.calls();
    let long = "x".repeat(4096);
    for value in [
        "",
        "\"\"",
        "!",
        "!!",
        "a!",
        "!b",
        "abc",
        sid,
        token,
        &format!("{sid}!"),
        &format!("!{token}"),
        &format!("{sid}!!{token}"),
        &format!("{sid}!{token}!"),
        &format!("{sid}{token}"),
        &format!("{token}!{sid}"),
        &format!("{}!{token}", sid.to_uppercase()),
        &format!("{}!{token}", sid.replace('-', "")),
        &format!("{{{sid}}}!{token}"),
        &format!("urn:uuid:{sid}!{token}"),
        &format!("{sid}!{token}="),
        &format!("{sid}!{}", &token[1..]),
        &format!("{sid}!{}", &token[..token.len() - 1]),
        &format!("{sid}!{token}A"),
        &format!("{sid}!{}", "A".repeat(token.len())),
        &format!("{sid}%21{token}"),
        &format!("\"{good}\""),
        &format!("{good}\t{good}"),
        &format!("{good},{good}"),
        "../../etc/passwd",
        "/etc/passwd!x",
        "..%2f..%2fetc%2fpasswd",
        "....//....//etc/passwd",
        "\\\\server\\share!x",
        "C:x",
        "CON",
        &format!("{sid}/../{sid}!{token}"),
        &format!("../{sid}!{token}"),
        &format!("{sid}.!{token}"),
        "00000000-0000-0000-0000-000000000000!AAAA",
        &long,
        &format!("{good}{long}"),
    ] {
        let cookie = format!("{NAME}={value}");
        assert_eq!(seen(&server, cookie.as_bytes()), "nobody", "{value}");
    }
    for value in [&b"\xff\xfe"[..], b"\x80", b"a\xc3\x28!b", b"\xf0\x9f\x92\xa9!\xe2\x80\x80"] {
        assert_eq!(seen(&server, &[b"__Host-sid=", value].concat()), "nobody");
    }
    assert_eq!(manager.calls(), before);
    assert_eq!(seen(&server, format!("{NAME}={good}").as_bytes()), "ada");
}

#[test]
fn control_bytes_are_refused_and_the_server_goes_on() {
    let (manager, server) = start();
    let good = cookie_of(&server, "ada");
    let before = manager.calls();
    for byte in [0_u8, 1, 0x1f, 0x7f] {
        let mut cookie = format!("{NAME}={good}").into_bytes();
        cookie.push(byte);
        let response = Browser::new(server.addr).send_with("GET", "/", &cookie, "");
        let refused = response.status == 400 || response.body == "nobody";
        assert!(refused && response.status < 500, "{byte}: {response:?}");
    }
    assert_eq!(manager.calls(), before);
    assert_eq!(seen(&server, format!("{NAME}={good}").as_bytes()), "ada");
}

#[test]
fn a_cookie_with_any_character_changed_is_refused_unasked() {
    let (manager, server) = start();
    let good = cookie_of(&server, "ada");
    let before = manager.calls();
    for at in 0..good.len() {
        let mut changed = good.clone().into_bytes();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        let cookie = [b"__Host-sid=", &changed[..]].concat();
        assert_eq!(seen(&server, &cookie), "nobody", "character {at}");
    }
    assert_eq!(manager.calls(), before);
}

#[test]
fn no_other_name_passes_for_ours() {
    let (_manager, server) = start();
    let (good, evil) = (cookie_of(&server, "good"), cookie_of(&server, "evil"));
    for prefix in [
        "\u{2000}__Host-sid",
        "\u{85}__Host-sid",
        "\u{a0}__Host-sid",
        "\u{1680}__Host-sid",
        "\u{2028}__Host-sid",
        "\u{3000}__Host-sid",
        "\u{200b}__Host-sid",
        "%5F%5FHost-sid",
        "__%48ost-sid",
        "__host-sid",
        "=__Host-sid",
        "$Version=1,__Host-sid",
        "__Host-sid ",
    ] {
        let planted = format!("{prefix}={evil}");
        assert_eq!(seen(&server, planted.as_bytes()), "nobody", "{prefix}");
        let before = format!("{planted}; {NAME}={good}");
        assert_eq!(seen(&server, before.as_bytes()), "good", "{prefix}");
        let after = format!("{NAME}={good}; {planted}");
        assert_eq!(seen(&server, after.as_bytes()), "good", "{prefix}");
    }
}

#[test]
fn cookies_of_others_may_hold_any_bytes() {
    let (_manager, server) = start();
    let good = format!("{NAME}={}", cookie_of(&server, "ada"));
    for junk in [&b"junk=\xff\xfe"[..], b"\xff", b"junk", b"junk=%ff", b"=", b"", b"a=\"b; c\""] {
        assert_eq!(seen(&server, &[junk, b"; ", good.as_bytes()].concat()), "ada");
        assert_eq!(seen(&server, &[good.as_bytes(), b";", junk].concat()), "ada");
    }
}

#[test]
fn all_cookie_fields_are_read() {
    let (_manager, server) = start();
    let good = cookie_of(&server, "ada");
    for fields in [
        format!("Cookie: a=b\r\nCookie: {NAME}={good}\r\nCookie: c=d\r\n").into_bytes(),
        [b"Cookie: junk=\xff\r\nCookie: ", NAME.as_bytes(), b"=", good.as_bytes(), b"\r\n"]
            .concat(),
    ] {
        let head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
        let response = exchange(server.addr, &[&head[..], &fields, b"\r\n"].concat());
        assert_eq!(response.body, "ada");
    }
}

#[test]
fn of_several_cookies_of_our_name_the_genuine_one_counts() {
    let (manager, server) = start();
    let good = format!("{NAME}={}", cookie_of(&server, "ada"));
    let bad = format!("{NAME}=planted");
    assert_eq!(seen(&server, format!("{good}; {bad}").as_bytes()), "ada");
    assert_eq!(seen(&server, format!("{bad}; {good}").as_bytes()), "ada");
    assert_eq!(seen(&server, format!("{good}; {good}").as_bytes()), "ada");
    // Work is bounded: what comes after many others is not looked at.
    let before = manager.calls();
    let many = format!("{bad}; ").repeat(100);
    assert_eq!(seen(&server, format!("{many}{good}").as_bytes()), "nobody");
    assert_eq!(manager.calls(), before);
}

#[test]
fn two_genuine_cookies_of_different_sessions_mean_none() {
    let (_manager, server) = start();
    let ada = format!("{NAME}={}", cookie_of(&server, "ada"));
    let eve = format!("{NAME}={}", cookie_of(&server, "eve"));
    assert_eq!(seen(&server, format!("{ada}; {eve}").as_bytes()), "nobody");
    assert_eq!(seen(&server, format!("{eve}; {ada}").as_bytes()), "nobody");
    // And neither was harmed.
    assert_eq!(seen(&server, ada.as_bytes()), "ada");
    assert_eq!(seen(&server, eve.as_bytes()), "eve");
}

#[test]
fn a_session_is_taken_from_the_cookie_only() {
    let (manager, server) = start();
    let good = cookie_of(&server, "ada");
    let before = manager.calls();
    let browser = Browser::new(server.addr);
    assert_eq!(browser.send_with("GET", &format!("/?{NAME}={good}"), b"", "").body, "nobody");
    assert_eq!(browser.send_with("POST", "/form", b"", &format!("{NAME}={good}")).body, "nobody");
    let head = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{NAME}: {good}\r\n\
         Authorization: Bearer {good}\r\nSet-Cookie: {NAME}={good}\r\n\r\n"
    );
    assert_eq!(exchange(server.addr, head.as_bytes()).body, "nobody");
    assert_eq!(manager.calls(), before);
}

#[test]
fn a_genuine_cookie_of_a_session_that_ended_is_a_visitor_without_one() {
    let (_manager, server) = start();
    let mut browser = Browser::new(server.addr);
    browser.cookie = Some(cookie_of(&server, "ada"));
    let kept = browser.clone();
    let removal = browser.post("/end");
    assert_eq!(
        removal.header("set-cookie"),
        Some("__Host-sid=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax")
    );
    // Who kept the cookie is sent nothing: the removal might hit a newer one.
    let cookie = format!("{NAME}={}", kept.cookie.unwrap());
    assert_eq!(seen(&server, cookie.as_bytes()), "nobody");
    // What such a visitor stores goes into a session of its own.
    let response = kept_store(&server, cookie.as_bytes());
    let (old, new) = (cookie.split('!').next().unwrap(), response.cookie().unwrap());
    assert!(!new.starts_with(old.trim_start_matches("__Host-sid=")));
}

fn kept_store(server: &Server, cookie: &[u8]) -> crate::support::Response {
    Browser::new(server.addr).send_with("POST", "/store/eve", cookie, "")
}

#[test]
fn a_huge_head_is_refused_and_many_cookies_are_not() {
    let (_manager, server) = start();
    let good = format!("{NAME}={}", cookie_of(&server, "ada"));
    let many = "c=v; ".repeat(500);
    assert_eq!(seen(&server, format!("{many}{good}").as_bytes()), "ada");
    let long = format!("x={}; ", "y".repeat(64 * 1024));
    let response =
        Browser::new(server.addr).send_with("GET", "/", format!("{long}{good}").as_bytes(), "");
    assert!(response.status < 500, "{}", response.status);
}
