//! The real system calls.

use std::{
    ops::ControlFlow,
    os::fd::{BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{self, AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Timespec, Timestamps},
    io::retry_on_intr,
};

use crate::syscalls::{Errno, Moment, Open, Stat, Syscalls, WaitMode};

/// The operating system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NativeSyscalls {
    /// Linux answers from memory alone when asked to, and tells by which clock it dates files.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there it changes nothing"))]
    linux: bool,
}

impl NativeSyscalls {
    /// With all it can do.
    pub(crate) const NATIVE: Self = Self { linux: cfg!(target_os = "linux") };

    /// As any other Unix: every call that may wait does.
    #[cfg(test)]
    pub(crate) const PORTABLE: Self = Self { linux: false };
}

const FILE: Mode = Mode::RUSR.union(Mode::WUSR);
const FOLDER: Mode = Mode::RWXU;

fn flags(how: Open) -> (OFlags, Mode) {
    // A FIFO or a device put in the place of a file must not hold the opener.
    let base = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    match how {
        Open::Read => (base | OFlags::RDONLY, Mode::empty()),
        Open::Write => (base | OFlags::RDWR, Mode::empty()),
        Open::Create => (base | OFlags::RDWR | OFlags::CREATE, FILE),
        Open::CreateNew => (base | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, FILE),
        Open::Folder => {
            (OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty())
        }
    }
}

impl Syscalls for NativeSyscalls {
    fn now(&self) -> Option<Moment> {
        #[cfg(target_os = "linux")]
        if self.linux {
            return Some(linux::now());
        }
        None
    }

    fn tells_changes(&self, folder: BorrowedFd<'_>) -> bool {
        #[cfg(target_os = "linux")]
        if self.linux {
            return linux::is_local(folder);
        }
        let _ = folder;
        false
    }

    fn open(
        &self,
        folder: BorrowedFd<'_>,
        path: &str,
        how: Open,
        wait: WaitMode,
    ) -> Result<OwnedFd, Errno> {
        let (flags, mode) = flags(how);
        if wait == WaitMode::Blocking {
            let open = |flags| retry_on_intr(|| fs::openat(folder, path, flags, mode));
            #[cfg(target_os = "linux")]
            if self.linux && how != Open::Folder {
                return linux::without_access_times(flags, open);
            }
            return open(flags);
        }
        #[cfg(target_os = "linux")]
        if self.linux {
            return linux::open_cached(folder, path, flags);
        }
        Err(Errno::AGAIN)
    }

    fn read(
        &self,
        file: BorrowedFd<'_>,
        buffer: &mut [u8],
        at: u64,
        wait: WaitMode,
    ) -> Result<usize, Errno> {
        if wait == WaitMode::Inline {
            #[cfg(target_os = "linux")]
            if self.linux {
                return linux::read_cached(file, buffer, at);
            }
            return Err(Errno::AGAIN);
        }
        let mut done = 0;
        while done < buffer.len() {
            let rest = &mut buffer[done..];
            let from = at.saturating_add(done as u64);
            match retry_on_intr(|| rustix::io::pread(file, &mut *rest, from))? {
                0 => break,
                read => done += read,
            }
        }
        Ok(done)
    }

    fn write(&self, file: BorrowedFd<'_>, bytes: &[u8], at: u64) -> Result<usize, Errno> {
        match retry_on_intr(|| rustix::io::pwrite(file, bytes, at))? {
            0 if !bytes.is_empty() => Err(Errno::IO),
            written => Ok(written),
        }
    }

    fn stat(&self, file: BorrowedFd<'_>) -> Result<Stat, Errno> {
        fs::fstat(file).map(stat)
    }

    fn stat_name(&self, folder: BorrowedFd<'_>, path: &str) -> Result<Stat, Errno> {
        fs::statat(folder, path, AtFlags::SYMLINK_NOFOLLOW).map(stat)
    }

    fn lock(&self, file: BorrowedFd<'_>) -> Result<(), Errno> {
        retry_on_intr(|| fs::flock(file, FlockOperation::NonBlockingLockExclusive))
    }

    fn rename(
        &self,
        from: (BorrowedFd<'_>, &str),
        to: (BorrowedFd<'_>, &str),
    ) -> Result<(), Errno> {
        fs::renameat(from.0, from.1, to.0, to.1)
    }

    fn unlink(&self, folder: BorrowedFd<'_>, path: &str) -> Result<(), Errno> {
        fs::unlinkat(folder, path, AtFlags::empty())
    }

    fn make_folder(&self, folder: BorrowedFd<'_>, path: &str) -> Result<(), Errno> {
        fs::mkdirat(folder, path, FOLDER)
    }

    fn sync_data(&self, file: BorrowedFd<'_>) -> Result<(), Errno> {
        sync_data(file)
    }

    fn sync_folder(&self, folder: BorrowedFd<'_>) -> Result<(), Errno> {
        retry_on_intr(|| fs::fsync(folder))
    }

    fn set_modified(&self, file: BorrowedFd<'_>, modified: Moment) -> Result<(), Errno> {
        let time = Timespec { tv_sec: modified.seconds, tv_nsec: modified.nanos.into() };
        let kept = Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT };
        fs::futimens(file, &Timestamps { last_access: kept, last_modification: time })
    }

    fn list(
        &self,
        folder: BorrowedFd<'_>,
        each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Errno> {
        for entry in Dir::read_from(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." && each(name).is_break() {
                break;
            }
        }
        Ok(())
    }
}

#[expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    clippy::unnecessary_cast,
    reason = "the types of these fields differ between systems; none of them is negative or larger"
)]
fn stat(stat: fs::Stat) -> Stat {
    Stat {
        regular: FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile,
        inode: (stat.st_dev as u64, stat.st_ino as u64),
        links: stat.st_nlink as u64,
        len: stat.st_size as u64,
        mode: stat.st_mode as u32 & 0o7777,
        owner: stat.st_uid as u32,
        modified: Moment { seconds: stat.st_mtime as i64, nanos: stat.st_mtime_nsec as u32 },
        changed: Moment { seconds: stat.st_ctime as i64, nanos: stat.st_ctime_nsec as u32 },
    }
}

/// What no other system has.
#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::{BorrowedFd, OwnedFd};

    use rustix::{
        fs::{self, Mode, OFlags, ResolveFlags},
        io::{IoSliceMut, ReadWriteFlags, preadv2},
        time::{ClockId, clock_gettime},
    };

    use crate::syscalls::{Errno, Moment};

    /// By the clock of the last tick: the kernel dates changes with it, or with a finer one.
    pub(super) fn now() -> Moment {
        let now = clock_gettime(ClockId::RealtimeCoarse);
        Moment { seconds: now.tv_sec, nanos: u32::try_from(now.tv_nsec).unwrap_or_default() }
    }

    /// File systems that keep the times of files in this machine's memory and take them from its
    /// clock: ext2 to ext4, XFS, Btrfs, F2FS, tmpfs, and overlayfs on one of them. Numbers of
    /// linux/magic.h.
    const LOCAL: [u32; 6] =
        [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x0102_1994, 0x794c_7630];

    pub(super) fn is_local(folder: BorrowedFd<'_>) -> bool {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the number has 32 bits, in a word whose size and sign differ between processors"
        )]
        let kind = |stat: fs::StatFs| stat.f_type as u32;
        fs::fstatfs(folder).map(kind).is_ok_and(|kind| LOCAL.contains(&kind))
    }

    /// Opens a file so that reading it leaves no trace, if the system lets this user.
    ///
    /// `relatime`, the default of mounts, spares the access time of what was read since it last
    /// changed. A session's file is dated ahead, to its end: to the kernel it always changed since,
    /// and each read would write its inode.
    pub(super) fn without_access_times(
        flags: OFlags,
        open: impl Fn(OFlags) -> Result<OwnedFd, Errno>,
    ) -> Result<OwnedFd, Errno> {
        match open(flags | OFlags::NOATIME) {
            // It is for the owner of a file, and for root.
            Err(Errno::PERM) => open(flags),
            result => result,
        }
    }

    /// Opens what is in the cache of names, or says `AGAIN`.
    pub(super) fn open_cached(
        folder: BorrowedFd<'_>,
        path: &str,
        flags: OFlags,
    ) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::CACHED | ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let open = |flags| fs::openat2(folder, path, flags, Mode::empty(), resolve);
        without_access_times(flags, open).map_err(|error| match error {
            // An old kernel, or a sandbox that does not know the call.
            Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::INTR => Errno::AGAIN,
            error => error,
        })
    }

    /// Reads what is in the page cache, or says `AGAIN`: also when only a part is there.
    pub(super) fn read_cached(
        file: BorrowedFd<'_>,
        buffer: &mut [u8],
        at: u64,
    ) -> Result<usize, Errno> {
        let mut buffers = [IoSliceMut::new(buffer)];
        preadv2(file, &mut buffers, at, ReadWriteFlags::NOWAIT).map_err(|error| match error {
            // The file system cannot tell, or the kernel is old.
            Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::INTR => Errno::AGAIN,
            error => error,
        })
    }
}

#[cfg(not(target_vendor = "apple"))]
fn sync_data(file: BorrowedFd<'_>) -> Result<(), Errno> {
    retry_on_intr(|| fs::fdatasync(file))
}

/// There is no `fdatasync` here, and `fsync` leaves data in the cache of the device.
#[cfg(target_vendor = "apple")]
fn sync_data(file: BorrowedFd<'_>) -> Result<(), Errno> {
    retry_on_intr(|| fs::fcntl_fullfsync(file))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{fs::File, os::fd::AsFd as _};

    use rustix::fs::{Mode, OFlags, fcntl_getfl, openat};

    use super::{NativeSyscalls, linux};
    use crate::syscalls::{Errno, Open, Syscalls as _, WaitMode};

    /// Whatever the mount does with access times.
    #[test]
    fn files_are_opened_without_access_times_whether_the_call_may_wait_or_not() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        File::create(folder.path().join("file")).expect("a file");
        let root = File::open(folder.path()).expect("the folder");
        for wait in [WaitMode::Inline, WaitMode::Blocking] {
            for how in [Open::Read, Open::Write] {
                let file = NativeSyscalls::NATIVE.open(root.as_fd(), "file", how, wait);
                let flags = fcntl_getfl(file.expect("it is ours")).expect("flags");
                assert!(flags.contains(OFlags::NOATIME), "{how:?}, {wait:?}");
            }
        }
    }

    #[test]
    fn a_file_of_another_owner_is_opened_as_any_other() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let root = File::open(folder.path()).expect("the folder");
        let opened = linux::without_access_times(OFlags::RDONLY, |flags| {
            if flags.contains(OFlags::NOATIME) {
                return Err(Errno::PERM);
            }
            openat(&root, ".", flags, Mode::empty())
        });
        assert!(opened.is_ok(), "{opened:?}");
    }
}
