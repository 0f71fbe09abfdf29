//! The store over system calls that end early, fail, or are written down.

mod cost;
mod crash;
mod errors;
mod portable;
mod power;
mod probing;
#[path = "../support/mod.rs"]
mod records;
mod refused;
mod rivals;
mod shim;
mod syncs;

use std::sync::Arc;

use session_core::{ManualClock, PrincipalTag, Record, SessionId};
use tempfile::TempDir;

use self::shim::{Fate, Shim};
use crate::{Durability, FsConfig, native::NativeSyscalls, store::Store, syscalls::WaitMode};

const ALICE: PrincipalTag = PrincipalTag::from_bytes([0xa1; 16]);
const BOB: PrincipalTag = PrincipalTag::from_bytes([0xb0; 16]);

/// A folder with two stores on it: one to prepare and to look with, one whose calls go wrong.
struct Bench {
    clock: Arc<ManualClock>,
    good: Store<NativeSyscalls>,
    bad: Store<Shim>,
    shim: Shim,
    folder: TempDir,
}

impl Bench {
    fn new(durability: Durability) -> Self {
        let folder = folder();
        let clock = Arc::new(ManualClock::default());
        let config = FsConfig::new(folder.path()).clock(clock.clone()).durability(durability);
        let shim = Shim::default();
        // A reader that meets the lock of the writer under test would wait for a thread that waits
        // for it.
        let looking = config.clone().lock_timeout(std::time::Duration::ZERO);
        let good = Store::open(&looking, NativeSyscalls::NATIVE).expect("a store");
        let bad = Store::open(&config, shim.clone()).expect("a store");
        Self { clock, good, bad, shim, folder }
    }

    /// What a reader finds: the bytes of the live record.
    fn look(&self, id: &SessionId) -> Option<Vec<u8>> {
        let found =
            self.good.get(id, WaitMode::Blocking).map_err(crate::error::TryError::into_error);
        found.expect("a reader gets an answer").map(|record| record.to_bytes().to_vec())
    }

    /// The same work, with the fate of one of its calls decided.
    fn with_fate<T>(&self, fate: Fate, work: impl FnOnce(&Store<Shim>) -> T) -> T {
        self.shim.begin(fate);
        let done = work(&self.bad);
        self.shim.end();
        done
    }
}

/// In memory where there is such a place: these tests make some ten thousand files, and decide
/// themselves what a disk does.
fn folder() -> TempDir {
    let in_memory = tempfile::Builder::new().tempdir_in("/dev/shm");
    in_memory.or_else(|_| tempfile::tempdir()).expect("a folder for the test")
}

fn bytes(record: &Record) -> Vec<u8> {
    record.to_bytes().to_vec()
}
