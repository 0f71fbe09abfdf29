//! The folder: the verbs as plain calls, each of which may wait or not as it is told.

mod aside;
mod index;
mod list;
mod locked;
mod open;
mod probe;
mod read;
mod seen;
mod sweep;
mod sync;
mod write;

use std::{
    fmt,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use session_core::{Clock, Result};

pub(crate) use self::sweep::Pass;
use crate::{
    Durability,
    config::Sharing,
    error::{During, removed},
    names::Shard,
    native::NativeSyscalls,
    stripes::Stripes,
    syscalls::Syscalls,
};

/// One folder, opened once: it is never looked up by its path again.
pub(crate) struct Store<C = NativeSyscalls> {
    sys: C,
    clock: Arc<dyn Clock>,
    durability: Durability,
    lock_timeout: Duration,
    sharing: Sharing,
    root: OwnedFd,
    records: OwnedFd,
    principals: OwnedFd,
    aside: OwnedFd,
    stripes: Arc<Stripes>,
    syncs: sync::Syncs,
    guard: sweep::Guard,
    seen: seen::Seen,
    /// Whether files can be told to be unchanged by a look at their names.
    tells_changes: bool,
    damaged: AtomicU64,
}

/// One of the two trees of shards.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Tree {
    Records,
    Principals,
}

impl<C: Syscalls> Store<C> {
    /// How many damaged files were set aside through this manager.
    pub(crate) fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    fn tree(&self, tree: Tree) -> BorrowedFd<'_> {
        match tree {
            Tree::Records => self.records.as_fd(),
            Tree::Principals => self.principals.as_fd(),
        }
    }

    /// Nothing is there under a name: fails if that is because the folder itself is gone, which is
    /// an outage and no reason to log everyone out.
    fn absent(&self) -> Result<()> {
        match self.sys.stat(self.records.as_fd()).during("looking at the folder")?.links {
            0 => Err(removed()),
            _ => Ok(()),
        }
    }

    fn make_shard(&self, tree: Tree, shard: Shard) -> Result<()> {
        match self.sys.make_folder(self.tree(tree), shard.name().as_str()) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(rustix::io::Errno::NOENT) => Err(removed()),
            Err(errno) => Err(errno).during("making a folder")?,
        }
    }
}

impl<C: Syscalls> fmt::Debug for Store<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("durability", &self.durability)
            .field("sharing", &self.sharing)
            .finish_non_exhaustive()
    }
}
