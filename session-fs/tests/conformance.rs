//! The manager keeps the contract.

#![expect(clippy::expect_used, reason = "a harness fails by panicking")]

use std::{fs::File, sync::Arc, time::Duration};

use proptest::test_runner::{Config as ProptestConfig, FileFailurePersistence};
use session_core::{
    Clock, ManualClock, SessionId, Timestamp,
    conformance::{ClockHarness, DurableHarness, Harness, LockHarness},
};
use session_fs::{FileBackedSessionManager, FsConfig};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

struct Fs {
    clock: Arc<ManualClock>,
    manager: FileBackedSessionManager,
    config: FsConfig,
    runtime: Runtime,
    folder: TempDir,
}

impl Harness for Fs {
    type Manager = FileBackedSessionManager;

    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let clock = Arc::new(ManualClock::default());
        let config = FsConfig::new(folder.path()).clock(clock.clone()).without_background_sweep();
        let manager = FileBackedSessionManager::with_config(&config).expect("a manager");
        let runtime = Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        Self { clock, manager, config, runtime, folder }
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

impl DurableHarness for Fs {
    fn restart(self) -> Self {
        drop(self.manager);
        let manager = FileBackedSessionManager::with_config(&self.config).expect("a manager");
        Self { manager, ..self }
    }
}

impl ClockHarness for Fs {
    fn reopen_with_clock(&self, clock: Arc<dyn Clock>) -> Self::Manager {
        let config = self.config.clone().clock(clock);
        FileBackedSessionManager::with_config(&config).expect("another manager")
    }
}

impl LockHarness for Fs {
    fn hold(&self, id: &SessionId) -> impl Sized + Send {
        let mut text = [0; SessionId::TEXT_BYTES];
        let text = id.encode(&mut text);
        let path = self.folder.path().join("records").join(&text[..3]).join(text);
        let file = File::options().write(true).open(path).expect("the file of the session");
        file.lock().expect("the lock of the session");
        file
    }
}

session_core::conformance_tests!(Fs; base, sweep, list, probe, shared, durable, clocks, locks, overlap, model);

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
