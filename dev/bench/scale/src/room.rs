//! What there is of memory and disk, and what is taken.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use crate::Done;

/// The memory this process has of the machine now, in bytes.
pub(crate) fn resident() -> Done<u64> {
    let text = fs::read_to_string("/proc/self/statm")?;
    let pages = text.split(' ').nth(1).ok_or("the system does not tell")?;
    Ok(pages.parse::<u64>()? * rustix::param::page_size() as u64)
}

/// What the files and folders under `folder` take of the disk, in bytes; inodes are not among it.
pub(crate) fn on_disk(folder: &Path) -> Done<u64> {
    let mut bytes = fs::metadata(folder)?.blocks() * 512;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { on_disk(&entry.path())? } else { about.blocks() * 512 };
    }
    Ok(bytes)
}

/// Says what is missing before it is missed.
pub(crate) fn is_there(folder: &Path, sessions: u64) -> Done {
    // A small session takes a block of 4 KiB, and of the folders a little.
    let need = sessions * 4_500;
    let disk = rustix::fs::statvfs(folder)?;
    let free = disk.f_bavail * disk.f_frsize;
    if free < need {
        let (free, need) = (free >> 20, need >> 20);
        return Err(format!("the disk has {free} MiB free, {sessions} sessions need {need}").into());
    }
    if disk.f_files > 0 && disk.f_favail < sessions + 10_000 {
        return Err(
            format!("the disk has {} inodes free, a session needs one", disk.f_favail).into()
        );
    }
    Ok(())
}
