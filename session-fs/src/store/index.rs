//! Which sessions belong to a principal: an empty file for each, named after both.
//!
//! An entry is made before the record that it points to and taken away after it, so a listing may
//! name too many and never too few. Every change of the entries of an id happens under the lock of
//! its record's file.

use session_core::{PrincipalTag, Result, SessionId};

use super::Store;
use crate::{
    error::During,
    folder::Place,
    names::{Name, Shard, Tree},
    syscalls::{Errno, Syscalls},
};

impl<C: Syscalls> Store<C> {
    pub(super) fn add_entry(&self, tag: &PrincipalTag, id: &SessionId) -> Result<()> {
        let shard = Shard::of_tag(tag);
        self.folder.create_in((Tree::Principals, shard), &Name::entry(tag, id))?;
        self.folder.sync_names(Place::Shard(Tree::Principals, shard))?;
        // Another process may have made the folder, and have died before it was on the disk.
        Ok(self.folder.sync_names(Place::Tree(Tree::Principals))?)
    }

    /// Makes the entry of a live record that has none: a loss of power may have kept the record and
    /// not the entry, and a copy of the folder may have been made of the one before the other.
    ///
    /// To be called under the lock of the record's file.
    pub(super) fn mend_entry(&self, tag: &PrincipalTag, id: &SessionId) -> Result<()> {
        match self.folder.stat_name(&Name::entry(tag, id)) {
            Ok(_) => Ok(()),
            Err(Errno::NOENT) => {
                tracing::warn!("a session was missing from its owner's list, and is in it again");
                self.add_entry(tag, id)
            }
            Err(errno) => Err(errno).during("looking at an entry of the index")?,
        }
    }

    /// An entry too many is only one more place to look: that it stays is no error, and the sweep
    /// clears it.
    pub(super) fn drop_entry(&self, tag: &PrincipalTag, id: &SessionId) {
        match self.folder.unlink(&Name::entry(tag, id)) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => tracing::debug!(%errno, "an entry of the index was left for the sweep"),
        }
    }
}
