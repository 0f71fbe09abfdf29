//! Requests of one browser at the same time.

use std::collections::HashSet;

use futures_util::future::{join, join_all, join3};
use session_core::{CookieAction, ErrorKind, Event, ManagedSession, Saved};

use crate::{
    gated::gated,
    memory::block_on,
    world::{MINUTE, SECOND, World, cookie, finish, is_refused, key, open, sends_nothing},
};

#[test]
fn two_hundred_writes_of_different_keys_are_all_kept() {
    let world = World::new();
    let cookie = world.visit();
    let sessions: Vec<_> = (0..200).map(|_| world.open(&cookie)).collect();
    for (at, session) in sessions.iter().enumerate() {
        session.insert(format!("key {at}"), &at).unwrap();
    }
    let finished = block_on(join_all(sessions.iter().map(ManagedSession::finish)));
    assert!(finished.iter().all(|finished| finished.as_ref().unwrap().saved == Saved::Stored));
    assert_eq!(world.open(&cookie).len(), 201);
}

#[test]
fn two_hundred_increments_have_two_hundred_answers() {
    let world = World::new();
    let cookie = world.visit();
    let servers = [world.server.clone(), world.another(key(1), |builder| builder)];
    let sessions: Vec<_> = (0..200).map(|at| open(&servers[at % 2], &cookie)).collect();
    let increments = sessions
        .iter()
        .map(|session| session.update("count", |count: Option<u32>| count.unwrap_or(0) + 1));
    let numbers: HashSet<u32> =
        block_on(join_all(increments)).into_iter().map(Result::unwrap).collect();
    assert_eq!(numbers, (1..=200).collect());
    assert_eq!(world.open(&cookie).get::<u32>("count").unwrap(), Some(200));
}

#[test]
fn a_value_taken_by_many_at_once_has_one_taker() {
    let world = World::new();
    let session = world.open("");
    session.insert("ticket", "admit one").unwrap();
    session.insert("other", &1).unwrap();
    let cookie = cookie(finish(&session));
    let sessions: Vec<_> = (0..50).map(|_| world.open(&cookie)).collect();
    let takers =
        block_on(join_all(sessions.iter().map(|session| session.take::<String>("ticket"))));
    let got = takers.into_iter().filter_map(Result::unwrap).count();
    assert_eq!(got, 1);
}

#[test]
fn a_slow_request_does_not_bring_a_logged_out_session_back() {
    let world = World::new();
    let cookie = world.login("alice");
    let [slow, reader, renewer, updater] = [(); 4].map(|()| world.open(&cookie));
    block_on(world.open(&cookie).destroy()).unwrap();
    slow.insert("cart", &1).unwrap();
    renewer.renew().unwrap();
    world.clock.advance(20 * MINUTE);
    for session in [&slow, &renewer] {
        assert!(is_refused(session));
    }
    let finished = finish(&reader);
    assert_eq!(finished.saved, Saved::Unchanged, "a request that only read is answered");
    assert!(sends_nothing(&finished));
    let error = block_on(updater.update("n", |_: Option<u32>| 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone);
    let error = block_on(updater.bind("alice")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone);
    assert!(world.store.is_empty());
    assert!(world.notes.take().contains(&Event::Gone));
}

#[test]
fn a_handler_that_saw_its_session_gone_is_not_told_again() {
    let world = World::new();
    let cookie = world.visit();
    let session = world.open(&cookie);
    block_on(world.open(&cookie).destroy()).unwrap();
    session.insert("a", &1).unwrap();
    assert_eq!(block_on(session.save()).unwrap_err().kind(), ErrorKind::Gone);
    assert_eq!(finish(&session).saved, Saved::Unchanged);
    let session = world.open(&world.visit());
    block_on(session.destroy()).unwrap();
    assert_eq!(finish(&session).saved, Saved::Unchanged);
}

#[test]
fn nothing_of_a_request_opened_before_a_login_is_in_the_session_after_it() {
    let world = World::new();
    let before = world.visit();
    let slow = world.open(&before);
    let session = world.open(&before);
    block_on(session.bind("alice")).unwrap();
    let after = cookie(finish(&session));
    slow.insert("planted", &1).unwrap();
    assert!(is_refused(&slow));
    assert!(!world.is_alive(&before));
    let session = world.open(&after);
    assert!(!session.contains_key("planted"));
    assert!(session.contains_key("value"), "what was there before the login stays");
}

#[test]
fn a_write_of_a_request_that_a_change_of_token_overtook_is_refused_however_long_it_runs() {
    for seconds_after in [0, 4] {
        let world = World::new();
        let before = world.visit();
        let early = world.open(&before);
        let session = world.open(&before);
        session.renew().unwrap();
        let after = cookie(finish(&session));
        world.clock.advance(seconds_after * SECOND);
        let late = world.open(&before);
        assert!(late.is_new());
        let reader = world.open(&before);
        assert!(sends_nothing(&finish(&reader)), "reading is anonymous, and sends nothing");
        world.clock.advance(10 * MINUTE);
        for session in [early, late] {
            session.insert("x", &1).unwrap();
            assert!(is_refused(&session), "the newer cookie is not overwritten");
        }
        assert!(world.is_alive(&after));
    }
}

#[test]
fn a_write_that_arrives_later_with_a_replaced_token_begins_a_session() {
    let world = World::new();
    let before = world.visit();
    let session = world.open(&before);
    session.renew().unwrap();
    let after = cookie(finish(&session));
    world.clock.advance(5 * SECOND);
    let session = world.open(&before);
    session.insert("x", &1).unwrap();
    let new = cookie(finish(&session));
    assert!(world.is_alive(&after) && world.is_alive(&new));
    assert_ne!(new[..36], after[..36]);
}

#[test]
fn two_cookies_of_different_live_sessions_mean_none() {
    let world = World::new();
    let [mine, planted] = [world.visit(), world.visit()];
    let dead = world.visit();
    block_on(world.open(&dead).destroy()).unwrap();
    let open = |cookies: &[&str]| {
        block_on(world.server.open(cookies.iter().map(|cookie| cookie.as_bytes()))).unwrap()
    };
    assert!(open(&[&mine, &planted]).is_new());
    assert!(open(&[&planted, &mine]).is_new());
    assert!(!open(&[&mine, &mine]).is_new());
    assert!(!open(&["rubbish", &dead, &mine]).is_new());
    assert!(!open(&[&mine, &dead, "rubbish"]).is_new());
    let many: Vec<_> = std::iter::repeat_n("rubbish", 100).chain([mine.as_str()]).collect();
    assert!(open(&many).is_new(), "only so many are looked at");
}

#[test]
fn what_follows_a_purge_does_not_take_the_place_of_a_newer_login() {
    let world = World::new();
    let before = world.visit();
    let slow = world.open(&before);
    let session = world.open(&before);
    block_on(session.bind("alice")).unwrap();
    let after = cookie(finish(&session));
    slow.purge().unwrap();
    slow.insert("message", "good bye").unwrap();
    assert!(is_refused(&slow));
    assert!(world.is_alive(&after));
}

#[test]
fn of_two_that_change_the_same_key_the_last_to_be_stored_wins_and_both_are_told() {
    let world = World::new();
    let cookie = world.visit();
    let [first, second] = [(); 2].map(|()| world.open(&cookie));
    first.insert("theme", "dark").unwrap();
    second.insert("theme", "light").unwrap();
    assert_eq!(finish(&second).saved, Saved::Stored);
    assert_eq!(finish(&first).saved, Saved::Stored);
    assert_eq!(world.open(&cookie).get::<String>("theme").unwrap().as_deref(), Some("dark"));
}

#[test]
fn no_request_sees_what_another_has_not_stored() {
    let world = World::new();
    let cookie = world.visit();
    let [writer, reader] = [(); 2].map(|()| world.open(&cookie));
    writer.insert("draft", &1).unwrap();
    assert!(!reader.contains_key("draft"));
    assert!(!world.open(&cookie).contains_key("draft"));
    finish(&writer);
    assert!(!reader.contains_key("draft"), "a request sees the session as it was opened");
    assert!(world.open(&cookie).contains_key("draft"));
}

#[test]
fn a_session_that_is_ended_while_its_creation_is_under_way_is_ended() {
    let (world, manager, server) = gated(|builder| builder);
    let session = open(&server, "");
    session.insert("value", &1).unwrap();
    manager.puts.close(2);
    let (saved, destroyed, ()) = block_on(join3(session.save(), session.destroy(), async {
        assert!(session.is_empty(), "here at once");
        manager.puts.come();
    }));
    assert_eq!(saved.unwrap(), Saved::Stored);
    destroyed.unwrap();
    assert!(world.store.is_empty());
    assert!(session.is_empty());
    assert!(!matches!(finish(&session).cookie, CookieAction::Set(_)));
}

#[test]
fn what_an_update_stores_that_purges_belongs_to_a_new_session() {
    for known in [false, true] {
        let world = World::new();
        let before = if known { world.visit() } else { String::new() };
        let session = world.open(&before);
        let within = session.clone();
        let update = session.update("n", |_: Option<u32>| {
            within.purge().unwrap();
            1
        });
        assert_eq!(block_on(update).unwrap(), 1);
        assert!(!session.contains_key("value"));
        let after = cookie(finish(&session));
        assert!(!world.is_alive(&before));
        assert_eq!(world.open(&after).value_keys(), ["n"]);
        assert_eq!(world.store.len(), 1);
    }
}

#[test]
fn a_renewal_asked_for_while_a_write_is_under_way_is_made_by_the_next() {
    let (world, manager, server) = gated(|builder| builder);
    let old = world.visit();
    let session = open(&server, &old);
    manager.puts.close(2);
    let (updated, ()) = block_on(join(session.update("n", |_: Option<u32>| 1), async {
        session.renew().unwrap();
        manager.puts.come();
    }));
    assert_eq!(updated.unwrap(), 1);
    let new = cookie(finish(&session));
    assert!(!world.is_alive(&old));
    assert!(world.open(&new).contains_key("n"));
}

#[test]
fn what_follows_a_purge_while_a_write_is_under_way_is_kept_for_the_new_session() {
    let (world, manager, server) = gated(|builder| builder);
    for known in [true, false] {
        let old = if known { world.visit() } else { String::new() };
        let session = open(&server, &old);
        session.insert("before", &1).unwrap();
        session.insert("more", &1).unwrap();
        manager.puts.close(2);
        let (saved, ()) = block_on(join(session.save(), async {
            session.purge().unwrap();
            session.insert("after", &1).unwrap();
            manager.puts.come();
        }));
        assert_eq!(saved.unwrap(), Saved::Stored);
        assert_eq!(session.entries::<u32>().unwrap().into_keys().collect::<Vec<_>>(), ["after"]);
        let new = cookie(finish(&session));
        assert_eq!(world.store.len(), 1);
        assert_eq!(
            world.open(&new).entries::<u32>().unwrap().into_keys().collect::<Vec<_>>(),
            ["after"]
        );
        block_on(world.open(&new).destroy()).unwrap();
    }
}

#[test]
fn what_follows_a_purge_while_a_write_finds_the_session_gone_is_kept_for_the_new_one() {
    let (world, manager, server) = gated(|builder| builder);
    let old = world.visit();
    let session = open(&server, &old);
    session.insert("before", &1).unwrap();
    block_on(world.open(&old).destroy()).unwrap();
    manager.puts.close(2);
    let (saved, ()) = block_on(join(session.save(), async {
        session.purge().unwrap();
        session.insert("after", &1).unwrap();
        manager.puts.come();
    }));
    assert_eq!(saved.unwrap_err().kind(), ErrorKind::Gone);
    let session = world.open(&cookie(finish(&session)));
    assert!(session.contains_key("after") && !session.contains_key("before"));
}

#[test]
fn what_follows_a_purge_within_an_update_that_changes_nothing_is_kept() {
    let world = World::new();
    let session = world.open(&world.visit());
    session.insert("value", &2).unwrap();
    session.insert("value", &1).unwrap();
    let within = session.clone();
    let mut first = true;
    let update = session.update("value", |value: Option<u32>| {
        if std::mem::take(&mut first) {
            within.purge().unwrap();
            within.insert("after", &1).unwrap();
        }
        value.unwrap_or(0)
    });
    assert_eq!(block_on(update).unwrap(), 0, "it is made in the new session");
    let session = world.open(&cookie(finish(&session)));
    assert!(session.contains_key("after") && session.len() == 2);
}
