//! The store: the verbs as plain calls, each of which may wait or not as it is told.

mod aside;

mod index;
mod list;
mod locked;
mod probe;
mod read;
mod seen;
mod sweep;
mod write;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use session_core::{Clock, Result};

pub(crate) use self::sweep::Pass;
use crate::{
    FsConfig, config::Sharing, error::During, folder::Folder, native::NativeSyscalls,
    stalls::Stalls, stripes::Stripes, syscalls::Syscalls,
};

/// Sessions in a folder.
pub(crate) struct Store<C = NativeSyscalls> {
    folder: Folder<C>,
    clock: Arc<dyn Clock>,
    lock_timeout: Duration,
    stripes: Arc<Stripes>,
    stalls: Stalls,
    guard: sweep::Guard,
    /// Whether a sweep was done with the whole folder.
    looked_into_all: AtomicBool,
    seen: seen::Seen,
    listings: list::Listings,
    damaged: AtomicU64,
}

impl<C: Syscalls> Store<C> {
    pub(crate) fn open(config: &FsConfig, sys: C) -> Result<Self> {
        let folder = Folder::new(config, sys)?;
        let stripes = match config.sharing {
            Sharing::Processes => Arc::new(Stripes::new()),
            // Nothing else keeps several managers of the one process apart.
            Sharing::Alone => Stripes::of_folder(folder.identity().during("looking at a folder")?),
        };
        Ok(Self {
            folder,
            clock: config.clock.clone(),
            lock_timeout: config.lock_timeout,
            stripes,
            stalls: Stalls::new(),
            guard: sweep::Guard::default(),
            looked_into_all: AtomicBool::new(false),
            seen: seen::Seen::new(),
            listings: list::Listings::default(),
            damaged: AtomicU64::new(0),
        })
    }

    /// How many damaged files were set aside through this manager.
    pub(crate) fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// How many wait for syncs of folders or make them.
    #[cfg(test)]
    pub(crate) fn callers_of_syncs(&self) -> usize {
        self.folder.callers_of_syncs()
    }
}

impl<C> fmt::Debug for Store<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("folder", &self.folder).finish_non_exhaustive()
    }
}
