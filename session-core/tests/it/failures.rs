//! Stores that fail.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use async_trait::async_trait;
use session_core::{
    CookieAction, Error, ErrorKind, Event, Expect, ForgetSessions, ListSessions,
    MemorySessionManager, Outcome, ProbeVersions, RecallSessions, Record, Removal, Result, Saved,
    SessionId, SessionInterface, SessionManager, SweepSessions, Timestamp, Version, WatchSessions,
};

use crate::{
    memory::block_on,
    world::{MINUTE, World, cookie, finish, open, sends_nothing},
};

const WELL: u8 = 0;
/// Nothing is done, and every call fails.
const DOWN: u8 = 1;
/// Writes are done, and the answer is lost.
const MUTE: u8 = 2;
/// Writes are always answered `Conflict`.
const BUSY: u8 = 3;
/// Writes are done twice, the second time in vain, and then the store is down.
const TWICE: u8 = 4;

#[derive(Clone, Debug)]
struct Failing {
    store: MemorySessionManager,
    mode: Arc<AtomicU8>,
}

impl Failing {
    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }

    fn is(&self, mode: u8) -> bool {
        self.mode.load(Ordering::SeqCst) == mode
    }

    async fn answer<T>(
        &self,
        call: impl Future<Output = Result<T>>,
        conflict: Option<T>,
    ) -> Result<T> {
        let failed = || Error::new(ErrorKind::Unavailable, "test", "no answer");
        match (self.mode.load(Ordering::SeqCst), conflict) {
            (DOWN, _) => Err(failed()),
            (MUTE, Some(_)) => {
                let _ = call.await;
                Err(failed())
            }
            (BUSY, Some(conflict)) => Ok(conflict),
            (TWICE, Some(conflict)) => {
                let _ = call.await;
                self.set(DOWN);
                Ok(conflict)
            }
            _ => call.await,
        }
    }
}

#[async_trait]
impl SessionManager for Failing {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        self.answer(self.store.exists(id), None).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        self.answer(self.store.get(id), None).await
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        self.answer(self.store.put(record, expect), Some(Outcome::Conflict)).await
    }

    async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        self.answer(self.store.touch(id, version, expires_at), Some(Outcome::Conflict)).await
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        self.answer(self.store.remove(id, only), Some(Removal::Conflict)).await
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        None
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        None
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        None
    }

    fn watching(&self) -> Option<&dyn WatchSessions> {
        None
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        None
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        None
    }
}

fn failing() -> (World, Failing, SessionInterface) {
    let world = World::new();
    let manager = Failing { store: world.store.clone(), mode: Arc::default() };
    let server = world.on(manager.clone(), |builder| builder);
    (world, manager, server)
}

fn ids(world: &World) -> Vec<SessionId> {
    block_on(world.store.scan(None, 10)).unwrap().ids
}

#[test]
fn a_store_that_is_down_is_an_error_and_not_a_logout() {
    let (world, manager, server) = failing();
    let cookie = world.login("alice");
    manager.set(DOWN);
    let error = block_on(server.open([cookie.as_bytes()])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    assert!(world.notes.take().contains(&Event::StoreError(ErrorKind::Unavailable)));
    assert!(open(&server, "").is_new(), "visitors without a cookie are served");
    manager.set(WELL);
    assert!(!open(&server, &cookie).is_new());
}

#[test]
fn what_was_not_stored_is_an_error_and_is_kept_for_another_try() {
    let (world, manager, server) = failing();
    let session = open(&server, "");
    session.insert("value", &1).unwrap();
    manager.set(DOWN);
    assert_eq!(block_on(session.save()).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(block_on(session.finish()).unwrap_err().kind(), ErrorKind::Unavailable);
    manager.set(WELL);
    let cookie = cookie(finish(&session));
    assert!(world.is_alive(&cookie));
}

#[test]
fn housekeeping_that_fails_does_not_spoil_a_good_answer() {
    let (world, manager, server) = failing();
    let cookie = world.visit();
    world.clock.advance(30 * MINUTE);
    for mode in [DOWN, MUTE, BUSY] {
        let session = open(&server, &cookie);
        manager.set(mode);
        let finished = finish(&session);
        assert_eq!(finished.saved, Saved::Unchanged);
        assert!(sends_nothing(&finished));
        manager.set(WELL);
    }
}

#[test]
fn a_creation_whose_answer_was_lost_is_recognised_and_not_made_twice() {
    let (world, manager, server) = failing();
    let session = open(&server, "");
    session.insert("value", &1).unwrap();
    manager.set(MUTE);
    assert!(block_on(session.save()).is_err());
    manager.set(WELL);
    session.insert("other", &2).unwrap();
    let cookie = cookie(finish(&session));
    assert_eq!(world.store.len(), 1);
    assert_eq!(world.open(&cookie).len(), 2);
}

#[test]
fn a_renewal_whose_answer_was_lost_is_recognised_and_its_cookie_sent() {
    let (world, manager, server) = failing();
    let old = world.visit();
    let session = open(&server, &old);
    session.renew().unwrap();
    manager.set(MUTE);
    assert!(block_on(session.save()).is_err());
    manager.set(WELL);
    let new = cookie(finish(&session));
    assert!(world.is_alive(&new) && !world.is_alive(&old));
}

#[test]
fn a_removal_whose_answer_was_lost_may_be_tried_again() {
    let (world, manager, server) = failing();
    let cookie = world.visit();
    let session = open(&server, &cookie);
    manager.set(MUTE);
    assert!(block_on(session.destroy()).is_err());
    manager.set(WELL);
    block_on(session.destroy()).unwrap();
    assert!(!world.is_alive(&cookie));
    assert!(!matches!(finish(&session).cookie, CookieAction::Set(_)));
}

#[test]
fn a_save_against_writers_that_never_rest_gives_up_and_says_so() {
    let (world, manager, server) = failing();
    let cookie = world.visit();
    let session = open(&server, &cookie);
    session.insert("value", &2).unwrap();
    manager.set(BUSY);
    assert!(manager.is(BUSY));
    assert_eq!(block_on(session.save()).unwrap_err().kind(), ErrorKind::Contended);
    manager.set(WELL);
    assert_eq!(finish(&session).saved, Saved::Stored);
}

#[test]
fn the_cookie_of_a_login_is_sent_though_what_came_after_it_was_not_stored() {
    let (world, manager, server) = failing();
    let session = open(&server, &world.visit());
    block_on(session.bind("alice")).unwrap();
    session.insert("more", &1).unwrap();
    manager.set(DOWN);
    assert!(block_on(session.finish()).is_err());
    manager.set(WELL);
    let CookieAction::Set(cookie) = session.take_cookie() else { panic!("no cookie") };
    assert!(world.is_alive(cookie.value()));
}

/// The login of a visitor, and of a stranger, is one in the end, however each try at it failed.
fn reaches_the_browser(tries: &[u8]) {
    for known in [true, false] {
        let (world, manager, server) = failing();
        let before = if known { world.visit() } else { String::new() };
        let session = open(&server, &before);
        for mode in tries {
            manager.set(*mode);
            assert!(block_on(session.bind("alice")).is_err());
        }
        manager.set(WELL);
        let cookie = cookie(finish(&session));
        assert_eq!(world.open(&cookie).principal().as_deref(), Some("alice"));
        assert_eq!(world.store.len(), 1);
    }
}

#[test]
fn a_login_whose_answer_was_lost_reaches_the_browser_all_the_same() {
    reaches_the_browser(&[MUTE]);
}

#[test]
fn a_login_whose_answer_was_lost_reaches_the_browser_though_the_look_at_it_failed_too() {
    reaches_the_browser(&[MUTE, DOWN]);
}

#[test]
fn a_login_that_met_its_own_record_reaches_the_browser_though_the_look_at_it_failed() {
    reaches_the_browser(&[TWICE]);
}

#[test]
fn a_session_whose_creation_was_not_answered_can_be_ended() {
    for stored in [true, false] {
        for at_once in [true, false] {
            let (world, manager, server) = failing();
            let session = open(&server, "");
            manager.set(if stored { MUTE } else { DOWN });
            assert!(block_on(session.bind("alice")).is_err());
            manager.set(WELL);
            if at_once {
                block_on(session.destroy()).unwrap();
                assert!(world.store.is_empty());
            } else {
                session.purge().unwrap();
            }
            let finished = finish(&session);
            assert!(!matches!(finished.cookie, CookieAction::Set(_)));
            assert!(world.store.is_empty());
            drop(session);
            assert!(!world.notes.take().contains(&Event::Lost));
        }
    }
}

#[test]
fn what_follows_the_end_of_a_session_whose_creation_was_not_answered_is_another_session() {
    for stored in [true, false] {
        let (world, manager, server) = failing();
        let session = open(&server, "");
        manager.set(if stored { MUTE } else { DOWN });
        assert!(block_on(session.bind("alice")).is_err());
        manager.set(WELL);
        let old = ids(&world);
        session.purge().unwrap();
        session.insert("value", &1).unwrap();
        let cookie = cookie(finish(&session));
        assert_eq!(world.store.len(), 1);
        assert_ne!(ids(&world), old, "another sid");
        assert_eq!(world.open(&cookie).principal(), None);
        assert!(world.open(&cookie).contains_key("value"));
    }
}

#[test]
fn an_end_whose_look_at_an_unanswered_creation_fails_may_be_tried_again() {
    let (world, manager, server) = failing();
    let session = open(&server, "");
    manager.set(MUTE);
    assert!(block_on(session.bind("alice")).is_err());
    manager.set(DOWN);
    assert!(block_on(session.destroy()).is_err());
    manager.set(WELL);
    block_on(session.destroy()).unwrap();
    assert!(world.store.is_empty());
    assert!(!matches!(finish(&session).cookie, CookieAction::Set(_)));
}

#[test]
fn values_of_a_creation_that_was_not_answered_can_be_cleared() {
    for stored in [true, false] {
        let (world, manager, server) = failing();
        let session = open(&server, "");
        manager.set(if stored { MUTE } else { DOWN });
        assert!(block_on(session.update("n", |_: Option<u32>| 1)).is_err());
        manager.set(WELL);
        session.clear().unwrap();
        assert!(!matches!(finish(&session).cookie, CookieAction::Set(_)));
        assert!(world.store.is_empty());
    }
}

#[test]
fn a_renewal_that_failed_is_not_made_up_for_after_the_head_has_left() {
    let (world, manager, server) = failing();
    let cookie = world.visit();
    let session = open(&server, &cookie);
    session.renew().unwrap();
    manager.set(DOWN);
    assert!(block_on(session.finish()).is_err());
    manager.set(WELL);
    assert_eq!(block_on(session.update("n", |_: Option<u32>| 1)).unwrap(), 1);
    assert!(world.is_alive(&cookie), "no token was replaced that nobody is told of");
    assert_eq!(block_on(session.bind("alice")).unwrap_err().kind(), ErrorKind::Finished);
}

#[test]
fn an_id_that_is_taken_is_replaced_and_not_tried_for_ever() {
    let (world, manager, server) = failing();
    let session = open(&server, "");
    session.insert("value", &1).unwrap();
    // Every id seems taken, by a record that is gone when it is looked at.
    manager.set(BUSY);
    assert_eq!(block_on(session.save()).unwrap_err().kind(), ErrorKind::Contended);
    let conflicts =
        world.notes.take().into_iter().filter(|event| *event == Event::Conflict).count();
    assert_eq!(conflicts, 3);
    manager.set(WELL);
    assert!(world.is_alive(&cookie(finish(&session))));
}
