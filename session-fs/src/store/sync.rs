//! Syncs of folders, each shared by all who wait for it.

use std::{
    collections::HashMap,
    fmt,
    os::fd::AsFd,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use session_core::{Result, SessionId};

use super::{Store, Tree};
use crate::{
    Durability,
    error::{Cause, During},
    names::Shard,
    syscalls::{Errno, Open, Syscalls, WaitMode},
};

impl<C: Syscalls> Store<C> {
    /// The names in a shard, and the shard's own, are on the disk when this returns.
    pub(super) fn sync_shard(&self, tree: Tree, shard: Shard) -> Result<()> {
        self.sync_names(tree, shard)?;
        let known = self.syncs.known(tree);
        if !known.contains(shard) {
            let parent = self.tree(tree);
            self.syncs.share(Folder::Tree(tree), || {
                self.sys.sync_folder(parent).during("syncing a folder")
            })?;
            known.insert(shard);
        }
        Ok(())
    }

    /// The names in a shard are on the disk when this returns, and so is that others are gone.
    pub(super) fn sync_names(&self, tree: Tree, shard: Shard) -> Result<(), Cause> {
        self.syncs.share(Folder::Shard(tree, shard), || {
            let folder = self
                .sys
                .open(self.tree(tree), shard.name().as_str(), Open::Folder, WaitMode::Blocking)
                .during("opening a folder to sync it")?;
            self.sys.sync_folder(folder.as_fd()).during("syncing a folder")
        })
    }

    /// How many wait for syncs of folders or make them.
    #[cfg(test)]
    pub(crate) fn callers_of_syncs(&self) -> usize {
        self.syncs.callers()
    }

    /// With [`Durability::Synced`]: that `id` has no file is on the disk when this returns. Whoever
    /// took the file away may have done so just now and not have come to the sync yet.
    pub(super) fn settle_absence(&self, id: &SessionId) -> Result<()> {
        if self.durability == Durability::Buffered {
            return Ok(());
        }
        match self.sync_names(Tree::Records, Shard::of(id)) {
            // Where no folder is, nothing was ever removed from it.
            Err(Cause { errno: Errno::NOENT, .. }) => self.absent(),
            synced => Ok(synced?),
        }
    }
}

/// A folder whose names are synced.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Folder {
    Tree(Tree),
    Shard(Tree, Shard),
}

/// The syncs that are under way.
pub(super) struct Syncs {
    runs: Mutex<HashMap<Folder, Runs>>,
    ended: Condvar,
    known: [Shards; 2],
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
    pub(super) fn new() -> Self {
        Self {
            runs: Mutex::default(),
            ended: Condvar::new(),
            known: [Shards::new(), Shards::new()],
        }
    }

    fn known(&self, tree: Tree) -> &Shards {
        match tree {
            Tree::Records => &self.known[0],
            Tree::Principals => &self.known[1],
        }
    }

    /// Returns when a `sync` of `folder` that began after this call did has ended. One that began
    /// before may have missed what the caller changed.
    fn share(&self, folder: Folder, sync: impl Fn() -> Result<(), Cause>) -> Result<(), Cause> {
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
    fn lock(&self) -> MutexGuard<'_, HashMap<Folder, Runs>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Syncs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Syncs(..)")
    }
}

/// Shards whose own names this process has seen on the disk.
struct Shards([AtomicU64; 64]);

impl Shards {
    fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }

    fn contains(&self, shard: Shard) -> bool {
        let (word, bit) = self.place(shard);
        word.load(Ordering::Relaxed) & bit != 0
    }

    fn insert(&self, shard: Shard) {
        let (word, bit) = self.place(shard);
        word.fetch_or(bit, Ordering::Relaxed);
    }

    fn place(&self, shard: Shard) -> (&AtomicU64, u64) {
        let number = usize::from(shard.number());
        (&self.0[number / 64], 1 << (number % 64))
    }
}
