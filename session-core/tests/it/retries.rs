//! Logins whose answer is lost, logins at once, and what an attacker makes of them.

use futures_util::future::join;
use session_core::{CookieAction, ErrorKind, Event, ManagedSession};

use crate::{
    gated::gated,
    memory::block_on,
    world::{MINUTE, SECOND, World, cookie, finish, is_refused, open},
};

/// Logs in with `before`; returns the cookie that was sent.
fn login(world: &World, before: &str, principal: &str) -> String {
    let session = world.open(before);
    block_on(session.bind(principal)).unwrap();
    cookie(finish(&session))
}

fn is_alice_with_cart(session: &ManagedSession) -> bool {
    session.principal().as_deref() == Some("alice") && session.contains_key("value")
}

#[test]
fn a_login_whose_answer_was_lost_is_made_again_with_the_old_cookie_and_the_cart_is_there() {
    for wait in [0, 1, 59] {
        let world = World::new();
        let before = world.visit();
        let lost = login(&world, &before, "alice");
        world.clock.advance(wait * SECOND);
        assert!(world.open(&before).is_new(), "the old token alone opens nothing");
        let after = login(&world, &before, "alice");
        assert!(is_alice_with_cart(&world.open(&after)));
        assert!(!world.is_alive(&lost), "the token that was lost is dead");
        assert!(!world.is_alive(&before));
        assert_eq!(world.store.len(), 1);
    }
}

#[test]
fn three_tries_in_a_row_work_and_only_the_last_token_does() {
    let world = World::new();
    let before = world.visit();
    let tokens = [(); 4].map(|()| {
        world.clock.advance(50 * SECOND);
        login(&world, &before, "alice")
    });
    let (newest, lost) = tokens.split_last().unwrap();
    assert!(is_alice_with_cart(&world.open(newest)));
    assert!(lost.iter().all(|token| !world.is_alive(token)));
}

#[test]
fn two_logins_at_once_are_one_session_with_the_cart() {
    let world = World::new();
    let before = world.visit();
    let [first, second] = [(); 2].map(|()| world.open(&before));
    block_on(first.bind("alice")).unwrap();
    block_on(second.bind("alice")).unwrap();
    assert!(
        matches!(finish(&first).cookie, CookieAction::Keep),
        "its token was replaced before its answer left"
    );
    let after = cookie(finish(&second));
    assert!(is_alice_with_cart(&world.open(&after)));
    assert_eq!(world.store.len(), 1);
}

#[test]
fn two_logins_whose_puts_meet_are_one_session() {
    let (world, manager, server) = gated(|builder| builder);
    let before = world.visit();
    let other = world.another(crate::world::key(1), |builder| builder);
    let (first, second) = (open(&server, &before), open(&other, &before));
    manager.puts.close(2);
    let (bound, ()) = block_on(join(first.bind("alice"), async {
        second.bind("alice").await.unwrap();
        manager.puts.come();
    }));
    bound.unwrap();
    let after = cookie(finish(&second));
    assert!(is_alice_with_cart(&world.open(&after)));
}

#[test]
fn once_the_new_token_was_presented_the_old_one_is_worth_nothing() {
    let world = World::new();
    let before = world.visit();
    let after = login(&world, &before, "alice");
    finish(&world.open(&after));
    world.clock.advance(6 * SECOND);
    let again = login(&world, &before, "alice");
    assert!(!world.open(&again).contains_key("value"), "another session");
    assert!(is_alice_with_cart(&world.open(&after)), "and the first is untouched");
}

#[test]
fn after_a_minute_the_old_token_is_worth_nothing() {
    let world = World::new();
    let before = world.visit();
    let after = login(&world, &before, "alice");
    world.clock.advance(MINUTE);
    let again = login(&world, &before, "alice");
    assert!(!world.open(&again).contains_key("value"));
    assert!(world.is_alive(&after));
}

#[test]
fn a_planted_cookie_gives_the_attacker_nothing_of_the_session_after_the_login() {
    let world = World::new();
    let planted = world.visit();
    let victims = login(&world, &planted, "alice");
    // With his own password: the session ends, and he gets a clean one.
    let session = world.open(&planted);
    session.insert("note", &1).unwrap();
    block_on(session.bind("mallory")).unwrap();
    let his = world.open(&cookie(finish(&session)));
    assert_eq!(his.principal().as_deref(), Some("mallory"));
    assert_eq!(his.value_keys(), ["note"], "what his own request put in");
    assert!(!world.is_alive(&victims));
}

#[test]
fn a_planted_cookie_without_a_password_reads_writes_and_ends_nothing() {
    let world = World::new();
    let planted = world.visit();
    let early = world.open(&planted);
    let victims = login(&world, &planted, "alice");
    early.insert("planted", &1).unwrap();
    assert!(is_refused(&early), "opened before the login");
    let late = world.open(&planted);
    assert_eq!(late.principal(), None);
    block_on(late.destroy()).unwrap();
    let renewer = world.open(&planted);
    renewer.renew().unwrap();
    finish(&renewer);
    world.clock.advance(10 * SECOND);
    let writer = world.open(&planted);
    writer.insert("planted", &1).unwrap();
    finish(&writer);
    let victim = world.open(&victims);
    assert!(is_alice_with_cart(&victim) && !victim.contains_key("planted"));
}

#[test]
fn a_lost_token_replayed_opens_nothing_after_the_second_login() {
    let world = World::new();
    let before = world.visit();
    let lost = login(&world, &before, "alice");
    let after = login(&world, &before, "alice");
    assert!(world.open(&lost).is_new());
    let thief = world.open(&lost);
    block_on(thief.bind("mallory")).unwrap_err();
    world.clock.advance(6 * SECOND);
    let thiefs = login(&world, &lost, "mallory");
    assert!(!world.open(&thiefs).contains_key("value"));
    assert!(is_alice_with_cart(&world.open(&after)));
}

#[test]
fn after_a_step_up_or_a_renewal_whose_answer_was_lost_a_login_begins_a_clean_session() {
    for step_up in [true, false] {
        for opened_before in [true, false] {
            let world = World::new();
            let before = world.login("alice");
            let session = world.open(&before);
            session.insert("secret", &1).unwrap();
            let early = world.open(&before);
            if step_up {
                block_on(session.bind("alice")).unwrap();
            } else {
                session.renew().unwrap();
            }
            let lost = cookie(finish(&session));
            let again = if opened_before { early } else { world.open(&before) };
            block_on(again.bind("alice")).unwrap();
            let after = cookie(finish(&again));
            assert!(!world.open(&after).contains_key("secret"));
            assert!(!world.is_alive(&lost), "it is ended");
            assert_eq!(world.store.len(), 1);
        }
    }
}

#[test]
fn a_session_without_a_principal_whose_renewal_was_lost_is_not_adopted() {
    let world = World::new();
    let before = world.visit();
    let session = world.open(&before);
    session.renew().unwrap();
    let lost = cookie(finish(&session));
    let after = login(&world, &before, "alice");
    assert!(!world.open(&after).contains_key("value"));
    assert!(!world.is_alive(&lost));
}

#[test]
fn a_login_in_the_grace_of_a_rotation_is_made_again_with_the_cookie_the_browser_has() {
    let world = World::with(crate::world::key(1), |builder| builder.rotate_every(10 * MINUTE));
    let old = world.visit();
    world.clock.advance(10 * MINUTE);
    let _rotated_and_lost = cookie(finish(&world.open(&old)));
    let lost = login(&world, &old, "alice");
    let after = login(&world, &old, "alice");
    assert!(is_alice_with_cart(&world.open(&after)));
    assert!(!world.is_alive(&lost));
}

#[test]
fn a_login_and_a_logout_end_every_session_the_visitor_has_a_live_cookie_of() {
    for logs_in in [true, false] {
        let world = World::new();
        let cookies = [world.login("alice"), world.visit(), world.login("mallory")];
        let stale = world.visit();
        let renewed = {
            let session = world.open(&stale);
            session.renew().unwrap();
            cookie(finish(&session))
        };
        finish(&world.open(&renewed));
        let all = cookies.iter().chain([&stale]).map(String::as_bytes);
        let session = block_on(world.server.open(all)).unwrap();
        assert!(session.is_new());
        if logs_in {
            block_on(session.bind("alice")).unwrap();
            let new = cookie(finish(&session));
            assert_eq!(world.open(&new).principal().as_deref(), Some("alice"));
            assert!(world.open(&new).is_empty(), "a clean one");
        } else {
            block_on(session.destroy()).unwrap();
            assert!(matches!(finish(&session).cookie, CookieAction::Remove));
        }
        assert!(cookies.iter().all(|cookie| !world.is_alive(cookie)));
        assert!(world.is_alive(&renewed), "a stale token ends nothing");
    }
}

#[test]
fn a_write_with_cookies_of_several_sessions_begins_a_clean_one_unless_one_is_logged_in() {
    for logged_in in [true, false] {
        let world = World::new();
        let cookies = [if logged_in { world.login("alice") } else { world.visit() }, world.visit()];
        let all = cookies.iter().map(String::as_bytes);
        let session = block_on(world.server.open(all)).unwrap();
        session.insert("cart", &1).unwrap();
        if logged_in {
            assert_eq!(block_on(session.finish()).unwrap_err().kind(), ErrorKind::Ambiguous);
            assert!(cookies.iter().all(|cookie| world.is_alive(cookie)));
        } else {
            let new = cookie(finish(&session));
            assert_eq!(world.open(&new).value_keys(), ["cart"]);
            assert!(cookies.iter().all(|cookie| !world.is_alive(cookie)));
        }
    }
}

#[test]
fn a_slow_answer_that_was_to_bring_the_cookie_again_leaves_that_of_a_login() {
    let world = World::with(crate::world::key(1), |builder| builder.rotate_every(10 * MINUTE));
    let first = world.visit();
    world.clock.advance(10 * MINUTE);
    let second = cookie(finish(&world.open(&first)));
    let slow = world.open(&first);
    let _third = login(&world, &second, "alice");
    assert!(matches!(finish(&slow).cookie, CookieAction::Keep));
}

#[test]
fn a_slow_login_does_not_send_a_token_that_was_replaced_meanwhile() {
    let world = World::new();
    let before = world.visit();
    let slow = world.open(&before);
    block_on(slow.bind("alice")).unwrap();
    let after = login(&world, &before, "alice");
    assert!(matches!(finish(&slow).cookie, CookieAction::Keep));
    assert!(is_alice_with_cart(&world.open(&after)));
}

#[test]
fn the_events_tell_the_changes_of_privilege_apart() {
    let world = World::new();
    let events = |session: &ManagedSession| {
        let token = cookie(finish(session));
        let mut notes = world.notes.take();
        notes.retain(|event| *event != Event::Created);
        (token, notes)
    };
    let session = world.open(&world.visit());
    block_on(session.bind("alice")).unwrap();
    let (token, told) = events(&session);
    assert_eq!(told, [Event::LoggedIn]);
    let session = world.open(&token);
    block_on(session.bind("alice")).unwrap();
    let (token, told) = events(&session);
    assert_eq!(told, [Event::SteppedUp]);
    let session = world.open(&token);
    block_on(session.bind("bob")).unwrap();
    let (token, told) = events(&session);
    assert_eq!(told, [Event::HandedOver]);
    let session = world.open(&token);
    session.renew().unwrap();
    let (token, told) = events(&session);
    assert_eq!(told, [Event::Renewed]);
    let session = world.open(&token);
    session.insert("language", "de").unwrap();
    session.insert("secret", &1).unwrap();
    block_on(session.unbind(&["language"])).unwrap();
    let (after, told) = events(&session);
    assert_eq!(told, [Event::LoggedOut]);
    let session = world.open(&after);
    assert_eq!((session.principal(), session.value_keys()), (None, vec!["language".to_owned()]));
    assert!(!world.is_alive(&token));
    world.notes.take();
    let session = world.open("");
    block_on(session.bind("carol")).unwrap();
    finish(&session);
    assert_eq!(world.notes.take(), [Event::Created, Event::LoggedIn]);
}
