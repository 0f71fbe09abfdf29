//! What counts as use, and long requests.

use std::time::Duration;

use session_core::{Clock as _, ErrorKind, Event, ManualClock, Reason, Saved};
use std::sync::Arc;

use crate::{
    memory::block_on,
    world::{HOUR, MINUTE, SECOND, World, cookie, finish, key, open, sends_nothing},
};

#[test]
fn opening_is_a_use_so_that_a_request_does_not_outlast_its_session() {
    let world = World::new();
    let visitor = world.visit();
    world.clock.advance(40 * MINUTE);
    let slow = world.open(&visitor);
    world.clock.advance(50 * MINUTE);
    assert!(world.is_alive(&visitor), "another page meanwhile");
    slow.insert("uploaded", &true).unwrap();
    assert_eq!(finish(&slow).saved, Saved::Stored);
}

#[test]
fn opening_writes_activity_only_when_less_than_half_of_the_time_is_left() {
    let world = World::new();
    let visitor = world.visit();
    world.clock.advance(HOUR / 2);
    let before = world.open(&visitor).expires_at();
    world.clock.advance(SECOND);
    assert_ne!(world.open(&visitor).expires_at(), before);
}

#[test]
fn a_request_under_way_keeps_its_session_alive_and_never_past_the_absolute_deadline() {
    let world = World::new();
    let visitor = world.visit();
    let session = world.open(&visitor);
    let began = world.clock.now();
    loop {
        let wait = session.until_touch().unwrap();
        assert!(wait <= HOUR / 2);
        world.clock.advance(wait.max(SECOND));
        if block_on(session.touch()).is_err() {
            break;
        }
    }
    assert_eq!(world.clock.now().saturating_since(began), 10 * HOUR);
    assert!(!world.is_alive(&visitor));
}

#[test]
fn a_touch_revives_nothing() {
    let world = World::new();
    let visitor = world.visit();
    let socket = world.open(&visitor);
    world.clock.advance(HOUR);
    assert_eq!(block_on(socket.touch()).unwrap_err().kind(), ErrorKind::Gone);
    let visitor = world.visit();
    let socket = world.open(&visitor);
    block_on(world.open(&visitor).destroy()).unwrap();
    world.clock.advance(HOUR / 5);
    assert_eq!(block_on(socket.touch()).unwrap_err().kind(), ErrorKind::Gone);
    assert!(!world.is_alive(&visitor));
}

#[test]
fn a_touch_of_a_long_connection_follows_the_writes_of_other_requests() {
    let world = World::new();
    let visitor = world.visit();
    let socket = world.open(&visitor);
    finish(&socket);
    for round in 0..10 {
        let session = world.open(&visitor);
        session.insert("round", &round).unwrap();
        finish(&session);
        for _ in 0..3 {
            world.clock.advance(15 * MINUTE);
            block_on(socket.touch()).unwrap();
        }
    }
    assert_eq!(socket.get::<u32>("round").unwrap(), None, "its snapshot stays");
}

#[test]
fn a_rotation_ends_no_request_and_no_connection_that_is_under_way() {
    let world = World::with(key(1), |builder| builder.rotate_every(10 * MINUTE));
    let first = world.login("alice");
    let socket = world.open(&first);
    finish(&socket);
    world.clock.advance(10 * MINUTE);
    let slow = world.open(&first);
    let mut browser = cookie(finish(&world.open(&first)));
    for _ in 0..5 {
        finish(&world.open(&browser));
        world.clock.advance(10 * MINUTE);
        browser = cookie(finish(&world.open(&browser)));
        assert!(block_on(socket.is_live()).unwrap());
    }
    assert_eq!(block_on(socket.update("n", |n: Option<u32>| n.unwrap_or(0) + 1)).unwrap(), 1);
    slow.insert("uploaded", &true).unwrap();
    let finished = finish(&slow);
    assert_eq!(finished.saved, Saved::Stored);
    assert!(sends_nothing(&finished), "the browser has a newer token than this request knows");
    block_on(world.open(&browser).destroy()).unwrap();
    assert!(!block_on(socket.is_live()).unwrap(), "a logout ends it");
}

#[test]
fn a_request_whose_token_was_rotated_away_cannot_change_the_token_or_the_principal() {
    let world = World::with(key(1), |builder| builder.rotate_every(10 * MINUTE));
    let first = world.login("alice");
    let [renewer, binder] = [(); 2].map(|()| world.open(&first));
    world.clock.advance(10 * MINUTE);
    let second = cookie(finish(&world.open(&first)));
    finish(&world.open(&second));
    world.clock.advance(31 * SECOND);
    // Two requests with the newest token, so that the ones before meet another version.
    renewer.insert("x", &1).unwrap();
    block_on(renewer.save()).unwrap();
    renewer.renew().unwrap();
    assert_eq!(block_on(renewer.finish()).unwrap_err().kind(), ErrorKind::Gone);
    assert_eq!(block_on(binder.bind("alice")).unwrap_err().kind(), ErrorKind::Gone);
    assert!(world.is_alive(&second));
}

#[test]
fn a_session_from_a_clock_that_was_ahead_is_cut_to_now_by_the_first_request_that_opens_it() {
    let world = World::new();
    let real = world.clock.now();
    world.clock.advance(100 * 24 * HOUR);
    let alice = world.login("alice");
    world.clock.set(real);
    world.notes.take();
    assert!(sends_nothing(&finish(&world.open(&alice))), "a request that only reads");
    assert!(world.notes.take().contains(&Event::Rejected(Reason::Skewed)));
    finish(&world.open(&alice));
    assert!(!world.notes.take().contains(&Event::Rejected(Reason::Skewed)), "once");
    let mut half_hours = 0;
    while world.is_alive(&alice) {
        world.clock.advance(HOUR / 2 - SECOND);
        half_hours += 1;
        assert!(half_hours < 100);
    }
    assert_eq!(half_hours, 21, "the lifetime of ten hours");
}

#[test]
fn a_server_whose_clock_is_a_little_behind_does_not_touch_after_every_write_of_the_other() {
    let world = World::new();
    let behind = world.clock.now().saturating_sub(Duration::from_millis(200));
    let behind = Arc::new(ManualClock::at(behind));
    let other = world.another(key(1), |builder| builder.clock(behind.clone()));
    let visitor = world.visit();
    for n in 0..50 {
        let session = world.open(&visitor);
        session.insert("n", &n).unwrap();
        finish(&session);
        let reader = open(&other, &visitor);
        let before = reader.expires_at();
        finish(&reader);
        assert_eq!(reader.expires_at(), before);
        for clock in [&world.clock, &behind] {
            clock.advance(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_session_may_have_an_end_of_its_own_and_never_a_later_one() {
    let world = World::new();
    let session = world.open(&world.login("alice"));
    session.limit_to(20 * MINUTE).unwrap();
    let alice = cookie(finish(&session));
    world.clock.advance(20 * MINUTE - SECOND);
    assert!(world.is_alive(&alice));
    world.clock.advance(SECOND);
    assert!(!world.is_alive(&alice));
    let session = world.open(&world.login("bob"));
    session.limit_to(100 * HOUR).unwrap();
    let bob = cookie(finish(&session));
    assert_eq!(world.open(&bob).deadline(), Some(world.clock.now().saturating_add(10 * HOUR)));
}

#[test]
fn a_login_starts_the_usual_lifetime_unless_it_limits_it_too() {
    let world = World::new();
    let session = world.open(&world.visit());
    session.limit_to(MINUTE).unwrap();
    block_on(session.save()).unwrap();
    block_on(session.bind("alice")).unwrap();
    assert_eq!(session.deadline(), Some(world.clock.now().saturating_add(10 * HOUR)));
    session.limit_to(MINUTE).unwrap();
    block_on(session.bind("alice")).unwrap();
    assert_eq!(session.deadline(), Some(world.clock.now().saturating_add(MINUTE)));
}

#[test]
fn a_page_can_say_that_the_session_has_ended() {
    let world = World::new();
    let visitor = world.visit();
    let stranger = world.open("");
    assert!(stranger.is_stranger() && !stranger.was_ended());
    let known = world.open(&visitor);
    assert!(!known.is_stranger() && !known.was_ended());
    world.clock.advance(HOUR);
    let late = world.open(&visitor);
    assert!(!late.is_stranger() && late.was_ended());
    let old = world.visit();
    let replaced = world.open(&old);
    replaced.renew().unwrap();
    finish(&replaced);
    let stale = world.open(&old);
    assert!(!stale.is_stranger() && !stale.was_ended(), "it may live on under the new token");
}
