//! A connection that comes back.

use std::{
    io::{self, ErrorKind::ConnectionAborted},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use redis::{PushInfo, PushKind, RedisError, aio::MultiplexedConnection, cmd};
use tokio::{
    runtime::Handle,
    time::{Instant, timeout_at},
};

use super::{
    Plan,
    batch::{Batch, Replicas},
};
use crate::{error::Fault, topology::Server};

/// A connection to one server that calls share. It is made when it is needed, and replaced when it
/// is lost, or silent for longer than a call waits.
pub(crate) struct ReconnectingConnection {
    pub(crate) server: Arc<Server>,
    /// Whose the connection is, if not the manager's own thread's.
    home: Option<Handle>,
    keep_alive: Duration,
    replicas: Option<Replicas>,
    state: Arc<Mutex<State>>,
    /// Held by the one who connects; the others wait for what comes of it.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// Of the last attempt to connect, and so of the connection, if there is one.
    number: u64,
    current: Option<Current>,
    failed: Option<(Instant, Fault)>,
}

#[derive(Clone)]
pub(crate) struct Current {
    number: u64,
    since: Instant,
    /// When something was answered last, in milliseconds since then.
    answered: Arc<AtomicU64>,
    pub(crate) connection: MultiplexedConnection,
    /// If writes wait for replicas.
    pub(super) batch: Option<Batch>,
}

impl Current {
    /// Notes that it answers.
    pub(crate) fn answers(&self) {
        let age = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.answered.store(age, Ordering::Relaxed);
    }

    /// How long nothing was answered.
    fn idle(&self) -> Duration {
        let answered = Duration::from_millis(self.answered.load(Ordering::Relaxed));
        self.since.elapsed().saturating_sub(answered)
    }

    /// Whether its replacement, if it is silent, would be no better.
    pub(crate) fn is_young(&self) -> bool {
        self.since.elapsed() <= YOUNG
    }
}

impl ReconnectingConnection {
    /// `home`: where the connection is, if not on the manager's own thread. `writes`: whether it is
    /// for writes alone.
    pub(crate) fn new(
        plan: &Plan,
        server: Arc<Server>,
        home: Option<Handle>,
        writes: bool,
    ) -> Self {
        let (state, connecting) = (Arc::default(), tokio::sync::Mutex::new(()));
        let (keep_alive, replicas) = (plan.keep_alive, plan.replicas.filter(|_| writes));
        Self { server, home, keep_alive, replicas, state, connecting }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.state().current.is_some()
    }

    /// The connection there is, or a new one.
    ///
    /// What was silent for long is tried first, for half of the time there is: something on the way
    /// may have forgotten it.
    pub(crate) async fn current(self: &Arc<Self>, deadline: Instant) -> Result<Current, Fault> {
        let current = self.state().current.clone();
        if let Some(mut current) = current {
            if current.idle() < self.keep_alive {
                return Ok(current);
            }
            let now = Instant::now();
            let half = now + deadline.saturating_duration_since(now) / 2;
            let ping = cmd("PING");
            let tried = timeout_at(half, current.connection.send_packed_command(&ping)).await;
            if let Ok(Ok(_)) = tried {
                current.answers();
                return Ok(current);
            }
            self.discard(&current);
        }
        let made = timeout_at(deadline, self.connect()).await;
        made.unwrap_or_else(|_| Err(Fault::slow(self.server.address())))
    }

    /// Connects by a task of its own: a call may be dropped, or not be polled for a while, and must
    /// not keep the others waiting then.
    async fn connect(self: &Arc<Self>) -> Result<Current, Fault> {
        let attempt = || {
            let this = Arc::clone(self);
            async move { this.connected().await }
        };
        if let Some(home) = &self.home
            && let Ok(made) = home.spawn(attempt()).await
        {
            return made;
        }
        // A home that has ended is none, and the call may have been begun there.
        let ended = || RedisError::from(io::Error::from(ConnectionAborted));
        let made = tokio::spawn(attempt()).await;
        made.unwrap_or_else(|_| Err(Fault::refused(self.server.address(), ended())))
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
            if let Some((when, fault)) = &state.failed
                && when.elapsed() < PAUSE
            {
                return Err(fault.clone());
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
        let made = self.server.endpoint.connect(told).await;
        let mut state = self.state();
        match made {
            Ok(connection) => {
                let (since, answered) = (Instant::now(), Arc::default());
                let to = connection.clone();
                let batch =
                    self.replicas.map(|replicas| Batch::new(self.server.address(), to, replicas));
                let current = Current { number, since, answered, connection, batch };
                state.current = Some(current.clone());
                Ok(current)
            }
            Err(fault) => {
                state.failed = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }

    /// Forgets a connection, unless another one has taken its place.
    pub(crate) fn discard(&self, current: &Current) {
        discard(&mut self.state(), current.number);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn discard(state: &mut State, number: u64) {
    state.current.take_if(|current| current.number == number);
}

/// Nothing in here panics while it holds the lock, so a poisoned one guards whole data.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long nobody tries to connect after an attempt that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// The age up to which a connection is kept though it gave no answer in time.
const YOUNG: Duration = Duration::from_secs(1);
