//! Tokens that are replaced by policy, and keys that are.

use session_core::{CookieAction, Event, KeyRing, Reason, Saved};

use crate::{
    memory::block_on,
    world::{HOUR, MINUTE, SECOND, World, cookie, finish, key, open, sends_nothing},
};

fn rotating() -> World {
    World::with(key(1), |builder| builder.rotate_every(10 * MINUTE))
}

#[test]
fn a_token_of_age_is_replaced_once_and_every_request_is_sent_the_same_new_one() {
    let world = rotating();
    let old = world.visit();
    world.clock.advance(10 * MINUTE);
    let sessions: Vec<_> = (0..100).map(|_| world.open(&old)).collect();
    world.notes.take();
    let new: Vec<_> = sessions.iter().map(|session| cookie(finish(session))).collect();
    assert!(new.iter().all(|cookie| *cookie == new[0] && *cookie != old));
    let rotated = world.notes.take().into_iter().filter(|event| *event == Event::Rotated).count();
    assert_eq!(rotated, 1);
    assert_eq!(cookie(finish(&world.open(&old))), new[0], "also to those that come later");
}

#[test]
fn the_old_token_dies_half_a_minute_after_the_new_one_was_presented() {
    let world = rotating();
    let old = world.visit();
    world.clock.advance(10 * MINUTE);
    let new = cookie(finish(&world.open(&old)));
    world.clock.advance(20 * MINUTE);
    assert!(world.is_alive(&old), "as long as nobody has the new one: the answer may be lost");
    finish(&world.open(&new));
    world.clock.advance(29 * SECOND);
    assert!(world.is_alive(&old));
    world.clock.advance(SECOND);
    assert!(!world.is_alive(&old));
    assert!(world.is_alive(&new));
    assert!(world.notes.take().contains(&Event::Rejected(Reason::Stale)));
}

#[test]
fn in_the_grace_there_is_no_second_rotation_and_a_renewal_works() {
    let world = rotating();
    let old = world.visit();
    world.clock.advance(10 * MINUTE);
    let new = cookie(finish(&world.open(&old)));
    world.clock.advance(30 * MINUTE);
    assert_eq!(cookie(finish(&world.open(&old))), new, "still the first successor");
    finish(&world.open(&new));
    world.clock.advance(10 * SECOND);
    let session = world.open(&old);
    session.renew().unwrap();
    let renewed = cookie(finish(&session));
    assert!(!world.is_alive(&old) && !world.is_alive(&new), "a renewal has no grace");
    assert!(world.is_alive(&renewed));
}

#[test]
fn a_second_rotation_follows_when_the_grace_is_over() {
    let world = rotating();
    let first = world.visit();
    world.clock.advance(10 * MINUTE);
    let second = cookie(finish(&world.open(&first)));
    finish(&world.open(&second));
    world.clock.advance(10 * MINUTE);
    let third = cookie(finish(&world.open(&second)));
    assert!(!world.is_alive(&first));
    assert!(world.is_alive(&second) && world.is_alive(&third));
}

#[test]
fn without_a_policy_no_token_is_replaced() {
    let world = World::new();
    let cookie = world.visit();
    for _ in 0..10 {
        world.clock.advance(HOUR / 2);
        assert!(sends_nothing(&finish(&world.open(&cookie))));
    }
}

#[test]
fn a_retired_key_signs_no_more_and_what_it_signed_is_signed_and_sealed_again_in_one_put() {
    let world = World::with(key(1), |builder| builder);
    let old = world.login("alice");
    world.server.replace_keys(KeyRing::new(key(2)).retired(key(1))).unwrap();
    assert_eq!(block_on(world.server.sessions_of("alice")).unwrap().len(), 1, "by the old tag");
    world.notes.take();
    let new = cookie(finish(&world.open(&old)));
    assert_eq!(world.notes.take(), [Event::Reissued]);
    assert!(sends_nothing(&finish(&world.open(&new))), "once is enough");
    world.server.replace_keys(key(2)).unwrap();
    assert!(!world.is_alive(&old), "a key that was taken out ends what it signed");
    assert!(world.is_alive(&new));
    assert_eq!(block_on(world.server.sessions_of("alice")).unwrap().len(), 1, "by the new tag");
}

#[test]
fn a_key_taken_out_ends_the_sessions_it_sealed() {
    let world = World::with(key(1), |builder| builder);
    let cookie = world.login("alice");
    world.server.replace_keys(key(2)).unwrap();
    assert!(!world.is_alive(&cookie));
    assert_eq!(world.notes.take().last(), Some(&Event::Rejected(Reason::Forged)));
    assert_eq!(world.store.len(), 1, "the record stays for a rollback");
    world.server.replace_keys(key(1)).unwrap();
    assert!(world.is_alive(&cookie));
}

#[test]
fn servers_one_step_apart_do_not_make_a_cookie_flap() {
    let world = World::with(KeyRing::new(key(1)).upcoming(key(2)), |builder| builder);
    let ahead = world.another(KeyRing::new(key(2)).retired(key(1)), |builder| builder);
    let old = world.visit();
    let new = cookie(finish(&open(&ahead, &old)));
    for round in 0..5 {
        let session = world.open(&new);
        session.insert("round", &round).unwrap();
        assert!(sends_nothing(&finish(&session)), "the server behind leaves it");
        assert!(sends_nothing(&finish(&open(&ahead, &new))), "and so does the one ahead");
    }
}

#[test]
fn a_ring_with_a_key_twice_or_too_many_is_refused_and_the_old_one_stays() {
    let world = World::new();
    let cookie = world.visit();
    assert!(world.server.replace_keys(KeyRing::new(key(2)).retired(key(2))).is_err());
    let crowd = (3..20).fold(KeyRing::new(key(2)), |ring, number| ring.retired(key(number)));
    assert!(world.server.replace_keys(crowd).is_err());
    assert!(world.is_alive(&cookie));
}

#[test]
fn a_cookie_of_another_name_or_realm_does_not_verify() {
    let world = World::new();
    let cookie = world.visit();
    let name = world.another(key(1), |builder| builder.cookie_name("other"));
    let realm = world.another(key(1), |builder| builder.realm("other"));
    assert!(open(&name, &cookie).is_new());
    assert!(open(&realm, &cookie).is_new());
    assert!(!open(&world.another(key(1), |builder| builder), &cookie).is_new());
}

#[test]
fn a_cookie_is_sent_with_what_is_left_of_the_lifetime() {
    let world = World::new();
    let session = world.open(&world.visit());
    world.clock.advance(HOUR / 2);
    session.renew().unwrap();
    let finished = finish(&session);
    assert_eq!(finished.saved, Saved::Stored);
    let CookieAction::Set(cookie) = finished.cookie else { panic!("no cookie") };
    assert_eq!(cookie.max_age(), 10 * HOUR - HOUR / 2);
}

#[test]
fn a_request_with_the_old_token_does_not_start_the_grace() {
    let world = rotating();
    let old = world.visit();
    world.clock.advance(10 * MINUTE);
    let new = cookie(finish(&world.open(&old)));
    for _ in 0..3 {
        world.clock.advance(MINUTE);
        assert_eq!(cookie(finish(&world.open(&old))), new, "every answer brings it again");
    }
}
