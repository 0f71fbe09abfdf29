//! What is logged, at every level, and what must never be.

use std::{
    env,
    fmt::{Debug, Write},
    process::Command,
    sync::{Arc, Mutex},
};

use actix_web::{App, test, web};
use session_actix::{Result, Session, testing::Visitor};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use crate::support::{Faulty, Mode, builder, ok, sessions};

/// Writes down every field of every event and span.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(self.0, "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Line(&mut self.0.lock().unwrap()));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

async fn act(session: Session, what: web::Path<String>) -> Result<String> {
    match what.as_str() {
        "login" => session.bind("secret-user").await?,
        "renew" => session.renew()?,
        "end" => session.destroy().await?,
        "wrong" => drop(session.get::<u32>("named-key")?),
        _ => session.insert("named-key", "secret-value")?,
    }
    ok(String::new())
}

/// Set in a process that runs one test alone.
const ALONE: &str = "SESSION_ACTIX_TEST_ALONE";

/// Runs the test called `name` in a process of its own; says whether this is that process.
///
/// Whether a place that logs is listened to is remembered for all threads when it is first met, and
/// a test that meets it at the same time may have the last word.
fn is_alone(name: &str) -> bool {
    if env::var_os(ALONE).is_some() {
        return true;
    }
    let mut alone = Command::new(env::current_exe().unwrap());
    let output = alone.args(["--exact", name]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

#[actix_web::test]
async fn a_session_that_begins_outside_of_its_cookies_path_is_warned_of_once() {
    if !is_alone("logs::a_session_that_begins_outside_of_its_cookies_path_is_warned_of_once") {
        return;
    }
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let sessions = builder(&Faulty::default()).cookie_name("sid").path("/foo").build().unwrap();
    let app = App::new().wrap(sessions).route("/{what}", web::get().to(act));
    let app = test::init_service(app).await;
    let warnings = || recorder.0.lock().unwrap().matches("outside of the cookie's path").count();
    let mut seen = Vec::new();
    for path in ["/foo", "/read", "/bar", "/foobar"] {
        test::call_service(&app, test::TestRequest::with_uri(path).to_request()).await;
        seen.push(warnings());
    }
    assert_eq!(seen, [0, 1, 1, 1]);
}

#[actix_web::test]
async fn logs_tell_what_happened_and_never_to_whom() {
    if !is_alone("logs::logs_tell_what_happened_and_never_to_whom") {
        return;
    }
    let recorder = Recorder::default();
    let _guard = tracing::subscriber::set_default(recorder.clone());
    let manager = Faulty::default();
    let sessions = sessions(&manager);
    let app = App::new().wrap(sessions.clone()).route("/{what}", web::get().to(act));
    let app = test::init_service(app).await;
    let mut visitor =
        Visitor::with(&sessions, async |session| session.insert("named-key", "v")).await.unwrap();
    let mut cookies = Vec::new();
    let steps = ["/write", "/login", "/wrong", "/renew", "/down", "/up", "/end", "/stale"];
    for step in steps {
        manager.set(if step == "/down" { Mode::Fails } else { Mode::Works });
        let (name, value) = visitor.cookie();
        cookies.push(value.to_str().unwrap().to_owned());
        let request = test::TestRequest::with_uri(step).insert_header((name, value));
        let response = test::call_service(&app, request.to_request()).await;
        visitor.follow(response.headers());
    }
    let forged = cookies[0].replace('!', "!A");
    for cookie in [&*forged, &cookies[0]] {
        let request = test::TestRequest::with_uri("/write").insert_header(("cookie", cookie));
        test::call_service(&app, request.to_request()).await;
    }
    let log = recorder.0.lock().unwrap().clone();
    for event in ["rejected", "store_error", "destroyed", "Unavailable", "Codec"] {
        assert!(log.contains(event), "{event} in {log}");
    }
    assert!(!log.contains("secret"), "{log}");
    for cookie in &cookies {
        for part in cookie.split(['=', '!']).skip(1).filter(|part| !part.is_empty()) {
            assert!(!log.contains(part), "{log}");
        }
    }
}
