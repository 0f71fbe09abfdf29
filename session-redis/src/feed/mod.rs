//! The feed of changes: the servers tell which keys they changed.

mod hub;
mod round;

use std::{fmt, sync::Arc, time::Duration};

use session_core::{Result, Watch, WatchChanges};
use tokio::time::sleep;

use self::{hub::Hub, round::Round};
use crate::{
    RedisConfig,
    config::LONGEST_WAIT,
    engine::Engine,
    error,
    link::{Source, Ways},
    names::Names,
};

/// Tells watchers of changes, for as long as there are any.
///
/// Every server that takes writes is asked to tell which keys under the prefix it changed
/// (`CLIENT TRACKING ON BCAST`), whoever changed them: a manager, the server that removes what is
/// past its time, an operator. What a server tells and what it answers to the heartbeat come over
/// one connection, in their order, so an answer shows that what was told before has arrived.
pub(crate) struct Feed {
    source: Arc<Source>,
    ways: Arc<Ways>,
    names: Names,
    heartbeat: Duration,
    connect_timeout: Duration,
    hub: Arc<Hub>,
}

impl Feed {
    pub(crate) fn new(
        config: &RedisConfig,
        source: Arc<Source>,
        ways: Arc<Ways>,
        names: Names,
    ) -> Result<Arc<Self>> {
        if config.heartbeat < SHORTEST {
            return Err(error::config("a heartbeat must be at least 40 milliseconds"));
        }
        Ok(Arc::new(Self {
            source,
            ways,
            names,
            heartbeat: config.heartbeat.min(LONGEST_WAIT),
            connect_timeout: config.connect_timeout.min(LONGEST_WAIT),
            hub: Arc::default(),
        }))
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// Tells `watcher` of changes until the guard is dropped.
    pub(crate) fn watch(
        self: &Arc<Self>,
        engine: &Engine,
        watcher: Arc<dyn WatchChanges>,
    ) -> Watch {
        let (number, begins) = self.hub.add(watcher);
        if begins {
            let feed = Arc::clone(self);
            engine.spawn(async move { feed.run().await });
        }
        Watch::new(Subscription { hub: Arc::clone(&self.hub), number })
    }

    async fn run(&self) {
        let _alarm = Alarm(Arc::clone(&self.hub));
        while !self.hub.ends() {
            match Round::begin(&self.source, &self.names, self.connect_timeout, &self.hub).await {
                Ok(mut round) => {
                    // What a server that is in charge no more answers, nobody is told changes of:
                    // it must not be asked by a call that begins while the feed is whole.
                    self.ways.begin_anew();
                    round.last(self.heartbeat).await;
                }
                Err(error) => tracing::debug!(%error, "the feed of changes cannot begin"),
            }
            self.hub.broken();
            #[expect(
                clippy::disallowed_methods,
                reason = "a server that is down is not called without a pause"
            )]
            sleep(PAUSE).await;
        }
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("heartbeat", &self.heartbeat).finish_non_exhaustive()
    }
}

/// Says that the feed broke however its task ended.
struct Alarm(Arc<Hub>);

impl Drop for Alarm {
    fn drop(&mut self) {
        self.0.broken();
    }
}

struct Subscription {
    hub: Arc<Hub>,
    number: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.remove(self.number);
    }
}

/// Between a feed that broke and the next one.
const PAUSE: Duration = Duration::from_millis(50);

/// Below it, an ordinary pause of a server or a thread would count as a break.
const SHORTEST: Duration = Duration::from_millis(40);
