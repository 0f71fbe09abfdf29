//! The real system calls.

#[cfg(target_os = "linux")]
mod linux;

use std::{
    ops::ControlFlow,
    os::fd::{BorrowedFd, OwnedFd},
};

use rustix::{
    fs::{
        self, AtFlags, Dir, FileType, FlockOperation, Gid, Mode, OFlags, RawMode, Timespec,
        Timestamps, Uid,
    },
    io::retry_on_intr,
};

use crate::syscalls::{Errno, FileSystem, Moment, Open, Stat, Syscalls, WaitMode};

/// The operating system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NativeSyscalls {
    /// It answers from memory alone when asked to, and tells by which clock it dates files.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there it changes nothing"))]
    linux: Option<Linux>,
}

/// Which of the calls that no other system has are made.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there are none"))]
struct Linux {
    open_cached: bool,
    read_cached: bool,
    /// Files are dated ahead, to the end of their session: to `relatime` each of them always
    /// changed since it was last read, and every read would write its inode.
    without_access_times: bool,
}

impl Linux {
    const NONE: Self = Self { open_cached: false, read_cached: false, without_access_times: false };
}

impl NativeSyscalls {
    /// The optional calls are made once they were [tried](Syscalls::try_optional).
    pub(crate) const NATIVE: Self =
        Self { linux: if cfg!(target_os = "linux") { Some(Linux::NONE) } else { None } };

    /// As any other Unix: every call that may wait does.
    #[cfg(test)]
    pub(crate) const PORTABLE: Self = Self { linux: None };
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
    fn try_optional(&mut self, folder: BorrowedFd<'_>, path: &str) {
        #[cfg(target_os = "linux")]
        if let Some(linux) = &mut self.linux {
            *linux = linux::that_work(folder, path);
        }
        let _ = (folder, path);
    }

    fn now(&self) -> Option<Moment> {
        #[cfg(target_os = "linux")]
        if self.linux.is_some() {
            return Some(linux::now());
        }
        None
    }

    fn kind(&self, folder: BorrowedFd<'_>) -> FileSystem {
        #[cfg(target_os = "linux")]
        if self.linux.is_some() {
            return linux::kind(folder);
        }
        let _ = folder;
        FileSystem::Unknown
    }

    fn is_mount(&self, folder: BorrowedFd<'_>) -> bool {
        #[cfg(target_os = "linux")]
        if let Some(is_mount) = linux::is_mount(folder) {
            return is_mount;
        }
        // Misses a folder that is mounted from elsewhere in the same file system.
        let parent = fs::statat(folder, "..", AtFlags::empty()).map(stat);
        let device = |stat: Stat| stat.inode.0;
        parent.map(device) != fs::fstat(folder).map(stat).map(device)
    }

    fn files_left(&self, folder: BorrowedFd<'_>) -> Option<u64> {
        let counts = fs::fstatvfs(folder).ok()?;
        (counts.f_files > 0).then_some(counts.f_favail)
    }

    fn open(
        &self,
        folder: BorrowedFd<'_>,
        path: &str,
        how: Open,
        wait: WaitMode,
    ) -> Result<OwnedFd, Errno> {
        let (flags, mode) = flags(how);
        #[cfg(target_os = "linux")]
        if let Some(linux) = self.linux {
            return linux::open(folder, path, (flags, mode), wait, linux);
        }
        match wait {
            WaitMode::Inline => Err(Errno::AGAIN),
            WaitMode::Blocking => retry_on_intr(|| fs::openat(folder, path, flags, mode)),
        }
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
            if self.linux.is_some_and(|linux| linux.read_cached) {
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

    fn remove_folder(&self, folder: BorrowedFd<'_>, path: &str) -> Result<(), Errno> {
        fs::unlinkat(folder, path, AtFlags::REMOVEDIR)
    }

    fn set_mode(&self, file: BorrowedFd<'_>, mode: u32) -> Result<(), Errno> {
        fs::fchmod(file, Mode::from_raw_mode(mode as RawMode))
    }

    fn set_owner(&self, file: BorrowedFd<'_>, owner: u32, group: u32) -> Result<(), Errno> {
        fs::fchown(file, Some(Uid::from_raw(owner)), Some(Gid::from_raw(group)))
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
        group: stat.st_gid as u32,
        modified: Moment { seconds: stat.st_mtime as i64, nanos: stat.st_mtime_nsec as u32 },
        changed: Moment { seconds: stat.st_ctime as i64, nanos: stat.st_ctime_nsec as u32 },
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

    use rustix::fs::{OFlags, fcntl_getfl};

    use super::NativeSyscalls;
    use crate::syscalls::{Open, Syscalls as _, WaitMode};

    /// Whatever the mount does with access times.
    #[test]
    fn files_are_opened_without_access_times_whether_the_call_may_wait_or_not() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        File::create(folder.path().join("file")).expect("a file");
        let root = File::open(folder.path()).expect("the folder");
        let mut sys = NativeSyscalls::NATIVE;
        sys.try_optional(root.as_fd(), "file");
        for wait in [WaitMode::Inline, WaitMode::Blocking] {
            for how in [Open::Read, Open::Write] {
                let file = sys.open(root.as_fd(), "file", how, wait);
                let flags = fcntl_getfl(file.expect("it is ours")).expect("flags");
                assert!(flags.contains(OFlags::NOATIME), "{how:?}, {wait:?}");
            }
        }
    }
}
