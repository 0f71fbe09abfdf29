//! The in-memory manager keeps the contract.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use session_core::{
    Clock, ManualClock, MemorySessionManager, Timestamp,
    conformance::{FeedHarness, Harness},
};

pub(crate) struct Memory {
    clock: Arc<ManualClock>,
    manager: MemorySessionManager,
}

impl Harness for Memory {
    type Manager = MemorySessionManager;

    fn start() -> Self {
        let clock = Arc::new(ManualClock::default());
        Self { manager: MemorySessionManager::with_clock(clock.clone()), clock }
    }

    fn manager(&self) -> &Self::Manager {
        &self.manager
    }

    fn reopen(&self) -> Self::Manager {
        self.manager.clone()
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

impl FeedHarness for Memory {
    fn break_feed(&self) {
        self.manager.break_feed();
    }
}

session_core::conformance_tests!(
    Memory; base, sweep, list, probe, recall, watch, shared, overlap, model
);

/// Runs a future that never waits for anything outside: all of the in-memory manager's.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::yield_now();
    }
}
