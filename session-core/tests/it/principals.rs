//! Whom sessions belong to.

use futures_util::future::join;
use session_core::{
    ErrorKind, Event, MaxSessions, MemorySessionManager, SessionHandle, SessionInterface,
};

use crate::{
    gated::gated,
    memory::block_on,
    world::{MINUTE, World, cookie, finish, key, open},
};

#[test]
fn a_login_binds_renews_and_keeps_what_the_visitor_had() {
    let world = World::new();
    let before = world.visit();
    let session = world.open(&before);
    block_on(session.bind("alice")).unwrap();
    assert!(!world.is_alive(&before), "before the response has left");
    let session = world.open(&cookie(finish(&session)));
    assert_eq!(session.principal().as_deref(), Some("alice"));
    assert!(session.contains_key("value"));
}

#[test]
fn what_one_user_left_is_not_found_by_the_next() {
    let world = World::new();
    let alice = world.login("alice");
    let session = world.open(&alice);
    session.insert("diary", "secret").unwrap();
    finish(&session);
    let session = world.open(&alice);
    session.insert("impersonated_by", "alice").unwrap();
    block_on(session.bind("bob")).unwrap();
    assert_eq!(session.value_keys(), ["impersonated_by"], "what this request put in stays");
    let session = world.open(&cookie(finish(&session)));
    assert_eq!(session.principal().as_deref(), Some("bob"));
    assert!(!session.contains_key("diary"));
    assert!(block_on(world.server.sessions_of("alice")).unwrap().is_empty());
}

#[test]
fn logging_in_again_keeps_the_values() {
    let world = World::new();
    let session = world.open(&world.login("alice"));
    session.insert("diary", "dear").unwrap();
    world.clock.advance(MINUTE);
    block_on(session.bind("alice")).unwrap();
    assert!(session.contains_key("diary"));
    finish(&session);
}

#[test]
fn a_principal_sees_all_of_their_sessions_and_no_others() {
    let world = World::new();
    let first = world.login("alice");
    world.clock.advance(MINUTE);
    let session = world.open("");
    session.set_label(Some("Firefox on Linux")).unwrap();
    block_on(session.bind("alice")).unwrap();
    finish(&session);
    world.login("bob");
    world.visit();
    let mut sessions = block_on(world.server.sessions_of("alice")).unwrap();
    sessions.sort_by_key(|session| session.created_at);
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[1].label.as_deref(), Some("Firefox on Linux"));
    assert!(sessions[0].created_at < sessions[1].created_at);
    assert_eq!(world.open(&first).handle(), Some(sessions[0].handle));
    assert!(block_on(world.server.sessions_of("carol")).unwrap().is_empty());
}

#[test]
fn the_time_of_last_use_is_known_to_a_tenth_of_the_idle_timeout() {
    let world = World::new();
    let cookie = world.login("alice");
    world.clock.advance(30 * MINUTE);
    finish(&world.open(&cookie));
    let used = session_core::Clock::now(&*world.clock);
    world.clock.advance(5 * MINUTE);
    finish(&world.open(&cookie));
    let sessions = block_on(world.server.sessions_of("alice")).unwrap();
    assert_eq!(sessions[0].last_seen_at, used);
}

#[test]
fn a_handle_ends_one_session_of_its_owner_and_nobody_elses() {
    let world = World::new();
    let [mine, other] = [world.login("alice"), world.login("alice")];
    let bobs = world.login("bob");
    let handle = world.open(&other).handle().unwrap();
    let of_bob = world.open(&bobs).handle().unwrap();
    assert!(!block_on(world.server.revoke("alice", &of_bob)).unwrap());
    assert!(world.is_alive(&bobs));
    world.notes.take();
    assert!(block_on(world.server.revoke("alice", &handle)).unwrap());
    assert!(world.notes.take().contains(&Event::Revoked));
    assert!(!world.is_alive(&other) && world.is_alive(&mine));
    assert!(!block_on(world.server.revoke("alice", &handle)).unwrap(), "only once");
}

#[test]
fn a_handle_is_no_cookie_and_no_sid() {
    let world = World::new();
    let cookie = world.login("alice");
    let handle = world.open(&cookie).handle().unwrap();
    let text = handle.to_string();
    assert_eq!(text.len(), 22);
    assert_eq!(SessionHandle::parse(&text), Some(handle));
    assert_eq!(SessionHandle::parse(&text[1..]), None);
    assert!(!cookie.contains(&text));
    assert!(open(&world.server, &text).is_new());
}

#[test]
fn a_changed_password_ends_all_sessions_but_the_one_it_was_changed_in() {
    let world = World::new();
    let mine = world.login("alice");
    let others = [world.login("alice"), world.login("alice")];
    let bobs = world.login("bob");
    let own = world.open(&mine).handle();
    assert_eq!(block_on(world.server.revoke_all("alice", own.as_ref())).unwrap(), 2);
    assert!(world.is_alive(&mine) && world.is_alive(&bobs));
    assert!(others.iter().all(|cookie| !world.is_alive(cookie)));
    assert_eq!(block_on(world.server.revoke_all("alice", None)).unwrap(), 1);
    assert!(!world.is_alive(&mine));
}

#[test]
fn everyone_can_be_logged_out_at_once() {
    let world = World::new();
    for number in 0..250 {
        world.login(&format!("user {number}"));
        world.visit();
    }
    assert_eq!(block_on(world.server.revoke_everyone()).unwrap(), 500);
    assert!(world.store.is_empty());
}

#[test]
fn a_limit_on_sessions_refuses_the_next_login() {
    let world = World::with(key(1), |builder| builder.max_sessions(MaxSessions::Refuse(2)));
    let first = world.login("alice");
    world.login("alice");
    let session = world.open("");
    let error = block_on(session.bind("alice")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManySessions);
    assert_eq!(session.principal(), None);
    let again = world.open(&first);
    block_on(again.bind("alice")).unwrap();
    finish(&again);
    block_on(session.bind("bob")).unwrap();
    finish(&session);
}

#[test]
fn a_limit_on_sessions_ends_the_oldest() {
    let world = World::with(key(1), |builder| builder.max_sessions(MaxSessions::EndOldest(2)));
    let logins = [(); 4].map(|()| {
        world.clock.advance(MINUTE);
        world.login("alice")
    });
    let alive = logins.map(|cookie| world.is_alive(&cookie));
    assert_eq!(alive, [false, false, true, true]);
}

#[test]
fn logins_at_once_do_not_end_each_other() {
    for pause in [false, true] {
        let (world, manager, server) =
            gated(|builder| builder.max_sessions(MaxSessions::EndOldest(1)));
        let before = world.login("alice");
        world.clock.advance(MINUTE);
        let sessions = [open(&server, ""), open(&server, "")];
        manager.puts.close(2);
        manager.lists.close(2);
        let later = async {
            if pause {
                world.clock.advance(MINUTE);
            }
            sessions[1].bind("alice").await
        };
        let (first, second) = block_on(join(sessions[0].bind("alice"), later));
        first.unwrap();
        second.unwrap();
        let alive = sessions.map(|session| world.is_alive(&cookie(finish(&session))));
        assert_eq!(alive.into_iter().filter(|alive| *alive).count(), 1);
        assert!(!pause || alive[1], "the newer one stays");
        assert!(!world.is_alive(&before));
    }
}

#[test]
fn a_limit_of_zero_sessions_is_refused_at_construction() {
    let limited = SessionInterface::builder(MemorySessionManager::new(), key(1))
        .max_sessions(MaxSessions::Refuse(0))
        .build();
    assert_eq!(limited.unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn nobody_is_called_nothing() {
    let world = World::new();
    let session = world.open("");
    assert_eq!(block_on(session.bind("")).unwrap_err().kind(), ErrorKind::Config);
    assert!(world.store.is_empty());
}

#[test]
fn people_of_the_same_name_under_another_cookie_are_others() {
    let world = World::new();
    let admins = world.another(key(1), |builder| builder.cookie_name("__Host-admin"));
    let session = open(&admins, "");
    block_on(session.bind("root")).unwrap();
    let admin = cookie(finish(&session));
    world.login("root");
    assert_eq!(block_on(world.server.sessions_of("root")).unwrap().len(), 1);
    assert_eq!(block_on(world.server.revoke_all("root", None)).unwrap(), 1);
    assert!(!open(&admins, &admin).is_new());
}

#[test]
fn the_next_user_inherits_neither_the_lifetime_nor_the_label() {
    let world = World::new();
    let session = world.open("");
    session.set_permanent(true).unwrap();
    session.set_label(Some("alice's phone")).unwrap();
    block_on(session.bind("alice")).unwrap();
    let session = world.open(&cookie(finish(&session)));
    block_on(session.bind("bob")).unwrap();
    assert!(!session.permanent());
    assert_eq!(session.label(), None);
    finish(&session);
}

#[test]
fn the_name_of_a_principal_is_no_document() {
    let session = World::new().open("");
    let error = block_on(session.bind(&"x".repeat(1_025))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}
