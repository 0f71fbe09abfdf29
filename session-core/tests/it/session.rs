//! What one request does to a session, and what it leaves.

use session_core::{CookieAction, ErrorKind, Event, Saved, Status};

use crate::{
    memory::block_on,
    world::{MINUTE, SECOND, World, cookie, finish, key, sends_nothing},
};

#[test]
fn nothing_is_stored_or_sent_for_a_visitor_until_a_value_is_put_in() {
    let world = World::new();
    for _ in 0..10_000 {
        let session = world.open("");
        assert_eq!(session.get::<u32>("visits").unwrap(), None);
        session.clear().unwrap();
        session.remove("visits").unwrap();
        session.renew().unwrap();
        session.set_permanent(true).unwrap();
        session.set_label(Some("nobody")).unwrap();
        block_on(session.destroy()).unwrap();
        assert_eq!(block_on(session.take::<u32>("visits")).unwrap(), None);
        assert!(sends_nothing(&finish(&session)));
    }
    assert!(world.store.is_empty());
}

#[test]
fn a_session_is_found_again_by_its_cookie() {
    let world = World::new();
    let session = world.open("");
    session.insert("name", "Zoë").unwrap();
    session.insert("list", &vec![1, 2, 3]).unwrap();
    assert_eq!(session.status(), Status::Changed);
    let finished = finish(&session);
    assert_eq!(finished.saved, Saved::Stored);
    let session = world.open(&cookie(finished));
    assert!(!session.is_new());
    assert_eq!(session.get::<String>("name").unwrap().as_deref(), Some("Zoë"));
    assert_eq!(session.remove_as::<Vec<u32>>("list").unwrap(), Some(vec![1, 2, 3]));
    assert!(!session.contains_key("list"));
    let finished = finish(&session);
    assert_eq!(finished.saved, Saved::Stored);
    assert!(sends_nothing(&finished), "the browser has the right cookie");
}

#[test]
fn a_request_without_changes_writes_nothing() {
    let world = World::new();
    let cookie = world.visit();
    let session = world.open(&cookie);
    session.insert("value", &1).unwrap();
    assert_eq!(session.status(), Status::Unchanged);
    assert_eq!(finish(&session).saved, Saved::Unchanged);
    world.notes.take();
    assert_eq!(block_on(world.open(&cookie).save()).unwrap(), Saved::Unchanged);
    assert_eq!(world.notes.take(), []);
}

#[test]
fn values_of_another_type_are_refused_and_kept() {
    let world = World::new();
    let session = world.open(&world.visit());
    assert_eq!(session.get::<String>("value").unwrap_err().kind(), ErrorKind::Codec);
    let error = block_on(session.take::<String>("value")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    let error = block_on(session.update("value", |_: Option<String>| String::new())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert_eq!(session.get::<u32>("value").unwrap(), Some(1));
}

#[test]
fn a_field_that_moved_in_its_struct_is_read_by_its_name() {
    #[derive(serde::Serialize)]
    struct Before {
        host: String,
        user: String,
    }
    #[derive(serde::Deserialize)]
    struct After {
        user: String,
        host: String,
    }
    let world = World::new();
    let session = world.open("");
    session.insert("it", &Before { host: "h".into(), user: "u".into() }).unwrap();
    let after: After = session.get("it").unwrap().unwrap();
    assert_eq!((after.user.as_str(), after.host.as_str()), ("u", "h"));
    finish(&session);
}

#[test]
fn a_session_that_outgrows_its_limit_is_refused_at_insert_and_keeps_what_it_had() {
    let world = World::with(key(1), |builder| builder.max_bytes(1_000));
    let session = world.open("");
    session.insert("small", "value").unwrap();
    let error = session.insert("large", &"x".repeat(1_000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let error = session.insert("small", &"x".repeat(1_000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let error = block_on(session.update("small", |_: Option<String>| "x".repeat(1_000)));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(session.entries::<String>().unwrap().len(), 1);
    let session = world.open(&cookie(finish(&session)));
    assert_eq!(session.get::<String>("small").unwrap().as_deref(), Some("value"));
}

#[test]
fn a_session_stored_under_a_higher_limit_may_be_read_and_made_smaller() {
    let world = World::new();
    let session = world.open("");
    session.insert("a", &"x".repeat(600)).unwrap();
    session.insert("b", &"x".repeat(600)).unwrap();
    let cookie = cookie(finish(&session));
    let strict = world.another(key(1), |builder| builder.max_bytes(1_000));
    let session = crate::world::open(&strict, &cookie);
    session.remove("a").unwrap();
    assert_eq!(finish(&session).saved, Saved::Stored);
}

#[test]
fn a_session_that_ends_a_request_empty_and_unbound_ends_a_minute_later() {
    let world = World::new();
    let emptied = world.visit();
    let session = world.open(&emptied);
    session.clear().unwrap();
    assert!(sends_nothing(&finish(&session)));
    let bound = world.login("alice");
    world.clock.advance(MINUTE - SECOND);
    let reader = world.open(&emptied);
    block_on(reader.touch()).unwrap();
    assert!(sends_nothing(&finish(&reader)));
    world.clock.advance(SECOND);
    assert!(!world.is_alive(&emptied), "no read and no touch moved its end");
    assert!(world.is_alive(&bound), "one with a principal stays");
}

#[test]
fn a_value_for_an_emptied_session_restores_its_usual_end() {
    let world = World::new();
    let cookie = world.visit();
    let session = world.open(&cookie);
    session.clear().unwrap();
    finish(&session);
    let session = world.open(&cookie);
    session.insert("cart", &1).unwrap();
    finish(&session);
    world.clock.advance(10 * MINUTE);
    assert!(world.open(&cookie).contains_key("cart"));
}

#[test]
fn a_message_shown_in_one_tab_refuses_nothing_to_another() {
    let world = World::new();
    let session = world.open("");
    session.insert("flash", "hello").unwrap();
    let visitor = cookie(finish(&session));
    let [cart, page] = [(); 2].map(|()| world.open(&visitor));
    block_on(page.take::<String>("flash")).unwrap();
    assert!(sends_nothing(&finish(&page)));
    cart.insert("cart", &["apple"]).unwrap();
    assert_eq!(finish(&cart).saved, Saved::Stored);
    assert_eq!(world.open(&visitor).value_keys(), ["cart"]);
}

#[test]
fn an_update_that_would_change_nothing_here_is_made_on_what_is_stored() {
    let world = World::new();
    let session = world.open("");
    session.insert("open", &false).unwrap();
    session.insert("attempts", &5_u32).unwrap();
    let visitor = cookie(finish(&session));
    let [late, other] = [(); 2].map(|()| world.open(&visitor));
    other.insert("open", &true).unwrap();
    other.insert("attempts", &0_u32).unwrap();
    finish(&other);
    assert!(!block_on(late.update("open", |_: Option<bool>| false)).unwrap());
    let capped = |attempts: Option<u32>| (attempts.unwrap_or(0) + 1).min(5);
    assert_eq!(block_on(late.update("attempts", capped)).unwrap(), 1);
    let stored = world.open(&visitor);
    assert_eq!(stored.get::<bool>("open").unwrap(), Some(false));
    assert_eq!(stored.get::<u32>("attempts").unwrap(), Some(1));
}

#[test]
fn a_value_that_another_request_put_in_meanwhile_is_taken_and_removed() {
    let world = World::new();
    let visitor = world.visit();
    let [taker, remover, clearer, other] = [(); 4].map(|()| world.open(&visitor));
    for key in ["taken", "removed", "kept"] {
        other.insert(key, &7).unwrap();
    }
    finish(&other);
    assert_eq!(block_on(taker.take::<u32>("taken")).unwrap(), Some(7));
    assert!(!remover.remove("removed").unwrap(), "as far as this request sees");
    finish(&remover);
    assert_eq!(world.open(&visitor).value_keys(), ["kept", "value"]);
    clearer.clear().unwrap();
    finish(&clearer);
    assert!(world.open(&visitor).is_empty());
}

#[test]
fn an_update_may_refuse_and_then_nothing_is_written() {
    let world = World::new();
    let session = world.open("");
    session.insert("credits", &7_u32).unwrap();
    let visitor = cookie(finish(&session));
    let pay = |credits: Option<u32>| credits.unwrap_or(0).checked_sub(5).ok_or("too few");
    let [first, second] = [(); 2].map(|()| world.open(&visitor));
    assert_eq!(block_on(first.try_update("credits", pay)).unwrap(), Ok(2));
    second.insert("pending", &1).unwrap();
    assert_eq!(block_on(second.try_update("credits", pay)).unwrap(), Err("too few"));
    assert!(second.is_modified(), "what is pending stays so");
    assert_eq!(world.open(&visitor).value_keys(), ["credits"]);
    finish(&second);
    assert_eq!(world.open(&visitor).value_keys(), ["credits", "pending"]);
}

#[test]
fn an_update_may_start_over_where_the_stored_value_is_of_another_type() {
    let world = World::new();
    let visitor = world.visit();
    let session = world.open(&visitor);
    let longer = |text: Option<String>| text.unwrap_or_default() + "x";
    assert_eq!(block_on(session.update("value", longer)).unwrap_err().kind(), ErrorKind::Codec);
    assert_eq!(block_on(session.update_or_reset("value", longer)).unwrap(), "x");
    assert_eq!(block_on(session.update("value", longer)).unwrap(), "xx");
}

#[test]
fn a_reload_shows_what_others_stored_with_the_changes_of_this_request_on_top() {
    let world = World::new();
    let visitor = world.visit();
    let [session, other] = [(); 2].map(|()| world.open(&visitor));
    session.insert("mine", &1).unwrap();
    other.insert("theirs", &2).unwrap();
    other.insert("mine", &3).unwrap();
    finish(&other);
    block_on(session.reload()).unwrap();
    assert_eq!(session.value_keys(), ["mine", "theirs", "value"]);
    assert_eq!(session.get::<u32>("mine").unwrap(), Some(1));
    block_on(world.open(&visitor).destroy()).unwrap();
    assert_eq!(block_on(session.reload()).unwrap_err().kind(), ErrorKind::Gone);
}

#[test]
fn many_changes_of_one_key_in_a_request_count_as_the_last() {
    let world = World::new();
    let session = world.open("");
    let mut items = Vec::new();
    for item in 0..2_000_u32 {
        items.push(item);
        session.insert("items", &items).unwrap();
    }
    let stored = world.open(&cookie(finish(&session)));
    assert_eq!(stored.get::<Vec<u32>>("items").unwrap().unwrap().len(), 2_000);
}

#[test]
fn a_message_shown_once_leaves_no_session_behind_for_long() {
    let world = World::new();
    let session = world.open("");
    session.insert("message", "saved").unwrap();
    let visitor = cookie(finish(&session));
    let session = world.open(&visitor);
    assert_eq!(block_on(session.take::<String>("message")).unwrap().as_deref(), Some("saved"));
    assert!(sends_nothing(&finish(&session)));
    world.clock.advance(MINUTE);
    assert!(!world.is_alive(&visitor));
}

#[test]
fn what_is_put_in_after_a_purge_belongs_to_a_new_session() {
    let world = World::new();
    let old = world.login("alice");
    let session = world.open(&old);
    session.insert("secret", &1).unwrap();
    session.purge().unwrap();
    assert_eq!((session.status(), session.principal()), (Status::Purged, None));
    assert!(session.is_empty());
    session.insert("message", "good bye").unwrap();
    let new = cookie(finish(&session));
    assert!(!world.is_alive(&old));
    let session = world.open(&new);
    assert_eq!(session.entries::<String>().unwrap().len(), 1);
    assert_eq!(session.principal(), None);
    assert_ne!(new[..36], old[..36], "another sid");
}

#[test]
fn a_login_after_a_purge_is_a_login_in_a_new_session() {
    let world = World::new();
    let old = world.login("alice");
    let session = world.open(&old);
    session.purge().unwrap();
    block_on(session.bind("bob")).unwrap();
    assert_eq!(session.principal().as_deref(), Some("bob"));
    let new = cookie(finish(&session));
    assert_eq!(world.open(&new).principal().as_deref(), Some("bob"));
    assert_ne!(new[..36], old[..36], "another sid");
    assert_eq!(world.store.len(), 1);
}

#[test]
fn an_update_after_a_purge_is_an_update_of_a_new_session() {
    let world = World::new();
    let old = world.visit();
    let session = world.open(&old);
    session.purge().unwrap();
    let value = session.update("value", |value: Option<u32>| value.map_or(7, |value| value + 1));
    assert_eq!(block_on(value).unwrap(), 7);
    let new = cookie(finish(&session));
    assert_eq!(world.open(&new).get::<u32>("value").unwrap(), Some(7));
    assert!(!world.is_alive(&old));
}

#[test]
fn what_follows_a_purge_of_a_session_that_was_gone_meanwhile_is_done_in_a_new_one() {
    let world = World::new();
    for seen in [false, true] {
        for login in [false, true] {
            let old = world.visit();
            let session = world.open(&old);
            block_on(world.open(&old).destroy()).unwrap();
            if seen {
                session.insert("value", &2).unwrap();
                assert_eq!(block_on(session.save()).unwrap_err().kind(), ErrorKind::Gone);
            }
            session.purge().unwrap();
            if login {
                block_on(session.bind("alice")).unwrap();
            } else {
                assert_eq!(block_on(session.update("n", |_: Option<u32>| 1)).unwrap(), 1);
            }
            let session = world.open(&cookie(finish(&session)));
            assert_eq!(session.principal().is_some(), login);
            assert_eq!(session.contains_key("n"), !login);
            assert!(!session.contains_key("value"));
        }
    }
}

#[test]
fn a_take_after_a_purge_finds_nothing_and_makes_no_session() {
    let world = World::new();
    let session = world.open(&world.visit());
    session.purge().unwrap();
    assert_eq!(block_on(session.take::<u32>("value")).unwrap(), None);
    assert!(matches!(finish(&session).cookie, CookieAction::Remove));
    assert!(world.store.is_empty());
}

#[test]
fn a_destroyed_session_is_refused_and_its_cookie_removed() {
    let world = World::new();
    let cookie = world.login("alice");
    let session = world.open(&cookie);
    block_on(session.destroy()).unwrap();
    assert!(!world.is_alive(&cookie), "before the response has left");
    assert!(matches!(finish(&session).cookie, CookieAction::Remove));
    assert!(world.notes.take().contains(&Event::Destroyed));
    let session = world.open(&cookie);
    assert!(sends_nothing(&finish(&session)), "the next request has ended nothing");
}

#[test]
fn a_change_after_the_head_has_left_is_an_error_unless_the_handler_saves_by_itself() {
    let world = World::new();
    let session = world.open(&world.visit());
    finish(&session);
    assert_eq!(session.insert("late", &1).unwrap_err().kind(), ErrorKind::Finished);
    assert_eq!(session.clear().unwrap_err().kind(), ErrorKind::Finished);
    assert_eq!(session.renew().unwrap_err().kind(), ErrorKind::Finished);
    assert_eq!(block_on(session.update("n", |n: Option<u32>| n.map_or(1, |n| n + 1))).unwrap(), 1);
    assert_eq!(block_on(session.save()).unwrap(), Saved::Unchanged);
    session.insert("late", &1).unwrap();
    assert_eq!(block_on(session.save()).unwrap(), Saved::Stored);
    let error = block_on(session.bind("alice")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Finished, "no cookie can be sent any more");
    assert_eq!(session.renew().unwrap_err().kind(), ErrorKind::Finished);
}

#[test]
fn a_visitor_cannot_get_a_session_after_the_head_has_left() {
    let world = World::new();
    let session = world.open("");
    finish(&session);
    let error = block_on(session.update("n", |_: Option<u32>| 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Finished);
    assert!(world.store.is_empty());
}

#[test]
fn changes_that_nobody_saves_are_told() {
    let world = World::new();
    let session = world.open("");
    session.insert("value", &1).unwrap();
    drop(session);
    assert_eq!(world.notes.take(), [Event::Abandoned]);
}

#[test]
fn clones_are_one_session() {
    let world = World::new();
    let session = world.open("");
    let clone = session.clone();
    session.insert("a", &1).unwrap();
    clone.insert("b", &2).unwrap();
    assert_eq!(block_on(clone.save()).unwrap(), Saved::Stored);
    assert_eq!(block_on(session.save()).unwrap(), Saved::Unchanged);
    assert_eq!(world.store.len(), 1);
    finish(&session);
}

#[test]
fn a_long_connection_learns_that_its_session_ended() {
    let world = World::new();
    let cookie = world.login("alice");
    let session = world.open(&cookie);
    finish(&session);
    assert!(block_on(session.is_live()).unwrap());
    block_on(world.server.revoke_all("alice", None)).unwrap();
    assert!(!block_on(session.is_live()).unwrap());
    let replaced = world.open(&world.login("bob"));
    finish(&replaced);
    let handle = replaced.handle().unwrap();
    world.clock.advance(MINUTE);
    assert!(block_on(world.server.revoke("bob", &handle)).unwrap());
    assert!(!block_on(replaced.is_live()).unwrap());
}

#[test]
fn a_take_or_an_update_counts_what_was_put_in_before_it() {
    for known in [false, true] {
        let world = World::new();
        let before = if known { world.visit() } else { String::new() };
        let session = world.open(&before);
        session.insert("ticket", &7).unwrap();
        assert_eq!(block_on(session.take::<u32>("ticket")).unwrap(), Some(7));
        assert_eq!(block_on(session.take::<u32>("ticket")).unwrap(), None, "once");
        session.insert("value", &5).unwrap();
        assert_eq!(block_on(session.update("value", |_: Option<u32>| 1)).unwrap(), 1);
        assert_eq!(session.get::<u32>("value").unwrap(), Some(1));
        let finished = finish(&session);
        let session = world.open(&if known { before.clone() } else { cookie(finished) });
        assert_eq!(
            session.entries::<u32>().unwrap().into_iter().collect::<Vec<_>>(),
            [("value".into(), 1)]
        );
    }
}

#[test]
fn what_a_session_is_to_be_like_waits_for_its_first_value() {
    let world = World::new();
    let session = world.open("");
    session.set_permanent(true).unwrap();
    session.set_label(Some("phone")).unwrap();
    assert_eq!(block_on(session.save()).unwrap(), Saved::Unchanged);
    session.insert("value", &1).unwrap();
    let session = world.open(&cookie(finish(&session)));
    assert!(session.permanent());
    assert_eq!(session.label().as_deref(), Some("phone"));
}

#[test]
fn an_update_may_ask_the_session_things() {
    let world = World::new();
    let session = world.open(&world.login("alice"));
    let asked = session.clone();
    let visits = session.update("visits", |visits: Option<u32>| {
        assert_eq!(asked.principal().as_deref(), Some("alice"));
        assert!(asked.is_modified() || !asked.is_new());
        visits.unwrap_or(0) + 1
    });
    assert_eq!(block_on(visits).unwrap(), 1);
    finish(&session);
}
