//! The folder: the paths in it, and the system calls on them.
//!
//! Everything is reached from the folder's own handle, so that folders in it may be removed, by a
//! clean-up of empty folders for example, and are made again when they are wanted.

mod open;
mod sync;

use std::{
    fmt,
    ops::ControlFlow,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::process::geteuid;
use session_core::{Error, ErrorKind, Result};

pub(crate) use self::sync::Place;
use crate::{
    Durability,
    config::Sharing,
    error::{Cause, During, TryError, foreign, out_of_inodes, removed, unreadable},
    names::{ASIDE, Name, Shard, Tree},
    syscalls::{Errno, Moment, Open, Stat, Syscalls, WaitMode},
};

/// One folder, opened once: it is never looked up by its path again.
pub(crate) struct Folder<C> {
    sys: C,
    root: OwnedFd,
    durability: Durability,
    sharing: Sharing,
    giving: Giving,
    syncs: sync::Syncs,
    tells_changes: bool,
}

/// What is changed of the files this process makes, so that the owner of the folder can use them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Giving {
    /// For a process that runs as root: their owner, and its group.
    to: Option<(u32, u32)>,
    /// In a folder that a group shares: its members may use them.
    group: bool,
}

const FILE_OF_GROUP: u32 = 0o060;
const FOLDER_OF_GROUP: u32 = 0o2070;

impl<C: Syscalls> Folder<C> {
    pub(crate) fn durability(&self) -> Durability {
        self.durability
    }

    /// Whether a look at a name shows every change of its file.
    pub(crate) fn tells_changes(&self) -> bool {
        self.tells_changes
    }

    /// Its device and inode.
    pub(crate) fn identity(&self) -> Result<(u64, u64), Errno> {
        self.sys.stat(self.root.as_fd()).map(|stat| stat.inode)
    }

    /// By the clock that dates changes of files, where one is known.
    pub(crate) fn now(&self) -> Option<Moment> {
        self.sys.now()
    }

    pub(crate) fn open(&self, path: &str, how: Open, wait: WaitMode) -> Result<OwnedFd, Errno> {
        self.sys.open(self.root.as_fd(), path, how, wait)
    }

    /// Opens a file, made if it is not there.
    pub(crate) fn create(&self, path: &str, how: Open) -> Result<OwnedFd, Errno> {
        let file = self.open(path, how, WaitMode::Blocking)?;
        if self.giving != Giving::default() {
            self.give(file.as_fd(), FILE_OF_GROUP);
        }
        Ok(file)
    }

    /// The same for a file in a shard, which is made if it is not there.
    pub(crate) fn create_in(
        &self,
        (tree, shard): (Tree, Shard),
        name: &Name,
    ) -> Result<OwnedFd, Cause> {
        // Twice, should an empty folder be removed between the two.
        for _ in 0..2 {
            match self.create(name.as_str(), Open::Create) {
                Err(Errno::NOENT) => self.make_shard(tree, shard)?,
                opened => return opened.during("making a file"),
            }
        }
        self.create(name.as_str(), Open::Create).during("making a file")
    }

    fn make_shard(&self, tree: Tree, shard: Shard) -> Result<(), Cause> {
        if self.make(tree.name())? {
            self.sync_names(Place::Root)?;
        }
        if self.make(Name::shard(tree, shard).as_str())? {
            self.sync_names(Place::Tree(tree))?;
        }
        Ok(())
    }

    /// Makes a folder; tells whether it was not there.
    fn make(&self, path: &str) -> Result<bool, Cause> {
        match self.sys.make_folder(self.root.as_fd(), path) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Ok(false),
            Err(errno) => return Err(errno).during("making a folder"),
        }
        if self.giving != Giving::default()
            && let Ok(folder) = self.open(path, Open::Folder, WaitMode::Blocking)
        {
            self.give(folder.as_fd(), FOLDER_OF_GROUP);
        }
        Ok(true)
    }

    /// Lets the owner of the folder use a file of this process, or the group that shares it. Best
    /// effort: whether it can was found out when the folder was opened.
    fn give(&self, file: BorrowedFd<'_>, rights: u32) {
        let Ok(stat) = self.sys.stat(file) else { return };
        if let Some((owner, group)) = self.giving.to.filter(|to| to.0 != stat.owner) {
            let _ = self.sys.set_owner(file, owner, group);
        }
        if self.giving.group && stat.mode & rights != rights {
            let _ = self.sys.set_mode(file, stat.mode | rights);
        }
    }

    /// What it means that a session's file is there and was not opened.
    pub(crate) fn not_opened(&self, name: &Name, cause: Cause) -> TryError {
        match cause.errno {
            // A symbolic link, a folder, a socket, a device without a driver.
            Errno::LOOP | Errno::ISDIR | Errno::NXIO | Errno::NODEV | Errno::NOTDIR => {
                foreign().into()
            }
            // If its folders let this process in, it is the matter of this one file.
            Errno::ACCESS | Errno::PERM => match self.stat_name(name) {
                Ok(stat) if stat.owner != geteuid().as_raw() => {
                    unreadable(stat.owner, cause.errno).into()
                }
                _ => cause.into(),
            },
            _ => cause.into(),
        }
    }

    pub(crate) fn read(
        &self,
        file: BorrowedFd<'_>,
        buffer: &mut [u8],
        wait: WaitMode,
    ) -> Result<usize, Errno> {
        self.sys.read(file, buffer, 0, wait)
    }

    pub(crate) fn write(&self, file: BorrowedFd<'_>, bytes: &[u8], at: u64) -> Result<(), Errno> {
        let mut done = 0;
        while done < bytes.len() {
            done += self.sys.write(file, &bytes[done..], at + done as u64)?;
        }
        Ok(())
    }

    pub(crate) fn stat(&self, file: BorrowedFd<'_>) -> Result<Stat, Errno> {
        self.sys.stat(file)
    }

    pub(crate) fn stat_name(&self, name: &Name) -> Result<Stat, Errno> {
        self.sys.stat_name(self.root.as_fd(), name.as_str())
    }

    /// Whether a name leads to this file.
    pub(crate) fn leads_to(&self, name: &Name, file: &Stat) -> Result<bool, Cause> {
        match self.stat_name(name) {
            Ok(stat) => Ok(stat.inode == file.inode),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno).during("looking at a session's file"),
        }
    }

    pub(crate) fn set_modified(&self, file: BorrowedFd<'_>, to: Moment) -> Result<(), Errno> {
        self.sys.set_modified(file, to)
    }

    /// Takes the lock of a file, if it is free and other processes may use the folder.
    pub(crate) fn lock(&self, file: BorrowedFd<'_>) -> Result<(), Errno> {
        match self.sharing {
            Sharing::Processes => self.sys.lock(file),
            Sharing::Alone => Ok(()),
        }
    }

    pub(crate) fn rename(&self, from: &Name, to: &Name) -> Result<(), Errno> {
        let root = self.root.as_fd();
        self.sys.rename((root, from.as_str()), (root, to.as_str()))
    }

    /// The same, into the folder of damaged files.
    pub(crate) fn rename_aside(&self, from: &Name, to: &Name) -> Result<()> {
        let renamed = match self.rename(from, to) {
            Err(Errno::NOENT) => {
                self.make(ASIDE)?;
                self.rename(from, to)
            }
            renamed => renamed,
        };
        Ok(renamed.during("moving a damaged file aside")?)
    }

    pub(crate) fn unlink(&self, name: &Name) -> Result<(), Errno> {
        self.sys.unlink(self.root.as_fd(), name.as_str())
    }

    /// Removes a folder that was found to be empty, and still is. With [`Durability::Synced`] it
    /// stays: a new file counts on its name being on the disk.
    pub(crate) fn drop_empty(&self, name: &Name) {
        if self.durability == Durability::Buffered {
            let _ = self.sys.remove_folder(self.root.as_fd(), name.as_str());
        }
    }

    /// Tells `each` name in the folder at `path`.
    pub(crate) fn list(
        &self,
        path: &str,
        each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Errno> {
        let folder = self.open(path, Open::Folder, WaitMode::Blocking)?;
        self.sys.list(folder.as_fd(), each)
    }

    /// Says what the file system is out of, which its errors do not.
    pub(crate) fn explain(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::Full && self.sys.files_left(self.root.as_fd()) == Some(0) {
            return out_of_inodes().with_source(error);
        }
        error
    }

    /// Nothing is there under a name: fails if that is because the folder itself is gone, which is
    /// an outage and no reason to log everyone out.
    pub(crate) fn absent(&self) -> Result<()> {
        match self.sys.stat(self.root.as_fd()).during("looking at the folder")?.links {
            0 => Err(removed()),
            _ => Ok(()),
        }
    }
}

impl<C> fmt::Debug for Folder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder")
            .field("durability", &self.durability)
            .field("sharing", &self.sharing)
            .finish_non_exhaustive()
    }
}
