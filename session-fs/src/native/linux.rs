//! What no other system has.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::{self, AtFlags, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags},
    io::{IoSliceMut, ReadWriteFlags, preadv2, retry_on_intr},
    time::{ClockId, clock_gettime},
};

use super::Linux;
use crate::syscalls::{Errno, FileSystem, Moment, WaitMode};

/// By the clock of the last tick: the kernel dates changes with it, or with a finer one.
pub(super) fn now() -> Moment {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    Moment { seconds: now.tv_sec, nanos: u32::try_from(now.tv_nsec).unwrap_or_default() }
}

/// ext2 to ext4, XFS, Btrfs, F2FS, tmpfs, and overlayfs, which is on one of them. Numbers of
/// linux/magic.h.
const LOCAL: [u32; 6] = [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x0102_1994, 0x794c_7630];

/// NFS, SMB by its three names, AFS by its two, Ceph, Coda, 9p, OCFS2, GFS2, and Lustre.
const NETWORK: [u32; 11] = [
    0x6969,
    0x517b,
    0xff53_4d42,
    0xfe53_4d42,
    0x5346_414f,
    0x00c3_6400,
    0x7375_7245,
    0x0102_1997,
    0x7461_636f,
    0x0116_1970,
    0x0bd0_0bd0,
];

const FUSE: u32 = 0x6573_5546;

pub(super) fn kind(folder: BorrowedFd<'_>) -> FileSystem {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the number has 32 bits, in a word whose size and sign differ between processors"
    )]
    let number = |stat: fs::StatFs| stat.f_type as u32;
    match fs::fstatfs(folder).map(number) {
        Ok(FUSE) => FileSystem::Fuse,
        Ok(number) if LOCAL.contains(&number) => FileSystem::Local,
        Ok(number) if NETWORK.contains(&number) => FileSystem::Network,
        _ => FileSystem::Unknown,
    }
}

/// Nothing where the kernel does not tell.
pub(super) fn is_mount(folder: BorrowedFd<'_>) -> Option<bool> {
    let stat = fs::statx(folder, "", AtFlags::EMPTY_PATH, StatxFlags::empty()).ok()?;
    let tells = stat.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT);
    tells.then(|| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// The calls that answer for a file that is in memory: any refusal, of an old kernel, a file
/// system or a sandbox, is a reason to do without.
pub(super) fn that_work(folder: BorrowedFd<'_>, path: &str) -> Linux {
    let opened = fs::openat(folder, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let read = |file: OwnedFd| {
        // Brings it into memory.
        let _ = rustix::io::pread(&file, &mut [0; 1], 0);
        read_cached(file.as_fd(), &mut [0; 1], 0)
    };
    Linux {
        open_cached: fs::openat2(folder, path, READ, Mode::empty(), CACHED).is_ok(),
        read_cached: opened.and_then(read).is_ok(),
        without_access_times: fs::openat(folder, path, READ | OFlags::NOATIME, Mode::empty())
            .is_ok(),
    }
}

const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);
const CACHED: ResolveFlags =
    ResolveFlags::CACHED.union(ResolveFlags::BENEATH).union(ResolveFlags::NO_SYMLINKS);

/// Opens a file, of which reading leaves no trace if the system lets this user: it lets the
/// owner of the file, and root.
pub(super) fn open(
    folder: BorrowedFd<'_>,
    path: &str,
    (flags, mode): (OFlags, Mode),
    wait: WaitMode,
    linux: Linux,
) -> Result<OwnedFd, Errno> {
    let inline = wait == WaitMode::Inline;
    if inline && !linux.open_cached {
        return Err(Errno::AGAIN);
    }
    let open = |flags| match wait {
        WaitMode::Blocking => retry_on_intr(|| fs::openat(folder, path, flags, mode)),
        WaitMode::Inline => fs::openat2(folder, path, flags, Mode::empty(), CACHED),
    };
    let answers = [Errno::NOENT, Errno::EXIST, Errno::AGAIN];
    let without = linux.without_access_times && !flags.contains(OFlags::DIRECTORY);
    let opened = match open(if without { flags | OFlags::NOATIME } else { flags }) {
        Err(error) if without && !answers.contains(&error) => open(flags),
        opened => opened,
    };
    // What is refused here may be refused by a sandbox: the call that waits tells.
    let refused = |error| if inline && error != Errno::NOENT { Errno::AGAIN } else { error };
    opened.map_err(refused)
}

/// Reads what is in the page cache, or says `AGAIN`: also when only a part is there, or when
/// the file system cannot tell.
pub(super) fn read_cached(
    file: BorrowedFd<'_>,
    buffer: &mut [u8],
    at: u64,
) -> Result<usize, Errno> {
    let mut buffers = [IoSliceMut::new(buffer)];
    preadv2(file, &mut buffers, at, ReadWriteFlags::NOWAIT).map_err(|_| Errno::AGAIN)
}
