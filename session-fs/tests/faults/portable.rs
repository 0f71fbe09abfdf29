//! The manager without what only Linux can do, as it is on every other Unix.

use std::{sync::Arc, time::Duration};

use session_core::{
    Clock, Expect, ManualClock, Timestamp,
    conformance::{DurableHarness, Harness},
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::records::{new_id, record};
use crate::{
    Durability, FileBackedSessionManager, FsConfig, error::TryError, native::NativeSyscalls,
    store::Store, syscalls::WaitMode,
};

struct Portable {
    clock: Arc<ManualClock>,
    manager: FileBackedSessionManager,
    config: FsConfig,
    runtime: Runtime,
    _folder: TempDir,
}

fn open(config: &FsConfig) -> FileBackedSessionManager {
    FileBackedSessionManager::on(NativeSyscalls::PORTABLE, config).expect("a manager")
}

impl Harness for Portable {
    type Manager = FileBackedSessionManager;

    fn start() -> Self {
        let folder = super::folder();
        let clock = Arc::new(ManualClock::default());
        let config = FsConfig::new(folder.path()).clock(clock.clone()).without_background_sweep();
        let runtime = Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        Self { clock, manager: open(&config), config, runtime, _folder: folder }
    }

    fn manager(&self) -> &Self::Manager {
        &self.manager
    }

    fn reopen(&self) -> Self::Manager {
        open(&self.config)
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

impl DurableHarness for Portable {
    fn restart(self) -> Self {
        drop(self.manager);
        Self { manager: open(&self.config), ..self }
    }
}

session_core::conformance_tests!(Portable; base, sweep, list, probe, shared, durable);

#[test]
fn every_verb_hops_and_none_waits_where_it_is_polled() {
    let folder = super::folder();
    for durability in [Durability::Buffered, Durability::Synced] {
        let config = FsConfig::new(folder.path()).durability(durability);
        let store = Store::open(&config, NativeSyscalls::PORTABLE).expect("a store");
        let id = new_id();
        let made = record(id, 1, Timestamp::MAX, b"value");
        let put = |wait| store.put(&made, Expect::Absent, wait).map_err(TryError::into_error);
        assert!(put(WaitMode::Blocking).is_ok());
        let inline = WaitMode::Inline;
        assert!(matches!(store.get(&id, inline), Err(TryError::WouldBlock)));
        let next = record(id, 2, Timestamp::MAX, b"next");
        let over = Expect::Version(made.version());
        assert!(matches!(store.put(&next, over, inline), Err(TryError::WouldBlock)));
        let touched = store.touch(&id, made.version(), Timestamp::MAX, inline);
        assert!(matches!(touched, Err(TryError::WouldBlock)));
        assert!(store.get(&id, WaitMode::Blocking).is_ok_and(|found| found.is_some()));
    }
}
