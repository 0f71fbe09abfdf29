//! What a user may set.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use session_core::{Clock, SystemClock};

/// How a [`FileBackedSessionManager`](crate::FileBackedSessionManager) keeps its files.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use session_fs::{Durability, FileBackedSessionManager, FsConfig};
///
/// # let parent = tempfile::tempdir()?;
/// # let path = parent.path().join("sessions");
/// let config = FsConfig::new(path)
///     .durability(Durability::Synced)
///     .sweep_interval(Duration::from_secs(60));
/// let manager = FileBackedSessionManager::with_config(&config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a configuration does nothing until a manager is made with it"]
pub struct FsConfig {
    pub(crate) path: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) durability: Durability,
    pub(crate) lock_timeout: Duration,
    pub(crate) sharing: Sharing,
    pub(crate) sweep_interval: Option<Duration>,
}

/// What a write survives once it was answered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Durability {
    /// The end of the process in any way, `kill -9` too. Not a loss of power: what the system had
    /// not written back by itself, usually the last 5 to 30 seconds, may be lost, and then each
    /// record is as an earlier put left it, or absent.
    #[default]
    Buffered,
    /// A loss of power too: data and name are on the disk before `put` and `remove` answer, and so
    /// is what a `remove` found to be gone already. So is what a `get` answers: it waits for a put
    /// that is under way. The folder itself is on the disk when the manager is made, with 4,096
    /// folders in it. All processes that share a folder must use it so. Callers who wait for the
    /// same folder share a sync. A `touch` is not waited for: after a loss of power a session may
    /// end as early as if it had not been used since its last put.
    Synced,
}

/// Who uses the folder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sharing {
    /// Any number of processes of one machine.
    Processes,
    /// This process alone.
    Alone,
}

impl FsConfig {
    /// The defaults, for the folder at `path`.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_path_buf(),
            clock: Arc::new(SystemClock::new()),
            durability: Durability::default(),
            lock_timeout: Duration::from_secs(5),
            sharing: Sharing::Processes,
            sweep_interval: Some(Duration::from_secs(300)),
        }
    }

    /// Takes the time from `clock` instead of the machine's own.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets what a write survives: [`Durability::Buffered`] unless set.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets how long a call waits for other writers of the same session: 5 seconds unless set.
    ///
    /// Locks end with the process that holds them, so only one that is stopped or stuck is ever
    /// waited for that long.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// Promises that no other process uses the folder, so that files are not locked.
    ///
    /// For file systems without advisory locks, many network file systems among them. Managers of
    /// one process keep each other out all the same if all of them were told this. **Two processes
    /// on one folder lose writes when one of them was told this.**
    pub fn single_process(mut self) -> Self {
        self.sharing = Sharing::Alone;
        self
    }

    /// Sets how often the folder is swept in the background: every 5 minutes unless set. Of several
    /// processes on one folder, one sweeps.
    pub fn sweep_interval(mut self, interval: Duration) -> Self {
        self.sweep_interval = Some(interval);
        self
    }

    /// Leaves sweeping to calls of [`sweep_now`](crate::FileBackedSessionManager::sweep_now) or of
    /// the ability to sweep.
    pub fn without_background_sweep(mut self) -> Self {
        self.sweep_interval = None;
        self
    }
}
