//! Sequences of operations, beside the model of the conformance suite.

use std::{sync::Arc, time::Duration};

use session_cache::{CacheConfig, CachingSessionManager, Coherence};
use session_core::{
    Clock, ManualClock, MemorySessionManager, Timestamp,
    conformance::{Harness, model},
};

use crate::world::block_on;

/// Any sequence of what browsers, handlers and operators do agrees with the model of it, over a
/// cache that is small enough to evict.
pub fn operations(bytes: &[u8]) {
    model::check::<Cached>(bytes);
}

struct Cached {
    clock: Arc<ManualClock>,
    parent: MemorySessionManager,
    manager: CachingSessionManager,
}

impl Cached {
    fn over(parent: &MemorySessionManager, clock: &Arc<ManualClock>) -> CachingSessionManager {
        let config = CacheConfig::new().capacity(2).clock(Arc::clone(clock) as _);
        CachingSessionManager::with_config(parent.clone(), Coherence::Checked, config)
            .expect("the in-memory manager has every ability")
    }
}

impl Harness for Cached {
    type Manager = CachingSessionManager;

    fn start() -> Self {
        let clock = Arc::new(ManualClock::default());
        let parent = MemorySessionManager::with_clock(Arc::clone(&clock) as _);
        let manager = Self::over(&parent, &clock);
        Self { clock, parent, manager }
    }

    fn manager(&self) -> &Self::Manager {
        &self.manager
    }

    fn reopen(&self) -> Self::Manager {
        Self::over(&self.parent, &self.clock)
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

    fn wait(&self) {}
}
