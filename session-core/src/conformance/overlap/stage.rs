//! Two requests, and every order in which their calls can reach the store.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use async_trait::async_trait;

use crate::{
    Expect, ForgetSessions, ListSessions, Outcome, ProbeVersions, RecallSessions, Record, Removal,
    Result, SessionId, SessionManager, SweepSessions, Timestamp, Version, WatchSessions,
};

/// Which of the two requests.
pub(super) type Who = usize;

/// A call that changed the store, or was to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Done {
    Put(Who, SessionId),
    Touched(Who, SessionId),
    Removed(Who, SessionId),
    /// Answered with `Conflict` or `Gone`.
    Refused(Who, SessionId),
}

impl Done {
    pub(super) fn who(&self) -> Who {
        match *self {
            Self::Put(who, _)
            | Self::Touched(who, _)
            | Self::Removed(who, _)
            | Self::Refused(who, _) => who,
        }
    }

    pub(super) fn id(&self) -> SessionId {
        match *self {
            Self::Put(_, id)
            | Self::Touched(_, id)
            | Self::Removed(_, id)
            | Self::Refused(_, id) => id,
        }
    }
}

#[derive(Debug, Default)]
struct Turns {
    /// Calls wait for their turn only while this is set.
    on: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    running: Who,
    parked: [bool; 2],
    granted: [bool; 2],
    in_store: [bool; 2],
    log: Vec<Done>,
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn of the request that runs now, and tells which one that is.
    async fn turn(&self) -> Who {
        if !self.on.load(Ordering::SeqCst) {
            return 0;
        }
        let who = self.lock().running;
        self.lock().parked[who] = true;
        std::future::poll_fn(|_| {
            let mut inner = self.lock();
            if std::mem::take(&mut inner.granted[who]) {
                inner.parked[who] = false;
                inner.in_store[who] = true;
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        who
    }

    fn left(&self, who: Who, done: Option<Done>) {
        let mut inner = self.lock();
        inner.in_store[who] = false;
        inner.log.extend(done);
    }
}

/// A manager whose calls wait until the stage lets them go on.
#[derive(Clone)]
pub(super) struct Parked {
    turns: Arc<Turns>,
    manager: Arc<dyn SessionManager>,
}

impl fmt::Debug for Parked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parked(..)")
    }
}

#[async_trait]
impl SessionManager for Parked {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        self.manager.exists(id).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        let who = self.turns.turn().await;
        let result = self.manager.get(id).await;
        self.turns.left(who, None);
        result
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        let who = self.turns.turn().await;
        let result = self.manager.put(record, expect).await;
        self.turns.left(who, done(&result, Done::Put(who, *record.id()), who, record.id()));
        result
    }

    async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        let who = self.turns.turn().await;
        let result = self.manager.touch(id, version, expires_at).await;
        self.turns.left(who, done(&result, Done::Touched(who, *id), who, id));
        result
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        let who = self.turns.turn().await;
        let result = self.manager.remove(id, only).await;
        self.turns.left(
            who,
            match result {
                Ok(Removal::Removed) => Some(Done::Removed(who, *id)),
                Ok(Removal::Conflict | Removal::Gone) => Some(Done::Refused(who, *id)),
                Err(_) => None,
            },
        );
        result
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        self.manager.sweeping()
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        self.manager.listing()
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        self.manager.probing()
    }

    fn watching(&self) -> Option<&dyn WatchSessions> {
        self.manager.watching()
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        // What is recalled waits for no turn, and is one of the answers a get may have.
        None
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        self.manager.forgetting()
    }
}

fn done(result: &Result<Outcome>, stored: Done, who: Who, id: &SessionId) -> Option<Done> {
    match result {
        Ok(Outcome::Stored) => Some(stored),
        Ok(Outcome::Conflict | Outcome::Gone) => Some(Done::Refused(who, *id)),
        Err(_) => None,
    }
}

/// Where two requests play.
#[derive(Debug, Default)]
pub(super) struct Stage {
    turns: Arc<Turns>,
}

/// One order of calls: which request went first, wherever both could go.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    choices: Vec<Who>,
    at: usize,
}

impl Schedule {
    fn choose(&mut self) -> Who {
        if self.at == self.choices.len() {
            self.choices.push(0);
        }
        self.at += 1;
        self.choices[self.at - 1]
    }

    /// The next order there is, depth first.
    pub(super) fn next(mut self) -> Option<Self> {
        self.choices.truncate(self.at);
        while self.choices.pop_if(|last| *last == 1).is_some() {}
        *self.choices.last_mut()? = 1;
        Some(Self { choices: self.choices, at: 0 })
    }
}

impl Stage {
    /// `manager` as seen from the stage.
    pub(super) fn park(&self, manager: Arc<dyn SessionManager>) -> Parked {
        Parked { turns: Arc::clone(&self.turns), manager }
    }

    /// Plays two requests in the order of `schedule`; returns what they did to the store, in the
    /// order it was done.
    pub(super) async fn play<T>(
        &self,
        mut requests: [Pin<Box<dyn Future<Output = T> + '_>>; 2],
        schedule: &mut Schedule,
    ) -> ([T; 2], Vec<Done>) {
        *self.turns.lock() = Inner::default();
        self.turns.on.store(true, Ordering::SeqCst);
        let mut outputs: [Option<T>; 2] = [None, None];
        // A request that can go no further waits for the other one: for its lock.
        let mut waits = [false, false];
        while outputs.iter().any(Option::is_none) {
            let can = [0, 1].map(|who: Who| outputs[who].is_none() && !waits[who]);
            let who = match can {
                [true, true] => schedule.choose(),
                [true, false] => 0,
                [false, true] => 1,
                [false, false] => panic!("both requests wait for each other"),
            };
            {
                let mut inner = self.turns.lock();
                inner.granted[who] = inner.parked[who];
            }
            let request = &mut requests[who];
            let output = std::future::poll_fn(|context| {
                self.turns.lock().running = who;
                match request.as_mut().poll(context) {
                    Poll::Ready(output) => Poll::Ready(Some(output)),
                    Poll::Pending if self.turns.lock().in_store[who] => Poll::Pending,
                    Poll::Pending => Poll::Ready(None),
                }
            })
            .await;
            waits = [false, false];
            waits[who] = output.is_none() && !self.turns.lock().parked[who];
            if output.is_some() {
                outputs[who] = output;
            }
        }
        self.turns.on.store(false, Ordering::SeqCst);
        let log = std::mem::take(&mut self.turns.lock().log);
        (outputs.map(|output| output.expect("both have ended")), log)
    }
}
