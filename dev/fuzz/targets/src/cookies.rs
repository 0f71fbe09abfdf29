//! The `Cookie` header, and the value in it.

use std::mem::ManuallyDrop;

use actix_web::{
    App,
    http::header::{COOKIE, HeaderValue},
    rt::Runtime,
    test::{self, TestRequest},
    web,
};
use session_actix::{Result, Session, SessionMiddleware};
use session_core::MemorySessionManager;

use crate::world::{NUMBER, Stored, key};

thread_local! {
    static STORED: Stored = Stored::new();
    // Never dropped: at the end of a thread the runtime it needs for that may be gone.
    static SITE: ManuallyDrop<Site> = ManuallyDrop::new(Site::new());
}

/// A value that is not the genuine one opens nothing.
pub fn cookie_value(bytes: &[u8]) {
    STORED.with(|stored| {
        let value = expanded(bytes, &stored.cookie, stored.interface.cookie_name());
        let genuine = value == stored.cookie.as_bytes();
        assert_eq!(stored.seen_by(&value).is_some(), genuine, "one value opens the session");
    });
}

/// Whatever the header fields hold, there is an answer; nothing is forged, and the genuine cookie
/// is found beside fields that do not have one of its name.
///
/// The bytes are the values of header fields, divided by line feeds.
pub fn cookie_header(bytes: &[u8]) {
    SITE.with(|site| {
        let name = site.stored.interface.cookie_name().as_bytes();
        let bytes = expanded(bytes, &site.stored.cookie, site.stored.interface.cookie_name());
        let has = |what: &[u8]| bytes.windows(what.len()).any(|part| part == what);
        let mut fields: Vec<_> =
            bytes.split(|byte| *byte == b'\n').flat_map(HeaderValue::from_bytes).collect();
        let seen = site.ask(&fields);
        assert!(seen.is_none() || has(site.stored.cookie.as_bytes()), "nothing is forged");
        fields.push(site.genuine.clone());
        let seen = site.ask(&fields);
        assert!(seen.is_some() || has(name), "who does not write our name hides nothing");
    });
}

/// The bytes, with a cookie in place of each byte 1 and its name in place of each byte 2: a fuzzer
/// cannot know them.
fn expanded(bytes: &[u8], cookie: &str, name: &str) -> Vec<u8> {
    let mut all = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            1 => all.extend_from_slice(cookie.as_bytes()),
            2 => all.extend_from_slice(name.as_bytes()),
            other => all.push(*other),
        }
    }
    all
}

/// An application that tells what is in the session.
struct Site {
    stored: Stored,
    genuine: HeaderValue,
    answer: Box<dyn Fn(TestRequest) -> Option<u32>>,
}

async fn tell(session: Session) -> Result<String> {
    Ok(session.get::<u32>(NUMBER)?.map(|number| number.to_string()).unwrap_or_default())
}

impl Site {
    fn new() -> Self {
        let manager = MemorySessionManager::new();
        let sessions = SessionMiddleware::new(manager.clone(), key()).expect("a valid key");
        let runtime = Runtime::new().expect("a runtime starts");
        let interface = sessions.interface().clone();
        // The middleware limits the time of calls to the store, which takes a runtime.
        let stored = runtime.block_on(async { Stored::with(manager, interface) });
        let genuine = format!("{}={}", stored.interface.cookie_name(), stored.cookie);
        let app = App::new().wrap(sessions).route("/", web::get().to(tell));
        let service = runtime.block_on(test::init_service(app));
        let answer = move |request: TestRequest| {
            let told = test::call_and_read_body(&service, request.to_request());
            let told = runtime.block_on(told);
            std::str::from_utf8(&told).expect("the handler tells a number").parse().ok()
        };
        let genuine = HeaderValue::try_from(genuine).expect("a cookie fits into a header");
        Self { stored, genuine, answer: Box::new(answer) }
    }

    fn ask(&self, fields: &[HeaderValue]) -> Option<u32> {
        let mut request = TestRequest::get();
        for field in fields {
            request = request.append_header((COOKIE, field.clone()));
        }
        (self.answer)(request)
    }
}
