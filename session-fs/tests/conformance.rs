//! The manager keeps the contract.

#![expect(clippy::expect_used, reason = "a harness fails by panicking")]

use std::{sync::Arc, time::Duration};

use proptest::test_runner::{Config as ProptestConfig, FileFailurePersistence};
use session_core::{Clock, ManualClock, Timestamp, conformance::Harness};
use session_fs::{FileBackedSessionManager, FsConfig};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

struct Fs {
    clock: Arc<ManualClock>,
    manager: FileBackedSessionManager,
    config: FsConfig,
    runtime: Runtime,
    _folder: TempDir,
}

impl Harness for Fs {
    type Manager = FileBackedSessionManager;

    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let clock = Arc::new(ManualClock::default());
        let config = FsConfig::new(folder.path()).clock(clock.clone()).without_background_sweep();
        let manager = FileBackedSessionManager::with_config(&config).expect("a manager");
        let runtime = Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        Self { clock, manager, config, runtime, _folder: folder }
    }

    fn manager(&self) -> &Self::Manager {
        &self.manager
    }

    fn reopen(&self) -> Self::Manager {
        FileBackedSessionManager::with_config(&self.config).expect("another manager")
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    fn wait(&self) {}
}

session_core::conformance_tests!(Fs; base, sweep, list, probe, shared, durable, overlap, model);

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
        session_core::conformance::model::check::<Fs>(&bytes);
    }
}
