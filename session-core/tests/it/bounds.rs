//! Stores that hang, futures that are dropped, observers that ask: nothing waits for ever.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use session_core::{
    CookieAction, ErrorKind, Event, Fingerprint, ManagedSession, Observer, Saved, SessionId,
    SessionInterface, SessionInterfaceBuilder, Timer,
};

use crate::{
    hooked::{Fate, Hooked, Verb},
    memory::block_on,
    world::{World, cookie, finish, open},
};

/// Every sleep ends when it rings.
#[derive(Debug, Default)]
struct Alarm(AtomicBool);

impl Alarm {
    fn ring(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[derive(Debug)]
struct AlarmTimer(Arc<Alarm>);

impl Timer for AlarmTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let alarm = Arc::clone(&self.0);
        Box::pin(std::future::poll_fn(move |_| {
            if alarm.0.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        }))
    }
}

fn timed() -> (World, Hooked, Arc<Alarm>, SessionInterface) {
    let (world, alarm) = (World::new(), Arc::new(Alarm::default()));
    let manager = Hooked::new(&world.store);
    let timer = Arc::new(AlarmTimer(Arc::clone(&alarm)));
    let server = world.on(manager.clone(), |builder: SessionInterfaceBuilder| builder.timer(timer));
    (world, manager, alarm, server)
}

fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn id_of(cookie: &str) -> SessionId {
    SessionId::parse(&cookie.as_bytes()[..SessionId::TEXT_BYTES]).unwrap()
}

/// Two sessions whose saves share a lock.
fn neighbours(world: &World) -> (String, String) {
    let mut by_lock: HashMap<u16, String> = HashMap::new();
    loop {
        let cookie = world.visit();
        let [first, second, ..] = *id_of(&cookie).as_bytes();
        let lock = u16::from_le_bytes([first, second]) % 1024;
        if let Some(other) = by_lock.insert(lock, cookie.clone()) {
            return (other, cookie);
        }
    }
}

#[test]
fn a_store_that_hangs_for_one_session_does_not_hold_up_another_for_ever() {
    let (world, manager, alarm, server) = timed();
    let (stuck, other) = neighbours(&world);
    let stuck_id = id_of(&stuck);
    let (stuck, other) = (open(&server, &stuck), open(&server, &other));
    manager.set(
        move |verb, id| {
            if verb == Verb::Put && *id == stuck_id { Fate::Hangs } else { Fate::Passes }
        },
    );
    let count = |count: Option<u32>| count.unwrap_or(0) + 1;
    let mut first = Box::pin(stuck.update("n", count));
    let mut second = Box::pin(other.update("n", count));
    assert!(poll(&mut first).is_pending());
    assert!(poll(&mut second).is_pending(), "it waits its turn");
    alarm.ring();
    assert!(matches!(poll(&mut second), Poll::Ready(Ok(1))));
    let Poll::Ready(Err(error)) = poll(&mut first) else { panic!("it still waits") };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn the_end_of_a_request_does_not_wait_for_ever_for_an_update_that_nothing_polls() {
    let (world, manager, alarm, server) = timed();
    let session = open(&server, &world.visit());
    session.insert("more", &1).unwrap();
    manager.set(|verb, _| if verb == Verb::Put { Fate::Hangs } else { Fate::Passes });
    let mut update = Box::pin(session.update("n", |_: Option<u32>| 1));
    assert!(poll(&mut update).is_pending());
    let mut finish = Box::pin(session.finish());
    assert!(poll(&mut finish).is_pending());
    alarm.ring();
    let Poll::Ready(Err(error)) = poll(&mut finish) else { panic!("it still waits") };
    assert_eq!(error.kind(), ErrorKind::Contended);
}

#[test]
fn opening_and_listing_are_bounded_too() {
    let (world, manager, alarm, server) = timed();
    let alice = world.login("alice");
    manager.set(|_, _| Fate::Hangs);
    alarm.ring();
    let error = block_on(server.open([alice.as_bytes()])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = block_on(server.sessions_of("alice")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

type Call<'a> = (&'static str, Pin<Box<dyn Future<Output = ()> + 'a>>);

/// Everything a handler can do that reaches the store.
fn verbs(session: &ManagedSession) -> Vec<Call<'_>> {
    vec![
        ("save", Box::pin(async { drop(session.save().await) })),
        ("update", Box::pin(async { drop(session.update("n", |_: Option<u32>| 1).await) })),
        ("take", Box::pin(async { drop(session.take::<u32>("value").await) })),
        ("bind", Box::pin(async { drop(session.bind("alice").await) })),
        ("unbind", Box::pin(async { drop(session.unbind(&["kept"]).await) })),
        ("destroy", Box::pin(async { drop(session.destroy().await) })),
        ("finish", Box::pin(async { drop(session.finish().await) })),
        ("touch", Box::pin(async { drop(session.touch().await) })),
        ("reload", Box::pin(async { drop(session.reload().await) })),
    ]
}

#[test]
fn a_future_dropped_at_any_await_loses_nothing_that_was_pending_and_leaves_a_whole_session() {
    let names: Vec<_> = verbs(&World::new().open("")).into_iter().map(|(name, _)| name).collect();
    for known in [true, false] {
        for (at, name) in names.iter().enumerate() {
            for polls in 0..12 {
                let world = World::new();
                let manager = Hooked::new(&world.store);
                let server = world.on(manager.clone(), |builder| builder);
                let before = if known { world.visit() } else { String::new() };
                let session = open(&server, &before);
                session.insert("kept", &7).unwrap();
                manager.set(|_, _| Fate::Waits);
                let mut future = verbs(&session).swap_remove(at).1;
                let is_done = (0..polls).any(|_| poll(&mut future).is_ready());
                drop(future);
                manager.set(|_, _| Fate::Passes);
                let what = format!("{name}, known: {known}, dropped after {polls} polls");
                // What was not stored yet is stored by the next save, in one session.
                if *name != "destroy" {
                    block_on(session.save()).expect(&what);
                    assert_eq!(session.get::<u32>("kept").unwrap(), Some(7), "{what}");
                }
                let finished = block_on(session.finish()).expect(&what);
                let after = match finished.cookie {
                    CookieAction::Set(cookie) => cookie.value().to_owned(),
                    CookieAction::Keep => before,
                    CookieAction::Remove => String::new(),
                };
                if *name == "destroy" {
                    assert!(is_done || !session.is_modified(), "{what}");
                } else {
                    let stored = world.open(&after).get::<u32>("kept").unwrap();
                    // Handed out before the future was dropped, the cookie went with it.
                    assert!(stored == Some(7) || *name == "finish", "{what}");
                }
                assert!(world.store.len() <= 1, "{what}: {} sessions", world.store.len());
            }
        }
    }
}

/// Asks the session it is told about.
#[derive(Debug)]
struct Curious {
    session: Arc<Mutex<Option<ManagedSession>>>,
    told: mpsc::Sender<Event>,
}

impl Observer for Curious {
    fn event(&self, event: Event, _: Option<Fingerprint>) {
        if let Some(session) = &*self.session.lock().unwrap() {
            let _ = (session.principal(), session.len(), session.fingerprint());
        }
        let _ = self.told.send(event);
    }
}

#[test]
fn an_observer_may_ask_the_session_it_is_told_about() {
    let world = World::new();
    let (told, events) = mpsc::channel();
    let session = Arc::new(Mutex::new(None));
    let observer = Arc::new(Curious { session: Arc::clone(&session), told });
    let server = world.on(world.store.clone(), |builder| builder.observer(observer));
    let lived = std::thread::spawn(move || {
        let current = open(&server, "");
        *session.lock().unwrap() = Some(current.clone());
        block_on(current.bind("alice")).unwrap();
        let alice = cookie(finish(&current));
        let current = open(&server, &alice);
        *session.lock().unwrap() = Some(current.clone());
        block_on(server.revoke_all("alice", None)).unwrap();
        current.insert("x", &1).unwrap();
        block_on(current.finish()).unwrap_err();
        *session.lock().unwrap() = None;
    });
    let mut seen = Vec::new();
    while !seen.contains(&Event::Gone) {
        seen.push(
            events.recv_timeout(Duration::from_secs(60)).expect("it does not wait for itself"),
        );
    }
    lived.join().unwrap();
}

#[test]
fn a_long_connection_is_told_when_its_session_ends() {
    let (world, _, _, server) = timed();
    let alice = world.login("alice");
    let socket = open(&server, &alice);
    finish(&socket);
    let mut ended = Box::pin(socket.ended());
    assert!(poll(&mut ended).is_pending());
    let other = world.open(&alice);
    other.insert("x", &1).unwrap();
    assert_eq!(finish(&other).saved, Saved::Stored);
    assert!(poll(&mut ended).is_pending(), "a change is no end");
    block_on(world.server.revoke_all("alice", None)).unwrap();
    assert!(matches!(poll(&mut ended), Poll::Ready(Ok(()))));
}

#[test]
fn waiting_for_an_end_without_a_timer_is_refused() {
    let world = World::new();
    let socket = world.open(&world.visit());
    assert_eq!(block_on(socket.ended()).unwrap_err().kind(), ErrorKind::Config);
}
