//! The rules of `SessionManager`, for the cache in every mode over the in-memory manager.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use proptest::test_runner::{Config as ProptestConfig, FileFailurePersistence};
use session_cache::{CacheConfig, CachingSessionManager, Coherence};
use session_core::{
    Clock, ManualClock, MemorySessionManager, Timestamp,
    conformance::{FeedHarness, Harness},
};

/// A mode as a type, since a harness is made from nothing.
trait Mode: Sync {
    const COHERENCE: Coherence;
    const CAPACITY: usize = 1_000;
}

struct Cached<M> {
    clock: Arc<ManualClock>,
    parent: MemorySessionManager,
    manager: CachingSessionManager,
    mode: std::marker::PhantomData<M>,
}

impl<M: Mode> Cached<M> {
    fn over(parent: &MemorySessionManager, clock: &Arc<ManualClock>) -> CachingSessionManager {
        let config = CacheConfig::new().capacity(M::CAPACITY).clock(Arc::clone(clock) as _);
        CachingSessionManager::with_config(parent.clone(), M::COHERENCE, config)
            .expect("the in-memory manager has every ability")
    }
}

impl<M: Mode> Harness for Cached<M> {
    type Manager = CachingSessionManager;

    fn start() -> Self {
        let clock = Arc::new(ManualClock::default());
        let parent = MemorySessionManager::with_clock(Arc::clone(&clock) as _);
        let manager = Self::over(&parent, &clock);
        Self { clock, parent, manager, mode: std::marker::PhantomData }
    }

    fn manager(&self) -> &Self::Manager {
        &self.manager
    }

    /// A cache of its own, as another process would have.
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
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            std::thread::yield_now();
        }
    }

    fn wait(&self) {}
}

impl<M: Mode> FeedHarness for Cached<M> {
    fn break_feed(&self) {
        self.parent.break_feed();
    }
}

macro_rules! modes {
    ($($name:ident: $coherence:expr, $capacity:expr; $($group:ident),+;)+) => {
        $(mod $name {
            use super::*;

            struct This;

            impl Mode for This {
                const COHERENCE: Coherence = $coherence;
                const CAPACITY: usize = $capacity;
            }

            session_core::conformance_tests!(Cached<This>; $($group),+);
        })+
    };
}

// Only modes that promise it are run with several managers on one store.
modes! {
    exclusive: Coherence::Exclusive, 1_000; base, sweep, list, probe, recall, forget, watch, overlap, model;
    checked: Coherence::Checked, 1_000; base, sweep, list, probe, forget, watch, overlap, model, shared;
    watching: Coherence::Watching, 1_000; base, sweep, list, probe, recall, forget, watch, overlap, model, shared;
    max_age: Coherence::MaxAge(Duration::from_secs(5)), 1_000; base, sweep, list, probe, recall, forget, watch, overlap, model;
    exclusive_without_room: Coherence::Exclusive, 0; base, forget, overlap;
    exclusive_with_room_for_one: Coherence::Exclusive, 1; base;
    checked_with_room_for_one: Coherence::Checked, 1; base, forget, shared;
}

struct AnyChecked;

impl Mode for AnyChecked {
    const COHERENCE: Coherence = Coherence::Checked;
    const CAPACITY: usize = 2;
}

proptest::proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/model.regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_sequence_of_operations_agrees_with_the_model(
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..160)
    ) {
        session_core::conformance::model::check::<Cached<AnyChecked>>(&bytes);
    }
}
