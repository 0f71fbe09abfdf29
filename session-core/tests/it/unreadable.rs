//! Records that are there and that this server cannot open.

use session_core::{CookieAction, ErrorKind, KeyRing};

use crate::{
    hooked::{Fate, Hooked, Verb},
    memory::block_on,
    world::{World, cookie, finish, key, open, sends_nothing},
};

#[test]
fn a_record_that_cannot_be_read_is_an_unknown_visitor_whose_writes_fail_and_who_can_log_in() {
    for kind in [Some(ErrorKind::Unsupported), Some(ErrorKind::Corrupt), None] {
        let world = World::new();
        let alice = world.login("alice");
        let manager = Hooked::new(&world.store);
        let server = world.on(manager.clone(), |builder| builder);
        if let Some(kind) = kind {
            let fate = move |verb| if verb == Verb::Get { Fate::Fails(kind) } else { Fate::Passes };
            manager.set(move |verb, _| fate(verb));
        } else {
            // Verified by a key that is in the ring, sealed by one that is not.
            world.server.replace_keys(KeyRing::new(key(2)).retired(key(1))).unwrap();
            let session = world.open(&alice);
            session.insert("x", &1).unwrap();
            block_on(session.save()).unwrap();
        }
        let reader = open(&server, &alice);
        assert!(reader.is_new() && !reader.is_stranger() && !reader.was_ended());
        assert!(sends_nothing(&finish(&reader)));
        let writer = open(&server, &alice);
        writer.insert("csrf", "x").unwrap();
        assert_eq!(block_on(writer.finish()).unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(matches!(writer.take_cookie(), CookieAction::Keep), "the good cookie stays");
        let leaver = open(&server, &alice);
        assert_eq!(block_on(leaver.destroy()).unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(leaver.purge().unwrap_err().kind(), ErrorKind::Unavailable);
        let login = open(&server, &alice);
        block_on(login.bind("alice")).unwrap();
        let new = cookie(finish(&login));
        manager.set(|_, _| Fate::Passes);
        assert_eq!(open(&server, &new).principal().as_deref(), Some("alice"));
        assert_eq!(world.store.len(), 2, "the record is left");
        assert!(world.is_alive(&alice));
    }
}
