//! Sweeping in the background.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use async_trait::async_trait;
use session_core::{
    Clock, Error, ErrorKind, Expect, ManualClock, MemorySessionManager, Result, SessionId,
    SessionManager, SweepSessions, Sweeper, Swept, Version, conformance,
};

const SOON: Duration = Duration::from_millis(1);

/// A store that says when it is swept.
#[derive(Debug)]
struct Store {
    calls: AtomicUsize,
    tells: SyncSender<usize>,
    hangs: bool,
}

impl Store {
    fn new(hangs: bool) -> (Arc<Self>, Receiver<usize>) {
        let (tells, told) = sync_channel(0);
        (Arc::new(Self { calls: AtomicUsize::new(0), tells, hangs }), told)
    }
}

#[async_trait]
impl SweepSessions for Store {
    async fn sweep(&self) -> Result<Swept> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        // Nobody is listening any more when the sweeper was dropped.
        let _ = self.tells.send(call);
        if self.hangs {
            pending::<()>().await;
        }
        let mut swept = Swept::default();
        swept.scanned = 10;
        swept.removed = 1;
        swept.more = call.is_multiple_of(2);
        match call {
            2 => Err(Error::new(ErrorKind::Unavailable, "store", "not today")),
            3 => panic!("the store is broken"),
            _ => Ok(swept),
        }
    }
}

#[test]
fn a_sweeper_goes_on_after_a_sweep_that_failed_and_one_that_panicked() {
    let (store, told) = Store::new(false);
    let sweeper = Sweeper::of(store.clone(), SOON).unwrap();
    for call in 0..9 {
        assert_eq!(told.recv().unwrap(), call);
    }
    // Call 8 has begun, so all before it are counted: 2 and 3 failed, and 1, 5 and 7 said that
    // there is no more.
    let figures = sweeper.figures();
    assert_eq!((figures.sweeps, figures.failures), (3, 2));
    assert!(figures.scanned >= 60 && figures.removed >= 6, "{figures:?}");
    drop((told, sweeper));
    assert_eq!(Arc::strong_count(&store), 1, "the thread has ended");
}

#[test]
fn a_sweep_that_hangs_does_not_keep_the_end_waiting() {
    let (store, told) = Store::new(true);
    let sweeper = Sweeper::of(store.clone(), SOON).unwrap();
    assert_eq!(told.recv().unwrap(), 0);
    drop(sweeper);
    assert_eq!(Arc::strong_count(&store), 1, "the thread has ended");
}

#[test]
fn a_sweeper_that_waits_for_its_next_sweep_ends_at_once() {
    let (store, _told) = Store::new(false);
    drop(Sweeper::of(store.clone(), Duration::MAX).unwrap());
    assert_eq!(store.calls.load(Ordering::SeqCst), 0);
}

#[test]
fn a_sweeper_without_an_interval_is_refused() {
    let (store, _told) = Store::new(false);
    assert_eq!(Sweeper::of(store, Duration::ZERO).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn what_is_expired_is_removed_in_the_background() {
    let clock = Arc::new(ManualClock::default());
    let manager = MemorySessionManager::with_clock(clock.clone());
    let id = SessionId::random().unwrap();
    let record = conformance::record(id, Version::FIRST, clock.now(), clock.now(), None, b"");
    let _ = conformance::block_on(manager.put(&record, Expect::Absent)).unwrap();
    assert_eq!(manager.len(), 1);
    let (tells, told) = sync_channel(0);
    let swept = manager.clone();
    let _sweeper = Sweeper::start(SOON, move || {
        let step = conformance::block_on(swept.sweep());
        let _ = tells.send(());
        step
    });
    told.recv().unwrap();
    assert!(manager.is_empty());
}
