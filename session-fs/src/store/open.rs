//! Opening a folder, and refusing one that would not keep sessions safe.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    sync::{Arc, atomic::AtomicU64},
};

use rustix::fs::{Mode, OFlags};
use session_core::{Error, ErrorKind, Result};

use super::{Store, seen, sweep, sync};
use crate::{
    Durability, FsConfig,
    config::Sharing,
    error::{Cause, During, config},
    names::{ASIDE, LAYOUT, PRINCIPALS, RECORDS, SWEPT},
    stripes::Stripes,
    syscalls::{Errno, Open, Stat, Syscalls, WaitMode},
};

const FORMAT: &[u8] = b"session-fs 1\n";

impl<C: Syscalls> Store<C> {
    pub(crate) fn open(config: &FsConfig, sys: C) -> Result<Self> {
        let (root, made) = open_root(&sys, &config.path)?;
        check_format(&sys, root.as_fd(), config.durability)?;
        let [records, principals, aside] = [RECORDS, PRINCIPALS, ASIDE].map(|name| {
            made_folder(&sys, root.as_fd(), name)
                .map_err(|cause| refused(cause, "making its folders"))
        });
        let [records, principals, aside] = [records?, principals?, aside?];
        let swept = sys
            .open(root.as_fd(), SWEPT, Open::Create, WaitMode::Blocking)
            .during("making a file")
            .map_err(|cause| refused(cause, "writing to it"))?;
        if config.sharing == Sharing::Processes {
            check_locks(&sys, swept.as_fd())?;
        }
        if config.durability == Durability::Synced {
            settle(&sys, root.as_fd(), made)
                .map_err(|cause| refused(cause, "syncing it and its parent"))?;
        }
        let stripes = match config.sharing {
            Sharing::Processes => Arc::new(Stripes::new()),
            // Nothing else keeps several managers of the one process apart.
            Sharing::Alone => {
                let stat = sys.stat(records.as_fd()).during("looking at a folder")?;
                Stripes::of_folder(stat.inode)
            }
        };
        Ok(Self {
            tells_changes: sys.tells_changes(records.as_fd()),
            seen: seen::Seen::new(),
            sys,
            clock: config.clock.clone(),
            durability: config.durability,
            lock_timeout: config.lock_timeout,
            sharing: config.sharing,
            root,
            records,
            principals,
            aside,
            stripes,
            syncs: sync::Syncs::new(),
            guard: sweep::Guard::default(),
            damaged: AtomicU64::new(0),
        })
    }
}

/// Opens the folder of the user's choice, made with mode 0700 if it is not there. This is the one
/// look-up by path.
fn open_root<C: Syscalls>(sys: &C, path: &Path) -> Result<(OwnedFd, Made)> {
    let made = match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) => Made::Now,
        Err(Errno::EXIST) => Made::Before,
        Err(Errno::NOENT) => {
            return Err(config("the parent of the folder for sessions is missing: create it"));
        }
        Err(errno) => {
            return Err(refused(Cause { step: "making the folder", errno }, "creating it"));
        }
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(root) => root,
        Err(Errno::NOTDIR) => {
            return Err(config(
                "the path for sessions is not a folder: name a folder, or move what is there",
            ));
        }
        Err(errno) => {
            return Err(refused(Cause { step: "opening the folder", errno }, "opening it"));
        }
    };
    if made == Made::Now {
        // Whatever the umask took away; it never gives.
        rustix::fs::fchmod(&root, Mode::RWXU)
            .during("setting permissions")
            .map_err(|cause| refused(cause, "setting its permissions"))?;
    }
    check_access(&sys.stat(root.as_fd()).during("looking at the folder")?)?;
    Ok((root, made))
}

/// When the folder was made.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Made {
    Now,
    /// By an earlier process, which may have died before it synced anything, or by the user.
    Before,
}

/// The name of the folder, and the names in it, are on the disk when this returns.
fn settle<C: Syscalls>(sys: &C, root: BorrowedFd<'_>, made: Made) -> Result<(), Cause> {
    sys.sync_folder(root).during("syncing the folder")?;
    let parent = sys
        .open(root, "..", Open::Folder, WaitMode::Blocking)
        .during("opening the folder's parent")
        .and_then(|parent| sys.sync_folder(parent.as_fd()).during("syncing the folder's parent"));
    // A parent that may not be read is no reason to refuse a folder that was there before.
    if made == Made::Now { parent } else { Ok(()) }
}

fn check_access(stat: &Stat) -> Result<()> {
    if stat.mode & 0o022 != 0 {
        return Err(config(
            "others may write to the folder for sessions: `chmod 700` it, or name a new folder inside it",
        ));
    }
    if stat.mode & 0o055 != 0 {
        tracing::warn!("others may list the folder for sessions; `chmod 700` it");
    }
    if stat.owner != rustix::process::geteuid().as_raw() {
        tracing::warn!("the folder for sessions belongs to another user, who can change them");
    }
    Ok(())
}

/// A folder that a later release laid out differently must not be mixed up with ours.
fn check_format<C: Syscalls>(sys: &C, root: BorrowedFd<'_>, durability: Durability) -> Result<()> {
    let refuse = |cause| refused(cause, "writing to it");
    let file = sys
        .open(root, LAYOUT, Open::Create, WaitMode::Blocking)
        .during("making a file")
        .map_err(refuse)?;
    let mut found = [0; 64];
    let len = sys
        .read(file.as_fd(), &mut found, 0, WaitMode::Blocking)
        .during("reading a file")
        .map_err(refuse)?;
    // A shorter text is a beginning that was never finished: all who write here write the same. So
    // are zeros, which a loss of power may leave in its place.
    let zeros = found[..len].iter().all(|byte| *byte == 0);
    if zeros || FORMAT.starts_with(&found[..len]) {
        let mut at = if zeros { 0 } else { len };
        while at < FORMAT.len() {
            at += sys
                .write(file.as_fd(), &FORMAT[at..], at as u64)
                .during("writing a file")
                .map_err(refuse)?;
        }
        if durability == Durability::Synced {
            sys.sync_data(file.as_fd()).during("syncing a file").map_err(refuse)?;
        }
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        "fs",
        "the folder for sessions was laid out by a later release, or by something else: name another folder",
    ))
}

fn made_folder<C: Syscalls>(sys: &C, root: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Cause> {
    match sys.make_folder(root, name) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno).during("making a folder"),
    }
    sys.open(root, name, Open::Folder, WaitMode::Blocking).during("opening a folder")
}

fn check_locks<C: Syscalls>(sys: &C, file: BorrowedFd<'_>) -> Result<()> {
    match sys.lock(file) {
        Ok(()) | Err(Errno::AGAIN) => Ok(()),
        Err(_) => Err(config(
            "the file system has no advisory locks: keep sessions on a local one, \
             or call `FsConfig::single_process` if no other process uses the folder",
        )),
    }
}

fn refused(cause: Cause, doing: &str) -> Error {
    let error = Error::from(cause);
    match error.kind() {
        ErrorKind::Full => error,
        _ => config(format!(
            "the folder for sessions cannot be used, {doing} failed: \
             give this process the right to read and write it, or name another folder"
        ))
        .with_source(error),
    }
}
