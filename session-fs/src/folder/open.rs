//! Opening a folder, and refusing one that would not keep sessions safe.

use std::{
    ops::ControlFlow,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags},
    process::geteuid,
};
use session_core::{Error, ErrorKind, Result};

use super::{FILE_OF_GROUP, Folder, Giving, Place, sync::Syncs};
use crate::{
    Durability, FsConfig,
    config::Sharing,
    error::{Cause, During, config},
    names::{ASIDE, LAYOUT, Name, Named, SWEPT, Shard, Tree},
    syscalls::{Errno, FileSystem, Moment, Open, Stat, Syscalls, WaitMode},
};

const FORMAT: &[u8] = b"session-fs 1\n";
/// Where the sessions are if the folder is one that a platform mounts and others may write to.
const INSIDE: &str = "sessions";
/// A date like those that files of sessions get, to see whether it is kept to the nanosecond.
const DATE: Moment = Moment { seconds: 2_000_000_000, nanos: 123_456_789 };

const OTHERS_WRITE: u32 = 0o002;
const GROUP_WRITES: u32 = 0o020;
/// A folder whose group has all rights, and whose new files are of that group.
const GROUP_SHARES: u32 = 0o2070;

impl<C: Syscalls> Folder<C> {
    pub(crate) fn new(config: &FsConfig, mut sys: C) -> Result<Self> {
        let path = &config.path;
        let (root, path) = open_root(&sys, path)?;
        let refused = |cause| refused(&path, cause);
        check_kind(sys.kind(root.as_fd()), config.sharing, &path)?;
        let layout = layout(&sys, &root, config.durability, &path)?;
        sys.try_optional(root.as_fd(), LAYOUT);
        let of = |file: &OwnedFd| sys.stat(file.as_fd()).during("looking at it").map_err(refused);
        let (above, owned) = (of(&root)?, of(&layout)?);
        let (tells_changes, giving) = (keeps_dates(&sys, &root, &layout), giving(&above, &owned));
        let folder = Self {
            sys,
            root,
            durability: config.durability,
            sharing: config.sharing,
            giving,
            syncs: Syncs::default(),
            tells_changes,
        };
        folder.give(layout.as_fd(), FILE_OF_GROUP);
        folder.check_owner(&owned, &path)?;
        folder.make_all().map_err(refused)?;
        let swept = folder.create(SWEPT, Open::Create).during("making a file").map_err(refused)?;
        match folder.lock(swept.as_fd()) {
            Ok(()) | Err(Errno::AGAIN) => Ok(folder),
            Err(errno) => Err(config_error(
                &path,
                "its file system has no advisory locks: keep sessions on a local one, \
                 or call `FsConfig::single_process` if no other process uses the folder",
            )
            .with_source(std::io::Error::from(errno))),
        }
    }

    /// Makes the folders. With [`Durability::Synced`] those of records are all there from the
    /// start, and on the disk: a new file needs its own folder synced and no other.
    fn make_all(&self) -> Result<(), Cause> {
        let trees = [Tree::Records, Tree::Principals];
        for name in trees.map(Tree::name).into_iter().chain([ASIDE]) {
            self.make(name)?;
            // What has the name and is no folder is refused now.
            self.open(name, Open::Folder, WaitMode::Blocking).during("opening a folder")?;
        }
        if self.durability == Durability::Buffered {
            return Ok(());
        }
        for shard in Shard::FIRST.and_on() {
            self.make(Name::shard(Tree::Records, shard).as_str())?;
        }
        self.sync_names(Place::Tree(Tree::Records))?;
        self.sync_names(Place::Root)?;
        let parent = self.open("..", Open::Folder, WaitMode::Blocking);
        // A parent that may not be read is one that was there before: it is on the disk.
        parent.map_or(Ok(()), |parent| {
            self.sys.sync_folder(parent.as_fd()).during("syncing the folder's parent")
        })
    }

    /// Whether this process and the owner of the folder can use each other's files.
    fn check_owner(&self, layout: &Stat, path: &Path) -> Result<()> {
        let me = geteuid().as_raw();
        if me == layout.owner || self.giving.to.is_some() {
            return Ok(());
        }
        let usable =
            |name: &Name| self.open(name.as_str(), Open::Write, WaitMode::Blocking).is_ok();
        if self.giving.group && self.any_record().is_none_or(|name| usable(&name)) {
            return Ok(());
        }
        Err(not_the_owner(path, layout.owner, None))
    }

    fn any_record(&self) -> Option<Name> {
        Shard::FIRST.and_on().find_map(|shard| {
            let mut found = None;
            let _ = self.list(Name::shard(Tree::Records, shard).as_str(), &mut |name| {
                match Named::parse(shard, name) {
                    Some(Named::Record(id)) => found = Some(Name::record(&id)),
                    _ => return ControlFlow::Continue(()),
                }
                ControlFlow::Break(())
            });
            found
        })
    }
}

/// Opens the folder of the user's choice, made with mode 0700 if it is not there, or the one for
/// sessions inside it. These are the only look-ups by path.
fn open_root<C: Syscalls>(sys: &C, path: &Path) -> Result<(OwnedFd, PathBuf)> {
    let chosen = open_path(path)?;
    let stat = sys.stat(chosen.as_fd()).during("looking at it").map_err(|it| refused(path, it))?;
    let has_layout = |folder: &OwnedFd| sys.stat_name(folder.as_fd(), LAYOUT).is_ok();
    let shared = stat.mode & (OTHERS_WRITE | GROUP_WRITES) != 0;
    let (root, path) = if has_layout(&chosen) || !sys.is_mount(chosen.as_fd()) {
        (chosen, path.to_path_buf())
    } else {
        // Sessions stay where they are when the platform mounts the folder with other rights.
        let inside = path.join(INSIDE);
        let before = sys.open(chosen.as_fd(), INSIDE, Open::Folder, WaitMode::Blocking);
        if before.is_ok_and(|before| has_layout(&before)) {
            (open_path(&inside)?, inside)
        } else if shared {
            tracing::warn!(
                path = %path.display(), mode = format_args!("{:o}", stat.mode),
                "others may write to the file system for sessions: they are kept in the folder \
                 `{INSIDE}` in it"
            );
            (open_path(&inside)?, inside)
        } else {
            (chosen, path.to_path_buf())
        }
    };
    check_mode(sys, &root, &path)?;
    Ok((root, path))
}

fn open_path(path: &Path) -> Result<OwnedFd> {
    let made = rustix::fs::mkdir(path, Mode::RWXU);
    match made {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(Errno::NOENT) => {
            return Err(config_error(path, "its parent is missing: create it"));
        }
        Err(errno) => return Err(refused(path, Cause { step: "making it", errno })),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(root) => root,
        Err(Errno::NOTDIR) => {
            return Err(config_error(
                path,
                "it is not a folder: name a folder, or move what is there",
            ));
        }
        Err(errno) => {
            return Err(match rustix::fs::stat(path) {
                Ok(stat) if errno == Errno::ACCESS => not_the_owner(path, stat.st_uid, Some(errno)),
                _ => refused(path, Cause { step: "opening it", errno }),
            });
        }
    };
    if made.is_ok() {
        // Whatever the umask took away; it never gives. Where rights cannot be set they are what
        // the file system gives all its files.
        let lacks = rustix::fs::fstat(&root)
            .is_ok_and(|stat| !Mode::from_raw_mode(stat.st_mode).contains(Mode::RWXU));
        if lacks && let Err(errno) = rustix::fs::fchmod(&root, Mode::RWXU) {
            tracing::debug!(%errno, "the rights of the new folder for sessions were left as they are");
        }
    }
    Ok(root)
}

/// Refuses a folder that strangers may write to. What a group may do is the platform's choice: a
/// record is sealed, so who writes here can remove sessions and bring back old ones, and not make
/// or read any.
fn check_mode<C: Syscalls>(sys: &C, root: &OwnedFd, path: &Path) -> Result<()> {
    let stat = sys.stat(root.as_fd()).during("looking at it").map_err(|it| refused(path, it))?;
    let others_write = stat.mode & OTHERS_WRITE != 0;
    if others_write && !sys.is_mount(root.as_fd()) {
        return Err(config_error(
            path,
            "others may write to it: `chmod 700` it, or name a new folder inside it",
        ));
    }
    if stat.mode & 0o077 != 0 {
        tracing::warn!(
            path = %path.display(), mode = format_args!("{:o}", stat.mode), group = stat.group,
            "others than the owner of the folder for sessions may use it: \
             `chmod 700` it, unless the platform shares it with a group"
        );
    }
    Ok(())
}

/// Opens the file that says what the folder is. One that a later release laid out differently must
/// not be mixed up with ours.
fn layout<C: Syscalls>(
    sys: &C,
    root: &OwnedFd,
    durability: Durability,
    path: &Path,
) -> Result<OwnedFd> {
    let refuse = |cause| refused(path, cause);
    let file = match sys.open(root.as_fd(), LAYOUT, Open::Create, WaitMode::Blocking) {
        Err(errno @ (Errno::ACCESS | Errno::PERM)) => {
            let there = sys.stat_name(root.as_fd(), LAYOUT).or_else(|_| sys.stat(root.as_fd()));
            return Err(match there {
                Ok(stat) if stat.owner != geteuid().as_raw() => {
                    not_the_owner(path, stat.owner, Some(errno))
                }
                _ => refuse(Cause { step: "making a file", errno }),
            });
        }
        file => file.during("making a file").map_err(refuse)?,
    };
    let mut found = [0; 64];
    let read = sys.read(file.as_fd(), &mut found, 0, WaitMode::Blocking);
    let len = read.during("reading a file").map_err(refuse)?;
    // A shorter text is a beginning that was never finished: all who write here write the same. So
    // are zeros, which a loss of power may leave in its place.
    let zeros = found[..len].iter().all(|byte| *byte == 0);
    if found[..len] == *FORMAT {
        return Ok(file);
    }
    if !zeros && !FORMAT.starts_with(&found[..len]) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "fs",
            format!(
                "the folder for sessions, {}, was laid out by a later release, \
                 or by something else: name another folder",
                path.display()
            ),
        ));
    }
    let mut at = if zeros { 0 } else { len };
    while at < FORMAT.len() {
        let written = sys.write(file.as_fd(), &FORMAT[at..], at as u64);
        at += written.during("writing a file").map_err(refuse)?;
    }
    if durability == Durability::Synced {
        sys.sync_data(file.as_fd()).during("syncing a file").map_err(refuse)?;
    }
    // A folder that was made for another user is that user's, though root comes first.
    if let Ok(folder) = sys.stat(root.as_fd())
        && geteuid().is_root()
        && folder.owner != 0
        && let Err(errno) = sys.set_owner(file.as_fd(), folder.owner, folder.group)
    {
        return Err(refuse(Cause { step: "giving a file to its owner", errno }));
    }
    Ok(file)
}

/// What this process does with the files it makes, by the folder and a file of its owner.
fn giving(folder: &Stat, layout: &Stat) -> Giving {
    let me = geteuid();
    let group = folder.mode & GROUP_SHARES == GROUP_SHARES;
    let to = (me.is_root() && layout.owner != 0).then_some((layout.owner, layout.group));
    Giving { to, group }
}

/// Whether a date that is set is the date that is read, at once and by every process.
fn keeps_dates<C: Syscalls>(sys: &C, root: &OwnedFd, file: &OwnedFd) -> bool {
    sys.kind(root.as_fd()) == FileSystem::Local
        && sys.set_modified(file.as_fd(), DATE).is_ok()
        && sys.stat_name(root.as_fd(), LAYOUT).is_ok_and(|stat| stat.modified == DATE)
}

fn check_kind(kind: FileSystem, sharing: Sharing, path: &Path) -> Result<()> {
    match (kind, sharing) {
        (FileSystem::Network, Sharing::Processes) => Err(config_error(
            path,
            "it is on a network file system: keep sessions on a local one, \
             or call `FsConfig::single_process` if no other process uses the folder",
        )),
        (FileSystem::Fuse, Sharing::Processes) => {
            tracing::warn!(
                path = %path.display(),
                "the folder for sessions is on a FUSE file system: if it is one that other \
                 machines use too, sessions will be lost"
            );
            Ok(())
        }
        _ => Ok(()),
    }
}

fn not_the_owner(path: &Path, owner: u32, errno: Option<Errno>) -> Error {
    let me = geteuid().as_raw();
    let error = config_error(
        path,
        &format!(
            "it belongs to uid {owner} and this process runs as uid {me}: run it as its owner, \
             `chown -R {me}` the folder, or share it with a group (`chmod -R g+rwX`, and \
             `chmod g+s` its folders)"
        ),
    );
    match errno {
        Some(errno) => error.with_source(std::io::Error::from(errno)),
        None => error,
    }
}

fn config_error(path: &Path, what: &str) -> Error {
    config(format!("the folder for sessions, {}, cannot be used: {what}", path.display()))
}

fn refused(path: &Path, cause: Cause) -> Error {
    let doing = cause.step;
    let error = Error::from(cause);
    match error.kind() {
        ErrorKind::Full => error,
        _ => config_error(
            path,
            &format!("{doing} failed; give this process the right to read and write it, or name another folder"),
        )
        .with_source(error),
    }
}
