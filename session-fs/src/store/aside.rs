//! Damaged files: kept, out of the way, and counted.

use std::sync::atomic::Ordering;

use session_core::{Result, SessionId};

use super::{Store, locked::LockedFile};
use crate::{
    names::Name,
    syscalls::{Errno, Syscalls},
};

impl<C: Syscalls> Store<C> {
    /// Moves the file of `id` to the folder of damaged ones, if its name still stands for the
    /// locked file.
    pub(super) fn set_aside(&self, id: &SessionId, locked: &LockedFile<'_, C>) -> Result<()> {
        if !locked.is_named()? {
            return Ok(());
        }
        self.folder.rename_aside(&Name::record(id), &self.free_place(id))?;
        self.damaged.fetch_add(1, Ordering::Relaxed);
        tracing::warn!("the file of a session was damaged; it was moved to the folder `aside`");
        Ok(())
    }

    /// A name that is not taken; the last one is taken again rather than filling the disk.
    fn free_place(&self, id: &SessionId) -> Name {
        let free = |name: &Name| self.folder.stat_name(name).err() == Some(Errno::NOENT);
        (0..7).map(|number| Name::aside(id, number)).find(free).unwrap_or(Name::aside(id, 7))
    }
}
