//! Idle timeouts, lifetimes, and clocks that step.

use std::{sync::Arc, time::Duration};

use session_core::{
    Clock, CookieAction, Event, ManualClock, Saved, SessionInterface, SweepSessions, SystemClock,
    Timestamp,
};

use crate::{
    memory::block_on,
    world::{HOUR, MINUTE, SECOND, World, cookie, finish, key, open, sends_nothing},
};

#[test]
fn a_session_nobody_used_for_its_idle_timeout_is_over_at_the_deadline() {
    let world = World::new();
    let cookie = world.visit();
    let unused = world.visit();
    world.clock.advance(HOUR - Duration::from_millis(1));
    assert!(world.is_alive(&cookie));
    world.clock.advance(Duration::from_millis(1));
    assert!(!world.is_alive(&unused), "though the browser kept its cookie, and nothing was swept");
    assert!(world.is_alive(&cookie), "opening was a use");
}

#[test]
fn use_keeps_a_session_alive_and_is_written_back_now_and_then() {
    let world = World::new();
    let cookie = world.visit();
    let mut writes = 0;
    for _ in 0..120 {
        world.clock.advance(MINUTE);
        let session = world.open(&cookie);
        assert!(!session.is_new());
        let before = session.expires_at();
        assert_eq!(finish(&session).saved, Saved::Unchanged);
        writes += usize::from(session.expires_at() != before);
    }
    assert_eq!(writes, 20, "every sixth minute: a tenth of the idle timeout");
}

#[test]
fn the_idle_timeout_in_effect_is_never_longer_than_configured() {
    let world = World::new();
    let cookie = world.visit();
    // A use just too early to be written back does not count, which shortens the timeout.
    world.clock.advance(6 * MINUTE - SECOND);
    finish(&world.open(&cookie));
    let expires_at = world.open(&cookie).expires_at();
    world.clock.advance(54 * MINUTE + SECOND);
    assert_eq!(Some(world.clock.now()), expires_at);
    assert!(!world.is_alive(&cookie));
}

#[test]
fn no_activity_keeps_a_session_past_its_lifetime() {
    let world = World::new();
    let cookie = world.visit();
    for _ in 0..20 {
        world.clock.advance(HOUR / 2 - SECOND);
        finish(&world.open(&cookie));
    }
    assert!(world.is_alive(&cookie));
    world.clock.advance(20 * SECOND);
    assert!(!world.is_alive(&cookie));
}

#[test]
fn a_request_that_outlives_its_session_sends_no_cookie_for_it() {
    let world = World::new();
    let cookie = world.visit();
    for _ in 0..19 {
        world.clock.advance(HOUR / 2);
        finish(&world.open(&cookie));
    }
    let session = world.open(&cookie);
    session.renew().unwrap();
    assert_eq!(block_on(session.save()).unwrap(), Saved::Stored);
    world.clock.advance(HOUR / 2);
    assert!(sends_nothing(&finish(&session)));
}

#[test]
fn a_login_starts_the_lifetime_anew_and_a_renewal_does_not() {
    let world = World::new();
    let session = world.open(&world.visit());
    let deadline = session.deadline().unwrap();
    world.clock.advance(HOUR / 2);
    session.renew().unwrap();
    let renewed = cookie(finish(&session));
    let session = world.open(&renewed);
    assert_eq!(session.deadline(), Some(deadline));
    assert_eq!(session.authenticated_at(), None);
    block_on(session.bind("alice")).unwrap();
    assert_eq!(session.deadline(), Some(deadline.saturating_add(HOUR / 2)));
    assert_eq!(session.authenticated_at(), Some(world.clock.now()));
    finish(&session);
}

#[test]
fn a_permanent_session_outlives_the_usual_lifetime_and_not_its_own() {
    let world = World::new();
    let session = world.open("");
    session.set_permanent(true).unwrap();
    session.insert("remember", "me").unwrap();
    let CookieAction::Set(issued) = finish(&session).cookie else { panic!("no cookie") };
    assert!(issued.is_permanent());
    assert_eq!(issued.max_age(), 100 * HOUR);
    world.clock.advance(99 * HOUR);
    let session = world.open(issued.value());
    assert!(session.permanent());
    finish(&session);
    world.clock.advance(HOUR);
    assert!(!world.is_alive(issued.value()));
}

#[test]
fn a_session_that_becomes_permanent_tells_the_browser() {
    let world = World::new();
    let session = world.open(&world.visit());
    world.clock.advance(MINUTE);
    session.set_permanent(true).unwrap();
    let CookieAction::Set(issued) = finish(&session).cookie else { panic!("no cookie") };
    assert_eq!(issued.max_age(), 100 * HOUR - MINUTE, "from when the session began");
    let session = world.open(issued.value());
    session.set_permanent(false).unwrap();
    let CookieAction::Set(issued) = finish(&session).cookie else { panic!("no cookie") };
    assert_eq!(issued.max_age(), 10 * HOUR - MINUTE);
}

#[test]
fn a_lifetime_that_was_shortened_holds_for_the_sessions_there_are() {
    let world = World::new();
    let cookie = world.visit();
    let strict = world.another(key(1), |builder| builder.lifetime(2 * HOUR));
    for _ in 0..4 {
        world.clock.advance(HOUR / 2);
        finish(&world.open(&cookie));
    }
    assert!(open(&strict, &cookie).is_new());
    assert!(world.is_alive(&cookie));
}

#[test]
fn a_clock_that_was_set_back_extends_nothing_beyond_what_a_fresh_session_gets() {
    let world = World::new();
    let cookie = world.visit();
    world.clock.set(world.clock.now().saturating_sub(5 * HOUR));
    let session = world.open(&cookie);
    finish(&session);
    assert_eq!(session.expires_at(), Some(world.clock.now().saturating_add(HOUR)));
    world.clock.advance(HOUR);
    assert!(!world.is_alive(&cookie));
}

#[test]
fn a_clock_that_was_set_forward_ends_sessions() {
    let world = World::new();
    let cookie = world.visit();
    world.clock.set(world.clock.now().saturating_add(365 * 24 * HOUR));
    assert!(!world.is_alive(&cookie));
}

#[test]
fn a_sweep_removes_nothing_while_the_clock_doubts_itself() {
    let world = World::new();
    world.visit();
    world.clock.advance(HOUR);
    let sweep = || block_on(world.store.sweep()).unwrap().removed;
    world.clock.set_settled(false);
    assert_eq!((sweep(), world.store.len()), (0, 1));
    world.clock.set_settled(true);
    assert_eq!((sweep(), world.store.len()), (1, 0));
}

#[test]
fn the_clock_of_the_machine_never_runs_backwards() {
    let clock = SystemClock::new();
    let mut before = Timestamp::EPOCH;
    for _ in 0..10_000 {
        let now = clock.now();
        assert!(now >= before);
        before = now;
    }
    assert!(before > Timestamp::from_millis(1_700_000_000_000), "milliseconds since 1970");
}

#[test]
fn the_longest_durations_there_are_do_no_harm() {
    let clock = Arc::new(ManualClock::default());
    let store = session_core::MemorySessionManager::with_clock(clock.clone());
    let server = SessionInterface::builder(store, key(1))
        .idle_timeout(Duration::MAX)
        .lifetime(Duration::MAX)
        .permanent_lifetime(Duration::MAX)
        .rotate_every(Duration::MAX)
        .clock(clock.clone())
        .build()
        .unwrap();
    let session = open(&server, "");
    session.insert("a", &1).unwrap();
    let cookie = cookie(finish(&session));
    clock.advance(1_000_000 * HOUR);
    let session = open(&server, &cookie);
    assert!(!session.is_new());
    finish(&session);
}

#[test]
fn a_request_that_took_longer_than_the_idle_timeout_is_saved_if_others_kept_the_session_alive() {
    let world = World::new();
    let cookie = world.visit();
    let slow = world.open(&cookie);
    for _ in 0..4 {
        world.clock.advance(HOUR / 3);
        finish(&world.open(&cookie));
    }
    slow.insert("late", &1).unwrap();
    assert_eq!(finish(&slow).saved, Saved::Stored);
    world.clock.advance(2 * HOUR);
    let slow = world.open(&cookie);
    assert!(slow.is_new());
    assert!(!world.notes.take().contains(&Event::Gone));
}
