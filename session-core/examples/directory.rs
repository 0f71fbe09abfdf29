//! A whole backend: one file for each session, in one folder.
//!
//! `cargo run -p session-core --example directory FOLDER` counts its own starts in a session.
//!
//! Right for the processes of one machine: a lock makes a look and the write after it one step. It
//! blocks on files and is not safe against a loss of power; `session-fs` is what to use.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    sync::Arc,
};

use async_trait::async_trait;
use session_core::{
    Clock, CookieAction, Error, ErrorKind, Expect, ForgetSessions, ListSessions, Outcome,
    ProbeVersions, RecallSessions, Record, Removal, Result, SessionId, SessionInterface,
    SessionManager, SigningKey, SweepSessions, Swept, SystemClock, Timestamp, Version,
    WatchSessions,
};

/// Keeps each session in a file named by its sid.
#[derive(Debug)]
struct DirectorySessionManager {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
}

impl DirectorySessionManager {
    fn new(folder: PathBuf, clock: Arc<dyn Clock>) -> Result<Self> {
        fs::create_dir_all(&folder).map_err(unavailable)?;
        Ok(Self { folder, clock })
    }

    /// A sid is a UUID in its one form, so no text a client sent ever becomes a path.
    fn path(&self, id: &SessionId) -> PathBuf {
        self.folder.join(id.encode(&mut [0; SessionId::TEXT_BYTES]))
    }

    /// Waits until no other manager writes, of this process or of another one. The lock ends with
    /// the file that is returned, and with the process.
    fn lock(&self) -> Result<File> {
        let path = self.folder.join("lock");
        let file = File::options().create(true).append(true).open(path).map_err(unavailable)?;
        file.lock().map_err(unavailable)?;
        Ok(file)
    }

    /// The live record: an expired one is absent, whether or not it was swept. The time is looked
    /// at last, for a writer when it has the lock.
    fn read(&self, id: &SessionId) -> Result<Option<Record>> {
        match fs::read(self.path(id)) {
            Ok(bytes) => {
                let record = Record::from_bytes(id, bytes.into())?;
                Ok(Some(record).filter(|record| !record.is_expired(self.clock.now())))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Replaces the file whole, so that a reader finds the old record or the new one.
    fn write(&self, record: &Record) -> Result<Outcome> {
        let new = self.folder.join("new");
        fs::write(&new, record.to_bytes()).map_err(unavailable)?;
        fs::rename(&new, self.path(record.id())).map_err(unavailable)?;
        Ok(Outcome::Stored)
    }
}

/// The cause is kept: errors of the operating system name no path, so no sid either.
fn unavailable(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "directory", "the folder cannot be used").with_source(error)
}

#[async_trait]
impl SessionManager for DirectorySessionManager {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        Ok(self.read(id)?.is_some())
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        Ok(self.read(id)?.map(Arc::new))
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        let _lock = self.lock()?;
        let live = self.read(record.id())?;
        match expect.check(live.map(|live| live.version())) {
            Ok(()) => self.write(record),
            Err(refused) => Ok(refused),
        }
    }

    async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        let _lock = self.lock()?;
        match self.read(id)? {
            Some(live) if live.version() == version => {
                self.write(&live.with_expires_at(expires_at))
            }
            Some(_) => Ok(Outcome::Conflict),
            None => Ok(Outcome::Gone),
        }
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        let _lock = self.lock()?;
        let removal = match self.read(id)? {
            Some(live) if only.is_some_and(|version| live.version() != version) => {
                return Ok(Removal::Conflict);
            }
            Some(_) => Removal::Removed,
            None => Removal::Gone,
        };
        // An expired record too: a process whose clock is behind would find it live.
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unavailable(error)),
            _ => Ok(removal),
        }
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        Some(self)
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        None
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        None
    }

    fn watching(&self) -> Option<&dyn WatchSessions> {
        None
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        None
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        None
    }
}

#[async_trait]
impl SweepSessions for DirectorySessionManager {
    async fn sweep(&self) -> Result<Swept> {
        let mut swept = Swept::default();
        if !self.clock.is_settled() {
            return Ok(swept);
        }
        for entry in fs::read_dir(&self.folder).map_err(unavailable)? {
            let name = entry.map_err(unavailable)?.file_name();
            // What is not named as a session is not ours.
            let Some(id) = SessionId::parse(name.as_encoded_bytes()) else { continue };
            let _lock = self.lock()?;
            swept.scanned += 1;
            // What cannot be read stays: it may be of a later release.
            if let Ok(None) = self.read(&id)
                && fs::remove_file(self.path(&id)).is_ok()
            {
                swept.removed += 1;
            }
        }
        Ok(swept)
    }
}

#[expect(clippy::print_stdout, reason = "an example that is run by hand")]
async fn count(folder: PathBuf) -> Result<()> {
    let cookie_file = folder.join("cookie");
    let manager = DirectorySessionManager::new(folder, Arc::new(SystemClock::new()))?;
    // An example may have a secret everyone knows; an application reads its own from a file.
    let key = SigningKey::hmac_sha256("0123456789abcdef0123456789abcdef")?;
    let interface = SessionInterface::builder(manager, key).build()?;
    let cookie = fs::read(&cookie_file).unwrap_or_default();
    let session = interface.open([cookie.as_slice()]).await?;
    let starts = session.update("starts", |starts: Option<u32>| starts.unwrap_or(0) + 1).await?;
    if let CookieAction::Set(cookie) = session.finish().await?.cookie {
        fs::write(&cookie_file, cookie.value()).map_err(unavailable)?;
    }
    println!("start number {starts}");
    Ok(())
}

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).unwrap_or_else(|| "sessions".into());
    block_on(count(folder.into()))
}

/// Nothing here waits for anything but files, so no runtime is needed.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::yield_now();
    }
}

// In a crate of its own this is `#[cfg(test)]`, or a file `tests/conformance.rs`: there the feature
// is on for all tests.
#[cfg(all(test, feature = "conformance"))]
#[expect(clippy::expect_used, reason = "a test fails by panicking")]
mod tests {
    use std::time::Duration;

    use session_core::{
        ManualClock,
        conformance::{ClockHarness, DamageHarness, DurableHarness, Harness, LockHarness},
    };

    use super::*;

    struct Directory {
        clock: Arc<ManualClock>,
        manager: DirectorySessionManager,
        folder: tempfile::TempDir,
    }

    impl Harness for Directory {
        type Manager = DirectorySessionManager;

        fn start() -> Self {
            let clock = Arc::new(ManualClock::default());
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().to_path_buf();
            let manager = DirectorySessionManager::new(path, clock.clone()).expect("a manager");
            Self { clock, manager, folder }
        }

        fn manager(&self) -> &Self::Manager {
            &self.manager
        }

        fn reopen(&self) -> Self::Manager {
            let path = self.folder.path().to_path_buf();
            DirectorySessionManager::new(path, self.clock.clone()).expect("a manager")
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

    impl DurableHarness for Directory {
        fn restart(self) -> Self {
            Self { manager: self.reopen(), ..self }
        }
    }

    impl DamageHarness for Directory {
        fn plant(&self, id: &SessionId, bytes: &[u8]) {
            fs::write(self.manager.path(id), bytes).expect("the file is written");
        }
    }

    impl ClockHarness for Directory {
        fn reopen_with_clock(&self, clock: Arc<dyn Clock>) -> Self::Manager {
            let path = self.folder.path().to_path_buf();
            DirectorySessionManager::new(path, clock).expect("a manager")
        }
    }

    impl LockHarness for Directory {
        fn hold(&self, _id: &SessionId) -> impl Sized + Send {
            self.manager.lock().expect("the lock")
        }
    }

    session_core::conformance_tests!(
        Directory; base, sweep, shared, durable, damaged, clocks, locks, overlap, model
    );
}
