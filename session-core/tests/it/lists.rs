//! Lists of sessions and revocations, over managers that make them hard.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use async_trait::async_trait;
use session_core::{
    Cursor, ErrorKind, Event, Expect, ForgetSessions, KeyRing, ListSessions, MaxSessions,
    MemorySessionManager, Outcome, Page, PrincipalTag, ProbeVersions, RecallSessions, Record,
    Removal, Result, SessionId, SessionInterface, SessionManager, SweepSessions, Timestamp,
    Version, WatchSessions,
};

use crate::{
    memory::block_on,
    world::{SECOND, World, cookie, finish, key, open},
};

/// Called at the beginning of something.
#[derive(Default)]
struct Hook(Mutex<Option<Box<dyn FnMut() + Send>>>);

impl Hook {
    fn set(&self, hook: impl FnMut() + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(hook));
    }

    /// Calls the hook, which is taken out meanwhile: what it does may lead here again.
    fn call(&self) {
        let hook = self.0.lock().unwrap().take();
        if let Some(mut hook) = hook {
            hook();
            *self.0.lock().unwrap() = Some(hook);
        }
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// A manager over the store of a world, with a cache that nothing invalidates, and records that
/// cannot be read or removed.
#[derive(Clone, Debug)]
struct Odd {
    store: MemorySessionManager,
    state: Arc<OddState>,
}

#[derive(Debug, Default)]
struct OddState {
    cached: Mutex<Option<HashMap<SessionId, Arc<Record>>>>,
    unreadable: Mutex<HashSet<SessionId>>,
    unremovable: Mutex<HashSet<SessionId>>,
    /// When a list was made and is not answered yet.
    listed: Hook,
    gets: AtomicUsize,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

impl Odd {
    fn over(world: &World) -> Self {
        Self { store: world.store.clone(), state: Arc::default() }
    }

    /// From now on what was got once is not asked for again.
    fn cache(&self) {
        *self.state.cached.lock().unwrap() = Some(HashMap::new());
    }

    fn gets(&self) -> usize {
        self.state.gets.swap(0, Ordering::SeqCst)
    }
}

/// Lets everything else that is under way go first, also under a caller that polls twice.
async fn give_way() {
    let mut polls = 0;
    std::future::poll_fn(|context| {
        polls += 1;
        if polls > 4 {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[async_trait]
impl SessionManager for Odd {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        Ok(self.get(id).await?.is_some())
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        let state = &self.state;
        state.gets.fetch_add(1, Ordering::SeqCst);
        let under_way = state.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_under_way.fetch_max(under_way, Ordering::SeqCst);
        give_way().await;
        state.under_way.fetch_sub(1, Ordering::SeqCst);
        if state.unreadable.lock().unwrap().contains(id) {
            return Err(session_core::Error::new(
                ErrorKind::Unsupported,
                "test",
                "the record is of a later release",
            ));
        }
        if let Some(record) =
            state.cached.lock().unwrap().as_ref().and_then(|cached| cached.get(id).cloned())
        {
            return Ok(Some(record));
        }
        let record = self.store.get(id).await?;
        if let (Some(record), Some(cached)) = (&record, &mut *state.cached.lock().unwrap()) {
            cached.insert(*id, Arc::clone(record));
        }
        Ok(record)
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        self.store.put(record, expect).await
    }

    async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        self.store.touch(id, version, expires_at).await
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        if self.state.unremovable.lock().unwrap().contains(id) {
            return Err(session_core::Error::new(
                ErrorKind::Unavailable,
                "test",
                "the record cannot be removed",
            ));
        }
        self.store.remove(id, only).await
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        None
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        Some(self)
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
        Some(self)
    }
}

impl ForgetSessions for Odd {
    fn forget(&self, id: &SessionId) {
        if let Some(cached) = &mut *self.state.cached.lock().unwrap() {
            cached.remove(id);
        }
    }
}

#[async_trait]
impl ListSessions for Odd {
    async fn by_principal(
        &self,
        tag: &PrincipalTag,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page> {
        let page = self.store.by_principal(tag, cursor, limit).await;
        self.state.listed.call();
        page
    }

    async fn scan(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page> {
        self.store.scan(cursor, limit.min(7)).await
    }
}

fn ids(world: &World) -> Vec<SessionId> {
    block_on(world.store.scan(None, 100_000)).unwrap().ids
}

#[test]
fn lists_and_revocations_look_past_every_cache() {
    let world = World::new();
    let manager = Odd::over(&world);
    manager.cache();
    let here = world.on(manager, |builder| builder);
    let visitors = [world.visit(), world.visit()];
    for cookie in &visitors {
        assert_eq!(open(&here, cookie).principal(), None, "cached as a visitor's");
    }
    let logins = visitors.map(|visitor| {
        let session = world.open(&visitor);
        block_on(session.bind("alice")).unwrap();
        cookie(finish(&session))
    });
    let listed = block_on(here.sessions_of("alice")).unwrap();
    assert_eq!(listed.len(), 2);
    for login in &logins {
        // A later change makes what that list left in the cache out of date.
        let session = world.open(login);
        session.insert("later", &1).unwrap();
        finish(&session);
    }
    assert!(block_on(here.revoke("alice", &listed[0].handle)).unwrap());
    assert_eq!(block_on(here.revoke_all("alice", None)).unwrap(), 1);
    assert!(world.store.is_empty());
}

#[test]
fn a_session_sealed_again_while_it_is_looked_for_is_found() {
    type Ask = fn(&SessionInterface) -> bool;
    let asks: [Ask; 3] = [
        |server| block_on(server.sessions_of("alice")).unwrap().len() == 1,
        |server| block_on(server.revoke_all("alice", None)).unwrap() == 1,
        |server| {
            let id = block_on(server.manager().listing().unwrap().scan(None, 1)).unwrap().ids[0];
            let record = block_on(server.manager().get(&id)).unwrap().unwrap();
            assert!(record.principal_tag().is_some());
            let handles = block_on(server.sessions_of("alice")).unwrap();
            block_on(server.revoke("alice", &handles[0].handle)).unwrap()
        },
    ];
    for ask in asks {
        let world = World::new();
        let login = world.login("alice");
        let ring = || KeyRing::new(key(2)).retired(key(1));
        let manager = Odd::over(&world);
        let looker = world.on(manager.clone(), |builder| builder);
        looker.replace_keys(ring()).unwrap();
        let other = world.another(ring(), |builder| builder);
        // After the list under the new key, and before that under the old one.
        let mut sealed = false;
        manager.state.listed.set(move || {
            if !std::mem::replace(&mut sealed, true) {
                finish(&open(&other, &login));
            }
        });
        assert!(ask(&looker));
    }
}

#[test]
fn a_ring_replaced_during_a_list_is_looked_at_as_well() {
    let world = World::new();
    world.login("alice");
    let manager = Odd::over(&world);
    let looker = world.on(manager.clone(), |builder| builder);
    let replaced = looker.clone();
    let other = world.another(KeyRing::new(key(2)).retired(key(1)), |builder| builder);
    let mut done = false;
    manager.state.listed.set(move || {
        if !std::mem::replace(&mut done, true) {
            let session = open(&other, "");
            block_on(session.bind("alice")).unwrap();
            finish(&session);
            replaced.replace_keys(KeyRing::new(key(2)).retired(key(1))).unwrap();
        }
    });
    assert_eq!(block_on(looker.sessions_of("alice")).unwrap().len(), 2);
}

#[test]
fn a_list_that_never_agrees_with_the_one_before_is_contended() {
    let world = World::with(KeyRing::new(key(1)).upcoming(key(2)), |builder| builder);
    let manager = Odd::over(&world);
    let looker = world.on(manager.clone(), |builder| builder);
    looker.replace_keys(KeyRing::new(key(1)).upcoming(key(2))).unwrap();
    let other = world.another(key(1), |builder| builder);
    manager.state.listed.set(move || {
        let session = open(&other, "");
        block_on(session.bind("alice")).unwrap();
        finish(&session);
    });
    let error = block_on(looker.sessions_of("alice")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Contended);
}

#[test]
fn revoking_all_of_one_who_always_logs_in_again_is_contended() {
    let world = World::new();
    let manager = Odd::over(&world);
    let server = world.on(manager.clone(), |builder| builder);
    world.login("alice");
    let other = world.another(key(1), |builder| builder);
    manager.state.listed.set(move || {
        let session = open(&other, "");
        block_on(session.bind("alice")).unwrap();
        finish(&session);
    });
    let error = block_on(server.revoke_all("alice", None)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Contended);
    assert!(error.to_string().contains("10 sessions were ended"), "{error}");
}

#[test]
fn one_session_that_cannot_be_ended_keeps_no_other_alive() {
    let world = World::new();
    for _ in 0..20 {
        world.login("alice");
    }
    let manager = Odd::over(&world);
    let server = world.on(manager.clone(), |builder| builder);
    let stuck = ids(&world)[3];
    manager.state.unremovable.lock().unwrap().insert(stuck);
    for (ended, everyone) in [(19, false), (0, true)] {
        let answer = if everyone {
            block_on(server.revoke_everyone())
        } else {
            block_on(server.revoke_all("alice", None))
        };
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let counts = format!("{ended} sessions were ended and 1 could not be");
        assert!(error.to_string().contains(&counts), "{error}");
        assert!(std::error::Error::source(&error).is_some());
        assert_eq!(ids(&world), [stuck]);
    }
}

#[test]
fn everyone_is_logged_out_whatever_cannot_be_read() {
    let world = World::new();
    for number in 0..20 {
        world.login(&format!("user {number}"));
    }
    let manager = Odd::over(&world);
    let server = world.on(manager.clone(), |builder| builder);
    manager.state.unreadable.lock().unwrap().extend(ids(&world).into_iter().step_by(3));
    world.notes.take();
    assert_eq!(block_on(server.revoke_everyone()).unwrap(), 20);
    assert_eq!(world.notes.take(), [Event::Revoked; 20]);
    assert!(world.store.is_empty());
    assert_eq!(manager.gets(), 0);
}

#[test]
fn sessions_are_looked_at_side_by_side_and_not_all_at_once() {
    let world = World::new();
    for _ in 0..2_500 {
        world.login("alice");
    }
    let manager = Odd::over(&world);
    let server = world.on(manager.clone(), |builder| builder);
    assert_eq!(block_on(server.sessions_of("alice")).unwrap().len(), 2_500);
    assert_eq!(manager.gets(), 2_500, "each once");
    assert_eq!(manager.state.most_under_way.load(Ordering::SeqCst), 32);
}

#[test]
fn a_login_under_a_limit_looks_at_a_bounded_number_of_sessions_and_ends_the_oldest() {
    let world = World::new();
    let logins: Vec<_> = (0..500)
        .map(|_| {
            world.clock.advance(SECOND);
            world.login("alice")
        })
        .collect();
    let manager = Odd::over(&world);
    let server =
        world.on(manager.clone(), |builder| builder.max_sessions(MaxSessions::EndOldest(3)));
    let mut newest = Vec::new();
    let mut left = logins.len();
    while left > 3 {
        world.clock.advance(SECOND);
        let session = open(&server, "");
        manager.gets();
        block_on(session.bind("alice")).unwrap();
        // 103 are looked at and some 32 on the way, and 100 of them again as they are ended.
        assert!(manager.gets() <= 103 + 32 + 100);
        newest.push(cookie(finish(&session)));
        let now = world.store.len();
        assert!(now < left, "each login ends some");
        left = now;
        let alive = newest.iter().rev().take(3).filter(|cookie| world.is_alive(cookie)).count();
        assert_eq!(alive, newest.len().min(3), "none of the newest is ended");
    }
    assert_eq!(left, 3);
}

#[test]
fn a_limit_that_refuses_looks_at_no_more_sessions_than_it_counts() {
    let world = World::new();
    for _ in 0..500 {
        world.login("alice");
    }
    let manager = Odd::over(&world);
    let server = world.on(manager.clone(), |builder| builder.max_sessions(MaxSessions::Refuse(3)));
    let error = block_on(open(&server, "").bind("alice")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooManySessions);
    assert!(manager.gets() <= 4 + 32);
}

#[test]
fn the_futures_of_lists_may_move_between_threads() {
    fn moves(_: impl Send) {}
    let world = World::new();
    let server = &world.server;
    let handle = world.open(&world.login("alice")).handle().unwrap();
    moves(server.sessions_of("alice"));
    moves(server.revoke("alice", &handle));
    moves(server.revoke_all("alice", None));
    moves(server.revoke_everyone());
    moves(world.open("").bind("alice"));
}
