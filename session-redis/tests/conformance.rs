//! The manager keeps the contract: on one server, and on a Cluster of three.

#![expect(clippy::expect_used, reason = "a harness fails by panicking")]

mod support;

use std::{
    marker::PhantomData,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use session_core::{
    Clock, ManualClock, SessionId, Timestamp,
    conformance::{ClockHarness, DamageHarness, DurableHarness, FeedHarness, Harness},
};
use session_redis::{RedisConfig, RedisSessionManager};

use self::support::Cluster;
use self::support::{Server, a_moment, ask, block_on};

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start(&[]));
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| Cluster::start(3, false));

/// Servers as a type, since a harness is made from nothing.
trait Servers: Sync {
    fn config() -> RedisConfig;

    fn servers() -> Vec<&'static Server>;
}

struct One;

impl Servers for One {
    fn config() -> RedisConfig {
        RedisConfig::new(SERVER.url())
    }

    fn servers() -> Vec<&'static Server> {
        vec![&SERVER]
    }
}

struct Three;

impl Servers for Three {
    fn config() -> RedisConfig {
        RedisConfig::cluster(CLUSTER.urls())
    }

    fn servers() -> Vec<&'static Server> {
        CLUSTER.nodes().collect()
    }
}

struct Redis<S> {
    clock: Arc<ManualClock>,
    config: RedisConfig,
    prefix: String,
    manager: RedisSessionManager,
    servers: PhantomData<S>,
}

impl<S: Servers> Harness for Redis<S> {
    type Manager = RedisSessionManager;

    fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("test-{}:", NEXT.fetch_add(1, Ordering::Relaxed));
        let clock = Arc::new(ManualClock::default());
        let config = S::config()
            .prefix(&prefix)
            .clock(clock.clone())
            // A machine that is busy with other tests is no test of time-outs.
            .timeout(Duration::from_secs(20))
            .connect_timeout(Duration::from_secs(10));
        let manager = block_on(RedisSessionManager::with_config(&config)).expect("a manager");
        Self { clock, config, prefix, manager, servers: PhantomData }
    }

    fn manager(&self) -> &Self::Manager {
        &self.manager
    }

    fn reopen(&self) -> Self::Manager {
        block_on(RedisSessionManager::with_config(&self.config)).expect("another manager")
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        block_on(future)
    }

    fn wait(&self) {
        a_moment();
    }
}

impl<S: Servers> FeedHarness for Redis<S> {
    fn break_feed(&self) {
        let name = format!(" name={}feed ", self.prefix);
        for server in S::servers() {
            let mut connection = server.connect();
            let clients: String = ask(&mut connection, &["CLIENT", "LIST"]);
            let feeds = clients.lines().filter(|client| client.contains(&name));
            for id in feeds.filter_map(|client| client.strip_prefix("id=")?.split(' ').next()) {
                ask::<()>(&mut connection, &["CLIENT", "KILL", "ID", id]);
            }
        }
    }
}

impl<S: Servers> DurableHarness for Redis<S> {
    /// The server stays: what a restart of it keeps is its own promise.
    fn restart(self) -> Self {
        drop(self.manager);
        let manager = block_on(RedisSessionManager::with_config(&self.config)).expect("a manager");
        Self { manager, ..self }
    }
}

impl<S: Servers> ClockHarness for Redis<S> {
    fn reopen_with_clock(&self, clock: Arc<dyn Clock>) -> Self::Manager {
        let config = self.config.clone().clock(clock);
        block_on(RedisSessionManager::with_config(&config)).expect("another manager")
    }
}

impl DamageHarness for Redis<One> {
    fn plant(&self, id: &SessionId, bytes: &[u8]) {
        let key = format!("{}s:{}", self.prefix, id.encode(&mut [0; SessionId::TEXT_BYTES]));
        let mut set = redis::cmd("SET");
        set.arg(key).arg(bytes).arg("KEEPTTL").exec(&mut SERVER.connect()).expect("SET");
    }
}

mod one {
    use super::*;

    session_core::conformance_tests!(
        Redis<One>; base, list, probe, watch, shared, durable, damaged, clocks, overlap, model
    );
}

mod cluster {
    use super::*;

    // Overlap of two processes is in `shared`; of one, it is the same code as on one server.
    session_core::conformance_tests!(
        Redis<Three>; base, list, probe, watch, shared, durable, clocks, model
    );
}
