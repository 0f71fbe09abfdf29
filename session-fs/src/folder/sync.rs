//! Syncs of folders, each shared by all who wait for it.

use std::{
    collections::HashMap,
    fmt,
    os::fd::{AsFd, BorrowedFd},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::Folder;
use crate::{
    Durability,
    error::{Cause, During},
    names::{Name, Shard, Tree},
    slots::View,
    syscalls::{Open, Syscalls, WaitMode},
};

/// A folder whose names are synced.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Place {
    Root,
    Tree(Tree),
    Shard(Tree, Shard),
}

impl<C: Syscalls> Folder<C> {
    /// With [`Durability::Synced`]: the names in a folder are on the disk when this returns, and so
    /// is that others are gone.
    pub(crate) fn sync_names(&self, place: Place) -> Result<(), Cause> {
        if self.durability == Durability::Buffered {
            return Ok(());
        }
        self.syncs.share(place, || {
            let shard;
            let path = match place {
                Place::Root => ".",
                Place::Tree(tree) => tree.name(),
                Place::Shard(tree, number) => {
                    shard = Name::shard(tree, number);
                    shard.as_str()
                }
            };
            let folder = self
                .open(path, Open::Folder, WaitMode::Blocking)
                .during("opening a folder to sync it")?;
            self.sys.sync_folder(folder.as_fd()).during("syncing a folder")
        })
    }

    /// With [`Durability::Synced`]: what was written to a file is on the disk when this returns.
    pub(crate) fn sync_data(&self, file: BorrowedFd<'_>) -> Result<(), Cause> {
        match self.durability {
            Durability::Buffered => Ok(()),
            Durability::Synced => self.sys.sync_data(file).during("syncing a session's file"),
        }
    }

    /// Whether what is current in a file may be answered to be stored: with
    /// [`Durability::Synced`], what is marked to be on the disk.
    pub(crate) fn answers(&self, view: &View<'_>) -> bool {
        self.durability == Durability::Buffered || view.synced
    }

    /// How many wait for syncs of folders or make them.
    #[cfg(test)]
    pub(crate) fn callers_of_syncs(&self) -> usize {
        self.syncs.callers()
    }
}

/// The syncs that are under way.
#[derive(Default)]
pub(super) struct Syncs {
    runs: Mutex<HashMap<Place, Runs>>,
    ended: Condvar,
}

/// One folder's syncs, numbered from 1 on.
#[derive(Debug, Default)]
struct Runs {
    begun: u64,
    ended: u64,
    failed: Option<(u64, Cause)>,
    /// How many wait for one of them or make it.
    callers: usize,
}

impl Syncs {
    /// Returns when a `sync` of `folder` that began after this call did has ended. One that began
    /// before may have missed what the caller changed.
    fn share(&self, folder: Place, sync: impl Fn() -> Result<(), Cause>) -> Result<(), Cause> {
        let mut all = self.lock();
        let runs = all.entry(folder).or_default();
        let mine = runs.begun + 1;
        runs.callers += 1;
        loop {
            let runs = all.entry(folder).or_default();
            if runs.ended >= mine {
                // Also if the failed one came later: the system tells a failure once, so it may
                // have been about what was to be synced here.
                let failed = runs.failed.filter(|(number, _)| *number >= mine);
                runs.callers -= 1;
                if runs.callers == 0 {
                    all.remove(&folder);
                }
                return failed.map_or(Ok(()), |(_, cause)| Err(cause));
            }
            if runs.begun > runs.ended {
                all = self.ended.wait(all).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            runs.begun = mine;
            drop(all);
            let done = sync();
            all = self.lock();
            let runs = all.entry(folder).or_default();
            runs.ended = mine;
            if let Err(cause) = done {
                runs.failed = Some((mine, cause));
            }
            self.ended.notify_all();
        }
    }

    #[cfg(test)]
    fn callers(&self) -> usize {
        self.lock().values().map(|runs| runs.callers).sum()
    }

    /// The state is whole at every moment, so a poisoned lock guards nothing broken.
    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Runs>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Syncs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Syncs(..)")
    }
}
