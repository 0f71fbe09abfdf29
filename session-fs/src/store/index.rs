//! Which sessions belong to a principal: an empty file for each, named after both.
//!
//! An entry is made before the record that it points to and taken away after it, so a listing may
//! name too many and never too few. Every change of the entries of an id happens under the lock of
//! its record's file.

use std::os::fd::AsFd;

use session_core::{PrincipalTag, Result, SessionId};

use super::{Store, Tree};
use crate::{
    Durability,
    error::{During, removed},
    names::{Name, Shard},
    syscalls::{Errno, Open, Syscalls, WaitMode},
};

impl<C: Syscalls> Store<C> {
    pub(super) fn add_entry(&self, tag: &PrincipalTag, id: &SessionId) -> Result<()> {
        let (name, shard) = (Name::entry(tag, id), Shard::of_tag(tag));
        for _ in 0..3 {
            let folder = self.principals.as_fd();
            match self.sys.open(folder, name.as_str(), Open::Create, WaitMode::Blocking) {
                Ok(_) if self.durability == Durability::Synced => {
                    return self.sync_shard(Tree::Principals, shard);
                }
                Ok(_) => return Ok(()),
                Err(Errno::NOENT) => self.make_shard(Tree::Principals, shard)?,
                Err(errno) => return Err(errno).during("making an entry of the index")?,
            }
        }
        Err(removed())
    }

    /// Makes the entry of a live record that has none: a loss of power may have kept the record and
    /// not the entry, and a copy of the folder may have been made of the one before the other.
    ///
    /// To be called under the lock of the record's file.
    pub(super) fn mend_entry(&self, tag: &PrincipalTag, id: &SessionId) -> Result<()> {
        let name = Name::entry(tag, id);
        match self.sys.stat_name(self.principals.as_fd(), name.as_str()) {
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
        let name = Name::entry(tag, id);
        match self.sys.unlink(self.principals.as_fd(), name.as_str()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => tracing::debug!(%errno, "an entry of the index was left for the sweep"),
        }
    }
}
