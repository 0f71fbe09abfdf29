//! A store in a folder of its own, and a look behind it.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use session_core::{
    Clock, ErrorKind, Expect, ManualClock, Outcome, Record, SessionId, SessionManager, Timestamp,
    Version,
};
use session_fs::{FileBackedSessionManager, FsConfig};
use tempfile::TempDir;

use crate::records::{new_id, record};

pub(crate) const IDLE: Duration = Duration::from_secs(600);

pub(crate) struct Store {
    pub(crate) manager: FileBackedSessionManager,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) folder: TempDir,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self::of(tempfile::tempdir().expect("a folder for the test"))
    }

    /// On a file system in memory, where there is one.
    pub(crate) fn in_memory() -> Self {
        let in_memory = tempfile::Builder::new().tempdir_in("/dev/shm");
        Self::of(in_memory.or_else(|_| tempfile::tempdir()).expect("a folder for the test"))
    }

    fn of(folder: TempDir) -> Self {
        let clock = Arc::new(ManualClock::default());
        let manager = open(folder.path(), &clock);
        Self { manager, clock, folder }
    }

    /// When a session that is used now ends if it is used no more.
    pub(crate) fn idle(&self) -> Timestamp {
        self.clock.now().saturating_add(IDLE)
    }

    pub(crate) fn created(&self, body: &[u8]) -> Arc<Record> {
        let record = record(new_id(), 1, self.idle(), body);
        assert_eq!(self.put(&record, Expect::Absent), Ok(Outcome::Stored));
        record
    }

    /// The next version of `old`, stored.
    pub(crate) fn changed(&self, old: &Record, body: &[u8]) -> Arc<Record> {
        let record = record(*old.id(), old.version().get() + 1, self.idle(), body);
        assert_eq!(self.put(&record, Expect::Version(old.version())), Ok(Outcome::Stored));
        record
    }

    pub(crate) fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome, ErrorKind> {
        block_on(self.manager.put(record, expect)).map_err(|error| error.kind())
    }

    /// The bytes of the live record.
    pub(crate) fn get(&self, id: &SessionId) -> Result<Option<Vec<u8>>, ErrorKind> {
        match block_on(self.manager.get(id)) {
            Ok(found) => Ok(found.map(|record| record.to_bytes().to_vec())),
            Err(error) => Err(error.kind()),
        }
    }

    pub(crate) fn touch(&self, id: &SessionId, version: u64) -> Result<Outcome, ErrorKind> {
        block_on(self.manager.touch(id, Version::new(version), self.idle()))
            .map_err(|error| error.kind())
    }

    pub(crate) fn file(&self, id: &SessionId) -> PathBuf {
        let mut buffer = [0; SessionId::TEXT_BYTES];
        let name = id.encode(&mut buffer);
        self.folder.path().join("records").join(&name[..3]).join(name)
    }

    /// How many files are in a folder of the store.
    pub(crate) fn count(&self, folder: &str) -> usize {
        files(&self.folder.path().join(folder)).len()
    }
}

pub(crate) fn open(path: &Path, clock: &Arc<ManualClock>) -> FileBackedSessionManager {
    let config = FsConfig::new(path).clock(clock.clone()).without_background_sweep();
    FileBackedSessionManager::with_config(&config).expect("a manager")
}

/// When a file was last written to, or given or deprived of a name.
pub(crate) fn changed(file: &Path) -> Duration {
    let metadata = fs::metadata(file).expect("it is there");
    Duration::new(
        u64::try_from(metadata.ctime()).expect("after 1970"),
        u32::try_from(metadata.ctime_nsec()).expect("below a second"),
    )
}

/// How a change of a file is dated now, which is tried on this one, beside those of a store.
pub(crate) fn dates(file: &Path) -> Duration {
    fs::write(file, b"").expect("it can be written");
    changed(file)
}

/// All files below `folder`.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

/// Runs a future outside of any runtime: then every wait happens where it is polled.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("without a runtime nothing is pending"),
    }
}
