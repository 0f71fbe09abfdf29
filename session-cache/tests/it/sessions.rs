//! Whole sessions over the caches of two servers, of which one has an older copy.

use std::{sync::Arc, time::Duration};

use session_cache::Coherence;
use session_core::{
    CookieAction, ManagedSession, ManualClock, SessionInterface, SessionManager, SigningKey,
};

use crate::{
    feed::DelayedFeed,
    parent::{Parent, ready},
};

/// Two servers on one store. The cache of one of them may be behind by a while.
struct Servers {
    mode: &'static str,
    here: SessionInterface,
    /// With the cache.
    there: SessionInterface,
    advance: Box<dyn Fn(Duration)>,
}

/// In each mode in which a cached record may be behind.
fn all() -> [Servers; 2] {
    let parent = Parent::new();
    let cache = parent.cached(Coherence::MaxAge(Duration::from_secs(5)));
    let max_age = Servers {
        mode: "max age",
        here: interface(parent.clone(), &parent.clock),
        there: interface(cache, &parent.clock),
        advance: Box::new(move |by| parent.clock.advance(by)),
    };
    let feed = DelayedFeed::late();
    let watching = Servers {
        mode: "watching",
        here: interface(feed.clone(), &feed.clock),
        there: interface(feed.cached(), &feed.clock),
        advance: Box::new(move |by| feed.advance(by)),
    };
    [max_age, watching]
}

fn interface(manager: impl SessionManager, clock: &Arc<ManualClock>) -> SessionInterface {
    let key = SigningKey::hmac_sha256((0..32).collect::<Vec<u8>>()).expect("long enough");
    SessionInterface::builder(manager, key)
        .rotate_every(Duration::from_secs(600))
        .clock(Arc::clone(clock) as _)
        .build()
        .expect("the settings agree")
}

fn open(server: &SessionInterface, cookie: &str) -> ManagedSession {
    let cookies = Some(cookie.as_bytes()).filter(|cookie| !cookie.is_empty());
    ready(server.open(cookies)).expect("open")
}

fn sent(session: &ManagedSession) -> Option<String> {
    match ready(session.finish()).expect("finish").cookie {
        CookieAction::Set(cookie) => Some(cookie.value().to_owned()),
        _ => None,
    }
}

/// A visitor with a cart, whose record is cached there.
fn visitor(servers: &Servers) -> String {
    let session = open(&servers.here, "");
    session.insert("cart", &1).expect("a number");
    let cookie = sent(&session).expect("a new session has a cookie");
    (servers.advance)(Duration::from_secs(120));
    assert!(sent(&open(&servers.there, &cookie)).is_none());
    cookie
}

/// The visitor logs in here.
fn login(servers: &Servers, cookie: &str) -> String {
    let session = open(&servers.here, cookie);
    ready(session.bind("alice")).expect("bind");
    sent(&session).expect("a login has a new cookie")
}

#[test]
fn a_login_at_one_server_is_known_to_the_next() {
    for servers in all() {
        let cookie = login(&servers, &visitor(&servers));
        let session = open(&servers.there, &cookie);
        assert_eq!(session.principal().as_deref(), Some("alice"), "{}", servers.mode);
        session.insert("csrf", &7).expect("a number");
        assert!(sent(&session).is_none(), "{}: the cookie is good", servers.mode);
        let session = open(&servers.here, &cookie);
        assert_eq!(session.get::<u8>("csrf").expect("a number"), Some(7), "{}", servers.mode);
        assert_eq!(session.get::<u8>("cart").expect("a number"), Some(1), "{}", servers.mode);
    }
}

#[test]
fn a_rotation_at_one_server_is_known_to_the_next() {
    for servers in all() {
        let first = login(&servers, &visitor(&servers));
        (servers.advance)(Duration::from_secs(599));
        assert!(sent(&open(&servers.there, &first)).is_none(), "{}: not yet", servers.mode);
        (servers.advance)(Duration::from_secs(1));
        let second = sent(&open(&servers.here, &first)).expect("the token is replaced");
        let session = open(&servers.there, &second);
        assert_eq!(session.principal().as_deref(), Some("alice"), "{}", servers.mode);
    }
}

#[test]
fn a_server_with_an_older_copy_lists_and_revokes_the_session() {
    for servers in all() {
        let cookie = login(&servers, &visitor(&servers));
        let listed = ready(servers.there.sessions_of("alice")).expect("list");
        assert_eq!(listed.len(), 1, "{}", servers.mode);
        let revoked = ready(servers.there.revoke_all("alice", None)).expect("revoke");
        assert_eq!(revoked, 1, "{}", servers.mode);
        for server in [&servers.here, &servers.there] {
            assert!(open(server, &cookie).principal().is_none(), "{}", servers.mode);
        }
    }
}
