//! What is told as lost, which someone should look into, and what is not.

use session_core::Event;

use crate::world::{World, finish};

fn told_as_lost(world: &World) -> bool {
    let notes = world.notes.take();
    notes.contains(&Event::Lost) || notes.contains(&Event::Abandoned)
}

#[test]
fn a_label_for_a_visitor_who_stores_nothing_is_not_lost() {
    let world = World::new();
    let session = world.open("");
    session.set_label(Some("a browser")).unwrap();
    session.set_permanent(true).unwrap();
    finish(&session);
    drop(session);
    assert!(world.store.is_empty());
    assert!(!told_as_lost(&world));
}

#[test]
fn changes_that_come_to_nothing_are_not_lost() {
    let world = World::new();
    let cookie = world.visit();
    let session = world.open(&cookie);
    session.insert("value", &2).unwrap();
    session.insert("value", &1).unwrap();
    finish(&session);
    assert!(!session.is_modified());
    drop(session);
    assert!(!told_as_lost(&world));
}

#[test]
fn an_end_and_a_renewal_that_nobody_saves_are_lost() {
    let world = World::new();
    let cookie = world.visit();
    world.open(&cookie).purge().unwrap();
    assert!(told_as_lost(&world), "a logout");
    world.open(&cookie).renew().unwrap();
    assert!(told_as_lost(&world), "a renewal");
    assert!(world.is_alive(&cookie));
}
