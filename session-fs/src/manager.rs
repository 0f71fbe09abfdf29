//! `FileBackedSessionManager`: the verbs, tried without waiting and then with.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use session_core::{
    Cursor, Expect, ForgetSessions, ListSessions, Outcome, Page, PrincipalTag, Probe,
    ProbeVersions, RecallSessions, Record, Removal, Result, SessionId, SessionManager,
    SweepSessions, Swept, Timestamp, Version, WatchSessions,
};

use crate::{
    FsConfig, SweepProgress,
    blocking::hop,
    error::TryError,
    native::NativeSyscalls,
    store::{Pass, Store},
    sweeper::Sweeper,
    syscalls::WaitMode,
};

/// Keeps sessions in files of one folder, one file a session.
///
/// - A record is whole at every moment: a write goes beside the current record, never over it.
/// - What was answered survives `kill -9` at any point; with
///   [`Durability::Synced`](crate::Durability::Synced) a loss of power too.
/// - Any number of processes of one machine may use the folder at the same time. A process that
///   dies blocks nobody.
/// - Expired sessions are cleared away in the background, by a thread that needs no requests and no
///   runtime.
///
/// Clones share one manager; the background sweep ends with the last of them.
///
/// # Errors
///
/// Beside those of the [contract](SessionManager):
/// [`ErrorKind::Contended`](session_core::ErrorKind::Contended) when another process held a
/// session's lock for longer than [`lock_timeout`](FsConfig::lock_timeout), nothing was stored and
/// retrying helps; [`ErrorKind::Corrupt`](session_core::ErrorKind::Corrupt) once for a damaged
/// file, which is moved to the folder `aside` and absent from then on (a remove does just that and
/// is no error), and always for what this crate did not write or may not read, which is left alone.
/// A disk that fails is [`ErrorKind::Unavailable`](session_core::ErrorKind::Unavailable), never an
/// absent session.
///
/// # Cancellation
///
/// A write whose future is dropped takes place whole or not at all, perhaps a moment later: what
/// was handed to the pool of blocking threads is seen through.
///
/// # Examples
///
/// ```
/// use session_core::{SessionId, SessionManager};
/// use session_fs::FileBackedSessionManager;
///
/// # let parent = tempfile::tempdir()?;
/// # let path = parent.path().join("sessions");
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let manager = FileBackedSessionManager::new(path)?;
/// assert!(manager.get(&SessionId::random()?).await?.is_none());
/// # Ok::<(), session_core::Error>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct FileBackedSessionManager {
    store: Arc<Store>,
    pass: Arc<Mutex<Pass>>,
    sweeper: Option<Arc<Sweeper>>,
}

impl FileBackedSessionManager {
    /// Opens the folder at `path` with the defaults of [`FsConfig`], and makes it (mode 0700) if it
    /// is not there.
    ///
    /// The folder is opened once: it is never looked up by its path again.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Config`](session_core::ErrorKind::Config): no folder and no parent to make it
    ///   in, no right to write to it, strangers have the right to write to it, another user owns
    ///   it, or a file system without locks, or of a network. The message names the folder and says
    ///   what to change.
    /// - [`ErrorKind::Full`](session_core::ErrorKind::Full): no space for an empty store.
    /// - [`ErrorKind::Unsupported`](session_core::ErrorKind::Unsupported): a later release laid the
    ///   folder out.
    pub fn new(path: impl AsRef<Path>) -> Result<Self> {
        Self::with_config(&FsConfig::new(path))
    }

    /// Opens the folder of `config`.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_config(config: &FsConfig) -> Result<Self> {
        Self::on(NativeSyscalls::NATIVE, config)
    }

    pub(crate) fn on(system: NativeSyscalls, config: &FsConfig) -> Result<Self> {
        let store = Arc::new(Store::open(config, system)?);
        let sweeper = config
            .sweep_interval
            .map(|interval| Sweeper::start(Arc::clone(&store), interval).map(Arc::new))
            .transpose()?;
        Ok(Self { store, pass: Arc::new(Mutex::new(Pass::new())), sweeper })
    }

    /// Sweeps the whole folder now, and tells `progress` after each bounded step what was done so
    /// far.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](session_core::ErrorKind::Unavailable) if the folder was removed.
    /// A file or a folder in it that cannot be read is counted and passed over.
    ///
    /// # Cancellation
    ///
    /// Dropping the future ends the sweep after the step it is at.
    pub async fn sweep_now(
        &self,
        mut progress: impl FnMut(&SweepProgress) + Send,
    ) -> Result<SweepProgress> {
        let (mut pass, mut done, mut more) = (Pass::new(), SweepProgress::default(), true);
        while more {
            let store = Arc::clone(&self.store);
            (pass, done, more) = hop(move || {
                let more = store.sweep_step(&mut pass, &mut done, &|| false)?;
                Ok((pass, done, more))
            })
            .await?;
            progress(&done);
        }
        Ok(done)
    }

    /// How many damaged files this manager has moved to the folder `aside` since it was made.
    pub fn damaged(&self) -> u64 {
        self.store.damaged()
    }

    /// Tries `work` without waiting, and where that is not enough once more where it may wait: one
    /// hop at most.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Fn(&Store, WaitMode) -> Result<T, TryError> + Send + 'static,
    ) -> Result<T> {
        match work(&self.store, WaitMode::Inline) {
            Err(TryError::WouldBlock) => {}
            done => return done.map_err(TryError::into_error),
        }
        let store = Arc::clone(&self.store);
        hop(move || work(&store, WaitMode::Blocking).map_err(TryError::into_error)).await
    }

    async fn hop<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(&self.store);
        hop(move || work(&store)).await
    }
}

impl fmt::Debug for FileBackedSessionManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileBackedSessionManager")
            .field("store", &self.store)
            .field("sweeps", &self.sweeper.is_some())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionManager for FileBackedSessionManager {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        Ok(self.get(id).await?.is_some())
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        let id = *id;
        Ok(self.run(move |store, wait| store.get(&id, wait)).await?.map(Arc::new))
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        let record = Arc::clone(record);
        self.run(move |store, wait| store.put(&record, expect, wait)).await
    }

    async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        let id = *id;
        self.run(move |store, wait| store.touch(&id, version, expires_at, wait)).await
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        let id = *id;
        self.hop(move |store| store.remove(&id, only)).await
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        Some(self)
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        Some(self)
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        Some(self)
    }

    /// None: files tell nobody of changes. A cache over this manager asks for versions instead.
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
impl SweepSessions for FileBackedSessionManager {
    async fn sweep(&self) -> Result<Swept> {
        let pass = Arc::clone(&self.pass);
        self.hop(move |store| {
            let mut progress = SweepProgress::default();
            let mut pass = pass.lock().unwrap_or_else(PoisonError::into_inner);
            let more = store.sweep_step(&mut pass, &mut progress, &|| false)?;
            let mut swept = Swept::default();
            swept.scanned = progress.scanned;
            swept.removed = progress.removed;
            swept.bytes = progress.bytes;
            swept.more = more;
            Ok(swept)
        })
        .await
    }
}

#[async_trait]
impl ListSessions for FileBackedSessionManager {
    async fn by_principal(
        &self,
        tag: &PrincipalTag,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page> {
        let (tag, cursor) = (*tag, cursor.cloned());
        self.hop(move |store| store.by_principal(&tag, cursor.as_ref(), limit)).await
    }

    async fn scan(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page> {
        let cursor = cursor.cloned();
        self.hop(move |store| store.scan(cursor.as_ref(), limit)).await
    }
}

#[async_trait]
impl ProbeVersions for FileBackedSessionManager {
    async fn probe(&self, id: &SessionId) -> Result<Option<Probe>> {
        let id = *id;
        self.run(move |store, wait| store.probe(&id, wait)).await
    }
}
