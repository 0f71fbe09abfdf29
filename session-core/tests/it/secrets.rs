//! Nothing that identifies a session or a user is in a log, an error or `Debug`, at any level.

use std::{
    collections::BTreeSet,
    env,
    fmt::{self, Write},
    process::Command,
    sync::{Arc, Mutex},
};

use session_core::{
    CookieAction, Cursor, ErrorKind, KeyRing, PrincipalTag, SessionHandle, SessionId,
    SessionInterface, SessionManager, Watch,
};
use tracing::{
    Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::{
    lab::{IDLE, Instead, Lab, secret, sent, sha256},
    memory::block_on,
};

/// Takes down everything that is logged.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, " {}={value:?}", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, " {}={value}", field.name());
    }
}

impl Tape {
    fn take_down(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Line)) {
        let mut line = Line(format!("{} {}", metadata.target(), metadata.name()));
        record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
}

impl Subscriber for Tape {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        self.take_down(span.metadata(), |line| span.record(line));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        let mut line = Line(String::new());
        values.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        self.take_down(event.metadata(), |line| event.record(line));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Every cookie that was sent.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn keep(&mut self, cookie: Option<String>) -> String {
        self.0.push(cookie.unwrap());
        self.0.last().unwrap().clone()
    }

    /// `shown` holds no part of a cookie that could be looked for, in any form it might be shown.
    fn assert_are_not_in(&self, shown: &str) {
        assert!(!shown.contains("FINDME") && !shown.contains("70, 73, 78, 68"), "{shown}");
        let lower = shown.to_lowercase();
        for cookie in &self.0 {
            let (sid, token) = cookie.split_once('!').unwrap();
            let hex = sid.replace('-', "");
            let bytes = *SessionId::parse(sid.as_bytes()).unwrap().as_bytes();
            let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
            for part in token.as_bytes().windows(8).map(|part| str::from_utf8(part).unwrap()) {
                assert!(!shown.contains(part), "a part of a token: {shown}");
            }
            for part in hex.as_bytes().windows(10).map(|part| str::from_utf8(part).unwrap()) {
                assert!(!lower.contains(part), "a part of a sid: {shown}");
            }
            assert!(!lower.contains(&sid[..18]) && !lower.contains(&sid[19..]), "{shown}");
            for part in numbers.windows(4) {
                assert!(!shown.contains(&part.join(", ")), "a sid as numbers: {shown}");
            }
        }
        let numbers: Vec<String> = secret(1).iter().map(u8::to_string).collect();
        assert!(!shown.contains(&numbers[..4].join(", ")), "the secret: {shown}");
    }
}

/// Lets everything happen that can happen to a session.
fn live_through_everything(lab: &Lab, secrets: &mut Secrets) {
    let fill = |session: &session_core::ManagedSession| {
        session.insert("profile", "FINDME-value").unwrap();
        session.set_label(Some("FINDME-label")).unwrap();
    };
    let session = lab.open_all(&[]);
    fill(&session);
    let visitor = secrets.keep(sent(&session));
    let session = lab.open(&visitor);
    block_on(session.bind("FINDME-principal")).unwrap();
    let user = secrets.keep(sent(&session));
    // Every change of privilege, and a session too many.
    let session = lab.open(&user);
    block_on(session.bind("FINDME-principal")).unwrap();
    block_on(session.bind("FINDME-other")).unwrap();
    block_on(session.unbind(&["profile"])).unwrap();
    session.renew().unwrap();
    block_on(session.save()).unwrap();
    fill(&session);
    block_on(session.bind("FINDME-principal")).unwrap();
    let user = secrets.keep(sent(&session));
    let limited = Lab::with(sha256(1), |builder| builder.max_new_sessions_per_second(1));
    for _ in 0..2 {
        let session = limited.open_all(&[]);
        fill(&session);
        if let Err(error) = block_on(session.finish()) {
            secrets.assert_are_not_in(&format!("{error} {error:?}"));
        }
    }
    // Stale, forged, malformed, too many.
    lab.open(&visitor);
    lab.open(format!("{}!{}", &user[..36], "A".repeat(64)));
    lab.open_all(&[b"FINDME".as_slice(); 9]);
    // Rotated, then signed and sealed again.
    lab.clock.advance(IDLE / 10);
    let user = secrets.keep(sent(&lab.open(&user)));
    lab.server.replace_keys(KeyRing::new(sha256(2)).retired(sha256(1))).unwrap();
    let user = secrets.keep(sent(&lab.open(&user)));
    // Two requests at once: a conflict.
    let [first, second] = [lab.open(&user), lab.open(&user)];
    first.insert("FINDME-first", &1).unwrap();
    second.insert("FINDME-second", &2).unwrap();
    sent(&first);
    sent(&second);
    // Errors of every kind a handler may meet.
    let session = lab.open(&user);
    let errors = [
        session.get::<u32>("profile").unwrap_err(),
        session.insert("FINDME-huge", &"FINDME".repeat(20_000)).unwrap_err(),
        block_on(session.bind("")).unwrap_err(),
        block_on(session.update("profile", |before: Option<u32>| before.unwrap_or(0))).unwrap_err(),
    ];
    for error in errors {
        secrets.assert_are_not_in(&format!("{error} {error:?} {error:#?}"));
    }
    // Abandoned, lost, and gone by a revocation.
    session.insert("FINDME-lost", &1).unwrap();
    drop(session);
    let session = lab.open(&user);
    sent(&session);
    block_on(session.save()).unwrap();
    session.insert("FINDME-lost", &1).unwrap();
    drop(session);
    let [session, late] = [lab.open(&user), lab.open(&user)];
    session.insert("FINDME-late", &1).unwrap();
    assert_eq!(block_on(lab.server.revoke_all("FINDME-principal", None)).unwrap(), 1);
    let error = block_on(session.finish()).unwrap_err();
    secrets.assert_are_not_in(&format!("{error} {error:?}"));
    let error = block_on(late.update("FINDME", |_: Option<u32>| 1)).unwrap_err();
    secrets.assert_are_not_in(&format!("{error} {error:?}"));
    // Ambiguous, expired, destroyed; the store fails.
    let [mine, planted] = [(); 2].map(|()| {
        let session = lab.open_all(&[]);
        fill(&session);
        secrets.keep(sent(&session))
    });
    lab.open_all(&[mine.as_bytes(), planted.as_bytes()]);
    block_on(lab.open(&planted).destroy()).unwrap();
    for kind in [ErrorKind::Unavailable, ErrorKind::Corrupt, ErrorKind::Unsupported] {
        lab.breaks(Instead::Fails(kind));
        let opened = block_on(lab.server.open([mine.as_bytes()]));
        secrets.assert_are_not_in(&format!("{opened:?}"));
    }
    lab.breaks(Instead::Returns(lab.only_record()));
    lab.clock.advance(IDLE);
    lab.open(&mine);
}

fn lab() -> Lab {
    Lab::with(sha256(1), |builder| builder.rotate_every(IDLE / 20))
}

/// Set in a process that runs one test alone.
const ALONE: &str = "SESSION_CORE_TEST_ALONE";

#[test]
fn no_log_line_at_any_level_tells_who_or_what() {
    // Whether a place that logs is listened to is remembered for all threads when it is first met,
    // and a test that meets it at the same time may have the last word.
    if env::var_os(ALONE).is_none() {
        let mut alone = Command::new(env::current_exe().unwrap());
        alone.args(["--exact", "secrets::no_log_line_at_any_level_tells_who_or_what"]);
        let output = alone.env(ALONE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let (lab, tape) = (lab(), Tape::default());
    let mut secrets = Secrets::default();
    tracing::subscriber::with_default(tape.clone(), || {
        live_through_everything(&lab, &mut secrets);
    });
    let lines = tape.0.lock().unwrap().clone();
    let told: BTreeSet<&str> =
        lines.iter().filter_map(|line| line.split_once(" event=")?.1.split(' ').next()).collect();
    // The test is worth something only if everything was told.
    let all = [
        "abandoned",
        "codec",
        "conflict",
        "created",
        "destroyed",
        "expired",
        "gone",
        "handed_over",
        "limited",
        "logged_in",
        "logged_out",
        "lost",
        "reissued",
        "rejected",
        "renewed",
        "revoked",
        "rotated",
        "stepped_up",
        "store_error",
    ];
    assert_eq!(told, BTreeSet::from(all), "{lines:#?}");
    for line in &lines {
        assert!(line.starts_with("session "), "the target: {line}");
        secrets.assert_are_not_in(line);
    }
}

#[test]
fn no_debug_output_tells_who_or_what() {
    let lab = lab();
    let mut secrets = Secrets::default();
    let session = lab.open_all(&[]);
    session.insert("profile", "FINDME-value").unwrap();
    session.set_label(Some("FINDME-label")).unwrap();
    block_on(session.bind("FINDME-principal")).unwrap();
    let finished = block_on(session.finish()).unwrap();
    let CookieAction::Set(cookie) = &finished.cookie else { panic!("a new session") };
    let cookie = secrets.keep(Some(cookie.value().to_owned()));
    let known = lab.open(&cookie);
    known.insert("FINDME-more", "FINDME-value").unwrap();
    let record = lab.only_record();
    let listing = lab.store.listing().unwrap();
    let other = lab.visit();
    secrets.keep(Some(other));
    let page = block_on(listing.scan(None, 1)).unwrap();
    assert!(page.next.is_some(), "a cursor that leads on from a sid");
    let infos = block_on(lab.server.sessions_of("FINDME-principal")).unwrap();
    assert_eq!(infos.len(), 1);
    let builder = SessionInterface::builder(lab.store.clone(), KeyRing::new(sha256(1)));
    let shown = format!(
        "{session:?} {known:#?} {finished:?} {record:?} {:?} {page:?} {infos:#?} {:?} {builder:#?} \
         {:?} {:?} {:?} {:?} {:?}",
        record.id(),
        lab.server,
        lab.store,
        sha256(1),
        KeyRing::new(sha256(1)).retired(sha256(2)),
        Watch::new("FINDME"),
        Cursor::new("FINDME"),
    );
    secrets.assert_are_not_in(&shown);
    let tag = record.principal_tag().unwrap();
    assert_eq!(format!("{tag:?}"), "PrincipalTag(..)");
    assert_ne!(tag, PrincipalTag::from_bytes([0; 16]));
}

#[test]
fn a_handle_is_read_back_from_its_text_and_from_nothing_else() {
    let lab = Lab::new();
    let handle = lab.open(lab.visit()).handle().unwrap();
    let text = handle.to_string();
    assert_eq!(SessionHandle::parse(&text), Some(handle));
    let shorter = &text[..21];
    for other in ["", "FINDME", shorter, &format!("{text}A"), &format!("{text}=="), "\u{ff10}"] {
        assert_eq!(SessionHandle::parse(other), None, "{other}");
    }
}
