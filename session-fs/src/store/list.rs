//! Finding sessions without knowing their ids: by principal, and all of them.
//!
//! Folders come in the order of the first digits of the ids in them, and ids of one folder are
//! sorted, so the last id named is all a cursor needs. One folder is held in memory at a time: a
//! 4,096th of the store.

use std::{ops::ControlFlow, os::fd::AsFd};

use session_core::{Cursor, Error, ErrorKind, Page, PrincipalTag, Result, SessionId};

use super::{Store, Tree};
use crate::{
    error::During,
    names::{Named, Shard, parse_entry},
    syscalls::{Errno, Open, Syscalls, WaitMode},
};

impl<C: Syscalls> Store<C> {
    pub(crate) fn by_principal(
        &self,
        tag: &PrincipalTag,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page> {
        let after = position(cursor)?;
        let shard = Shard::of_tag(tag);
        let mut ids = Vec::new();
        self.each_name(Tree::Principals, shard, &mut |name| match parse_entry(shard, name) {
            Some((of, id)) if of == *tag && Some(id) > after => ids.push(id),
            _ => {}
        })?;
        ids.sort_unstable();
        Ok(page(ids, limit))
    }

    pub(crate) fn scan(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page> {
        let after = position(cursor)?;
        let first = after.as_ref().map(Shard::of);
        let mut ids = Vec::new();
        for shard in self.shards()?.into_iter().filter(|shard| Some(*shard) >= first) {
            let start = ids.len();
            self.each_name(Tree::Records, shard, &mut |name| match Named::parse(shard, name) {
                Some(Named::Record(id)) if Some(id) > after => ids.push(id),
                _ => {}
            })?;
            ids[start..].sort_unstable();
            if ids.len() > limit {
                break;
            }
        }
        Ok(page(ids, limit))
    }

    /// The shards there are, in order.
    fn shards(&self) -> Result<Vec<Shard>> {
        self.absent()?;
        let mut shards = Vec::new();
        // A handle of its own, because reading a folder moves the position of its handle.
        let folder = self
            .sys
            .open(self.records.as_fd(), ".", Open::Folder, WaitMode::Blocking)
            .during("opening the folder of records")?;
        let mut each = |name: &[u8]| {
            shards.extend(Shard::parse(name));
            ControlFlow::Continue(())
        };
        self.sys.list(folder.as_fd(), &mut each).during("reading the folder of records")?;
        shards.sort_unstable();
        Ok(shards)
    }

    fn each_name(&self, tree: Tree, shard: Shard, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let name = shard.name();
        let folder =
            match self.sys.open(self.tree(tree), name.as_str(), Open::Folder, WaitMode::Blocking) {
                Ok(folder) => folder,
                Err(Errno::NOENT) => return self.absent(),
                // Something else is in the place of a folder: no session was ever in it. What cannot
                // be read is an error, for a listing must not name too few; so is, in the index, what
                // might be a link, through which entries may have been made.
                Err(Errno::NOTDIR | Errno::LOOP)
                    if tree == Tree::Records || self.is_file(tree, name.as_str()) =>
                {
                    return Ok(());
                }
                Err(errno) => return Err(errno).during("opening a folder to list it")?,
            };
        let mut tell = |name: &[u8]| {
            each(name);
            ControlFlow::Continue(())
        };
        Ok(self.sys.list(folder.as_fd(), &mut tell).during("reading a folder")?)
    }

    fn is_file(&self, tree: Tree, name: &str) -> bool {
        self.sys.stat_name(self.tree(tree), name).is_ok_and(|stat| stat.regular)
    }
}

fn page(mut ids: Vec<SessionId>, limit: usize) -> Page {
    let limit = limit.max(1);
    let more = ids.len() > limit;
    ids.truncate(limit);
    let next = ids.last().filter(|_| more).map(|id| Cursor::new(*id.as_bytes()));
    Page::new(ids, next)
}

fn position(cursor: Option<&Cursor>) -> Result<Option<SessionId>> {
    let Some(cursor) = cursor else { return Ok(None) };
    let id = cursor.as_bytes().try_into().ok().and_then(|bytes| SessionId::from_bytes(bytes).ok());
    id.map(Some).ok_or_else(|| {
        Error::new(ErrorKind::Config, "fs", "the cursor is not one of this manager: start again")
    })
}
