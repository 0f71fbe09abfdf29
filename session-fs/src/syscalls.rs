//! The system calls this crate makes, as one seam.
//!
//! Everything above it is plain logic over a handful of calls, so that a test may end any of them
//! early, fail it, or write down the order in which they reach the disk.

use std::{
    fmt,
    ops::ControlFlow,
    os::fd::{BorrowedFd, OwnedFd},
};

pub(crate) use rustix::io::Errno;

/// What a file is opened for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Open {
    /// A file, to read it.
    Read,
    /// A file, to read and write it.
    Write,
    /// The same, made if it is not there.
    Create,
    /// The same, which must not be there yet.
    CreateNew,
    /// A folder.
    Folder,
}

/// Whether a call may wait for the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WaitMode {
    /// It answers from memory or says [`Errno::AGAIN`].
    Inline,
    /// It may wait.
    Blocking,
}

/// What is known of an opened file, or of a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stat {
    pub(crate) regular: bool,
    pub(crate) inode: (u64, u64),
    pub(crate) links: u64,
    pub(crate) len: u64,
    pub(crate) mode: u32,
    pub(crate) owner: u32,
    pub(crate) group: u32,
    pub(crate) modified: Moment,
    /// When it was last written to, or given or deprived of a name.
    pub(crate) changed: Moment,
}

impl Stat {
    /// Whether it is certain that nothing changed the file from `start` on.
    pub(crate) fn is_older_than(&self, start: Moment) -> bool {
        const NANOS: i128 = 1_000_000_000;
        const MILLI: i128 = 1_000_000;
        let nanos = |Moment { seconds, nanos }| i128::from(seconds) * NANOS + i128::from(nanos);
        let (changed, start) = (nanos(self.changed), nanos(start));
        // Some file systems keep whole seconds alone: there nothing is certain.
        changed % MILLI != 0 && changed + MILLI < start
    }
}

/// What a folder is on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FileSystem {
    /// Files and their dates are in this machine's memory, and its clock dates them.
    Local,
    /// Other machines change files too, by their own clocks and locks.
    Network,
    /// A program of its own, which may be either.
    Fuse,
    Unknown,
}

/// A time of the system's clock, since 1970.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Moment {
    pub(crate) seconds: i64,
    pub(crate) nanos: u32,
}

/// Paths are relative to an opened folder. No call follows a symbolic link in the last part of a
/// path, and none opens anything in a way that waits for another process.
pub(crate) trait Syscalls: fmt::Debug + Send + Sync + 'static {
    /// By the clock that dates changes of files: what is changed from now on is dated no earlier.
    /// Nothing where no such clock is known.
    fn now(&self) -> Option<Moment>;

    /// Finds out, by the file at `path`, which of the calls that have another way work here. Those
    /// that do not are never made again.
    fn try_optional(&mut self, folder: BorrowedFd<'_>, path: &str);

    fn kind(&self, folder: BorrowedFd<'_>) -> FileSystem;

    /// Whether a file system is mounted on `folder`.
    fn is_mount(&self, folder: BorrowedFd<'_>) -> bool;

    /// How many files may still be made, where the file system counts them.
    fn files_left(&self, folder: BorrowedFd<'_>) -> Option<u64>;

    fn open(
        &self,
        folder: BorrowedFd<'_>,
        path: &str,
        how: Open,
        wait: WaitMode,
    ) -> Result<OwnedFd, Errno>;

    /// Reads from `at` on, until `buffer` is full or the file ends; returns how much was read.
    fn read(
        &self,
        file: BorrowedFd<'_>,
        buffer: &mut [u8],
        at: u64,
        wait: WaitMode,
    ) -> Result<usize, Errno>;

    /// Writes some of `bytes`, and returns how much: at least one byte.
    fn write(&self, file: BorrowedFd<'_>, bytes: &[u8], at: u64) -> Result<usize, Errno>;

    fn stat(&self, file: BorrowedFd<'_>) -> Result<Stat, Errno>;

    /// Of the name itself, if it is a symbolic link.
    fn stat_name(&self, folder: BorrowedFd<'_>, path: &str) -> Result<Stat, Errno>;

    /// Takes the advisory lock of a file if it is free, until the handle is closed.
    fn lock(&self, file: BorrowedFd<'_>) -> Result<(), Errno>;

    fn rename(&self, from: (BorrowedFd<'_>, &str), to: (BorrowedFd<'_>, &str))
    -> Result<(), Errno>;

    fn unlink(&self, folder: BorrowedFd<'_>, path: &str) -> Result<(), Errno>;

    fn make_folder(&self, folder: BorrowedFd<'_>, path: &str) -> Result<(), Errno>;

    /// Fails if it is not empty.
    fn remove_folder(&self, folder: BorrowedFd<'_>, path: &str) -> Result<(), Errno>;

    fn set_mode(&self, file: BorrowedFd<'_>, mode: u32) -> Result<(), Errno>;

    fn set_owner(&self, file: BorrowedFd<'_>, owner: u32, group: u32) -> Result<(), Errno>;

    /// The data of a file, and what is needed to find it, are on the disk when this returns.
    fn sync_data(&self, file: BorrowedFd<'_>) -> Result<(), Errno>;

    /// The names in a folder are on the disk when this returns.
    fn sync_folder(&self, folder: BorrowedFd<'_>) -> Result<(), Errno>;

    fn set_modified(&self, file: BorrowedFd<'_>, modified: Moment) -> Result<(), Errno>;

    /// Tells every name in an opened folder, but `.` and `..`.
    fn list(
        &self,
        folder: BorrowedFd<'_>,
        each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Errno>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_older(changed: (i64, u32), start: (i64, u32)) -> bool {
        let moment = |(seconds, nanos)| Moment { seconds, nanos };
        let changed = moment(changed);
        let file = Stat {
            regular: true,
            inode: (1, 1),
            links: 1,
            len: 0,
            mode: 0,
            owner: 0,
            group: 0,
            modified: changed,
            changed,
        };
        file.is_older_than(moment(start))
    }

    #[test]
    fn a_file_is_older_only_where_times_are_fine_enough_to_tell() {
        assert!(is_older((10, 1_000_001), (10, 2_000_002)));
        assert!(!is_older((10, 1_000_001), (10, 2_000_001)), "within a millisecond");
        assert!(!is_older((10, 1_000_001), (9, 999_000_000)), "changed since");
        assert!(is_older((9, 999_999_999), (11, 0)));
        assert!(!is_older((10, 0), (99, 0)), "whole seconds are no times to compare");
    }
}
