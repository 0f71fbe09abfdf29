//! A connection that comes back.

use std::{
    fmt,
    io::{self, ErrorKind::ConnectionAborted},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{ErrorKind, PushInfo, PushKind, RedisError, ServerErrorKind, Value, cmd};
use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{Connection, Request, Source, Target};
use crate::error::Fault;

/// A connection that calls share. It is made when it is needed, and replaced when it is lost, or
/// silent for longer than a call waits.
pub(crate) struct Line {
    source: Arc<Source>,
    connect_timeout: Duration,
    /// Whose the connection is, if not the manager's own thread's.
    home: Option<Handle>,
    state: Arc<Mutex<State>>,
    /// Held by the one who connects; the others wait for what comes of it.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// Of the last attempt to connect, or of the order to begin anew that came after it. That of
    /// the connection there is, if there is one.
    number: u64,
    current: Option<Current>,
    failed: Option<(Instant, RedisError)>,
}

#[derive(Clone)]
struct Current {
    number: u64,
    since: Instant,
    connection: Connection,
}

/// What an error says about the call, and about the connection.
struct Verdict {
    /// Nothing was done, so the same may be sent again after a pause.
    again: Option<Duration>,
    /// The connection is of no use any more.
    lost: bool,
}

impl Line {
    pub(crate) fn new(
        source: Arc<Source>,
        connect_timeout: Duration,
        home: Option<Handle>,
    ) -> Self {
        let connecting = tokio::sync::Mutex::new(());
        Self { source, connect_timeout, home, state: Arc::default(), connecting }
    }

    /// Leaves the connection there is, and whatever comes of attempts under way, to the calls that
    /// have them: those that begin after this connect to who is in charge then.
    pub(crate) fn begin_anew(&self) {
        let mut state = self.state();
        state.number += 1;
        let left = state.current.take();
        drop(state);
        // What ends with the last call is let go of without the lock.
        drop(left);
    }

    /// Sends a request and returns the answers, one for each command.
    ///
    /// A write is sent again only after a refusal that proves that it was not done. What has no
    /// answer at the deadline may have been done.
    pub(crate) async fn call(
        self: &Arc<Self>,
        request: &Request,
        deadline: Instant,
    ) -> Result<Vec<Value>, Fault> {
        let mut lost_reads = 0;
        let mut refused = None;
        loop {
            let Ok(current) = timeout_at(deadline, self.current()).await else {
                return Err(refused.map_or(Fault::Slow, Fault::Refused));
            };
            let Current { number, since, mut connection } = current?;
            let Ok(answer) = timeout_at(deadline, connection.send(request)).await else {
                // One slow answer on a connection that did well until now is not held against it.
                if since.elapsed() > YOUNG {
                    self.was_silent(number, &request.target);
                }
                return Err(Fault::Slow);
            };
            let error = match answer {
                Ok(answers) => return Ok(answers),
                Err(error) => error,
            };
            let Verdict { again, lost } = self.judge(&error, request, &mut lost_reads);
            if lost {
                self.discard(number);
            }
            let Some(pause) = again.filter(|pause| Instant::now() + *pause < deadline) else {
                return Err(error.into());
            };
            refused = Some(error);
            #[expect(
                clippy::disallowed_methods,
                reason = "a server that refused is asked again after a pause"
            )]
            sleep(pause).await;
        }
    }

    fn judge(&self, error: &RedisError, request: &Request, lost_reads: &mut u32) -> Verdict {
        let moving = Some(Duration::from_millis(25));
        match error.kind() {
            ErrorKind::Server(
                ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown,
            )
            | ErrorKind::ClusterConnectionNotFound => Verdict { again: moving, lost: false },
            // A replica: whoever knows the master is asked again.
            ErrorKind::Server(ServerErrorKind::ReadOnly) => Verdict {
                again: moving.filter(|_| self.source.moves()),
                lost: !self.source.is_cluster(),
            },
            ErrorKind::Io if !error.is_timeout() && !request.writes && *lost_reads < 2 => {
                *lost_reads += 1;
                Verdict { again: moving, lost: !self.source.is_cluster() }
            }
            ErrorKind::Server(_) | ErrorKind::Extension => {
                Verdict { again: None, lost: error.code() == Some("NOAUTH") }
            }
            ErrorKind::Io => Verdict { again: None, lost: !self.source.is_cluster() },
            _ => Verdict { again: None, lost: true },
        }
    }

    /// The connection there is, or a new one.
    ///
    /// It is made by a task of its own: a call may be dropped, or not be polled for a while, and
    /// must not keep the others waiting then.
    async fn current(self: &Arc<Self>) -> Result<Current, Fault> {
        if let Some(current) = self.state().current.clone() {
            return Ok(current);
        }
        let attempt = || {
            let line = Arc::clone(self);
            async move { line.connected().await }
        };
        if let Some(home) = &self.home
            && let Ok(made) = home.spawn(attempt()).await
        {
            return made;
        }
        // A home that has ended is none, and the call may have been begun there.
        let made = tokio::spawn(attempt()).await;
        made.unwrap_or_else(|_| Err(RedisError::from(io::Error::from(ConnectionAborted)).into()))
    }

    /// Connects, unless somebody else just did, or just failed to.
    async fn connected(&self) -> Result<Current, Fault> {
        let _turn = self.connecting.lock().await;
        let number = {
            let mut state = self.state();
            if let Some(current) = state.current.clone() {
                return Ok(current);
            }
            // Those who waited for an attempt that failed do not each make another one.
            if let Some((when, error)) = &state.failed
                && when.elapsed() < PAUSE
            {
                return Err(error.clone().into());
            }
            state.number += 1;
            state.number
        };
        let watched = Arc::downgrade(&self.state);
        let told = move |push: PushInfo| {
            if push.kind == PushKind::Disconnection
                && let Some(state) = watched.upgrade()
            {
                discard(&mut lock(&state), number);
            }
            Ok::<(), ()>(())
        };
        let attempt = self.source.connect(self.connect_timeout, told);
        let made = timeout(ATTEMPTS * self.connect_timeout, attempt).await;
        let mut state = self.state();
        match made {
            Ok(Ok(connection)) => {
                let current = Current { number, since: Instant::now(), connection };
                if state.number == number {
                    state.current = Some(current.clone());
                }
                Ok(current)
            }
            Ok(Err(error)) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(error.into())
            }
            Err(_) => {
                let slow = io::Error::from(io::ErrorKind::TimedOut).into();
                state.failed = Some((Instant::now(), slow));
                Err(Fault::Slow)
            }
        }
    }

    /// Replaces a connection that gave no answer in time.
    fn was_silent(self: &Arc<Self>, number: u64, target: &Target) {
        if !self.source.is_cluster() {
            return self.discard(number);
        }
        let (line, target) = (Arc::clone(self), target.clone());
        let home = self.home.clone().unwrap_or_else(Handle::current);
        drop(home.spawn(async move { line.renew(number, target).await }));
    }

    /// Puts a new connection in the place of one to a Cluster, if the server that was silent
    /// answers over it.
    ///
    /// Until then the old one stays: the other servers answer over it, and a new one is not made in
    /// time while one of them is frozen.
    async fn renew(&self, number: u64, target: Target) {
        let Ok(_turn) = self.connecting.try_lock() else { return };
        if target.key.is_empty() || self.state().number != number {
            return;
        }
        let mut look = cmd("PTTL");
        look.arg(&target.key);
        let request = Request::read(target, look);
        let attempt = async {
            let untold = |_| Ok::<(), ()>(());
            let mut connection = self.source.connect(self.connect_timeout, untold).await?;
            connection.send(&request).await?;
            Ok::<_, RedisError>(connection)
        };
        let Ok(Ok(connection)) = timeout(ATTEMPTS * self.connect_timeout, attempt).await else {
            return;
        };
        let mut state = self.state();
        if state.number == number {
            state.number += 1;
            let number = state.number;
            state.current = Some(Current { number, since: Instant::now(), connection });
        }
    }

    fn discard(&self, number: u64) {
        discard(&mut self.state(), number);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// Forgets a connection, unless another one has taken its place.
fn discard(state: &mut State, number: u64) {
    if state.current.as_ref().is_some_and(|current| current.number == number) {
        state.current = None;
    }
}

/// Nothing in here panics while it holds the lock, so a poisoned one guards whole data.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connected = self.state().current.is_some();
        f.debug_struct("Line").field("connected", &connected).finish_non_exhaustive()
    }
}

/// How long nobody tries to connect after an attempt that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// How many attempts one connection takes at most: Sentinels are asked first, and a Cluster is
/// connected to as configured, and then as it says it is.
const ATTEMPTS: u32 = 4;

/// The age up to which a connection is kept though it gave no answer in time: its replacement would
/// be no better.
const YOUNG: Duration = Duration::from_secs(1);
