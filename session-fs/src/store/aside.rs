//! Damaged files: kept, out of the way, and counted.

use std::{os::fd::AsFd, sync::atomic::Ordering};

use session_core::{Result, SessionId};

use super::{Store, locked::Locked};
use crate::{
    error::During,
    names::Name,
    syscalls::{Errno, Syscalls},
};

impl<C: Syscalls> Store<C> {
    /// Moves the file of `id` to the folder of damaged ones, if its name still stands for the
    /// locked file.
    pub(super) fn set_aside(&self, id: &SessionId, locked: &Locked<'_>) -> Result<()> {
        let name = Name::record(id);
        match self.sys.stat_name(self.records.as_fd(), name.as_str()) {
            Ok(stat) if stat.inode == locked.stat.inode => {}
            Ok(_) | Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(errno).during("looking at a damaged file")?,
        }
        let to = self.free_place(id);
        self.sys
            .rename((self.records.as_fd(), name.as_str()), (self.aside.as_fd(), to.as_str()))
            .during("moving a damaged file aside")?;
        self.damaged.fetch_add(1, Ordering::Relaxed);
        tracing::warn!("the file of a session was damaged; it was moved to the folder `aside`");
        Ok(())
    }

    /// A name that is not taken; the last one is taken again rather than filling the disk.
    fn free_place(&self, id: &SessionId) -> Name {
        let free = |name: &Name| {
            self.sys.stat_name(self.aside.as_fd(), name.as_str()).err() == Some(Errno::NOENT)
        };
        (0..7).map(|number| Name::aside(id, number)).find(free).unwrap_or(Name::aside(id, 7))
    }
}
