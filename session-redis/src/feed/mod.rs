//! The feed of changes: the servers say which keys they changed.

mod session;
mod watchers;

use std::{fmt, sync::Arc, time::Duration};

use session_core::{Result, Watch, WatchChanges};

use self::session::TrackingSession;
pub(crate) use self::watchers::Watchers;
use crate::{RedisConfig, config::LONGEST_WAIT, error, names::Names, topology::Discovery};

/// Notifies watchers of changes, for as long as there are any.
///
/// Every server that takes writes is asked to say which keys under the prefix it changed
/// (`CLIENT TRACKING ON BCAST`), whoever changed them: a manager, the server that removes what is
/// past its time, an operator. What a server says and what it answers to the heartbeat come over
/// one connection, in their order, so an answer shows that what was said before has arrived.
pub(crate) struct Feed {
    discovery: Arc<Discovery>,
    names: Names,
    heartbeat: Duration,
    watchers: Arc<Watchers>,
}

impl Feed {
    pub(crate) fn new(
        config: &RedisConfig,
        discovery: Arc<Discovery>,
        names: Names,
        watchers: Arc<Watchers>,
    ) -> Result<Self> {
        if config.heartbeat < SHORTEST {
            return Err(error::config("a heartbeat must be at least 40 milliseconds"));
        }
        let heartbeat = config.heartbeat.min(LONGEST_WAIT);
        Ok(Self { discovery, names, heartbeat, watchers })
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// Notifies `watcher` of changes until the guard is dropped.
    pub(crate) fn watch(&self, watcher: Arc<dyn WatchChanges>) -> Watch {
        let number = self.watchers.add(watcher);
        Watch::new(Subscription { watchers: Arc::clone(&self.watchers), number })
    }

    /// The task.
    pub(crate) async fn run(&self) {
        loop {
            while self.watchers.is_empty() {
                self.watchers.stirred().await;
            }
            TrackingSession::new(self).last().await;
        }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("heartbeat", &self.heartbeat).finish_non_exhaustive()
    }
}

struct Subscription {
    watchers: Arc<Watchers>,
    number: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.watchers.remove(self.number);
    }
}

/// Below it, an ordinary pause of a server or a thread would count as a break.
const SHORTEST: Duration = Duration::from_millis(40);
