//! Finding sessions without knowing their ids: by principal, and all of them.
//!
//! A folder is read once for all the pages that its names take: what is left after a page waits for
//! the next one. Folders come in the order of the first digits of the ids in them, and ids of one
//! folder are sorted, so where nothing waits any more the last id named is enough to go on.

use std::{
    collections::VecDeque,
    fmt,
    ops::ControlFlow,
    sync::{Mutex, PoisonError},
};

use session_core::{Cursor, Error, ErrorKind, Page, PrincipalTag, Result, SessionId};

use super::Store;
use crate::{
    error::During,
    names::{Name, Named, Shard, Tree, parse_entry},
    syscalls::{Errno, Syscalls},
};

/// How often a folder is read that is changed all the while. What is put into a new file moves
/// within its folder, and a reader may miss it.
const LOOKS: usize = 16;
/// So many listings may be under way; of one more, the oldest reads its folder again.
const LISTINGS: usize = 8;

/// What is left of folders that were read, by numbers drawn at random, in order.
#[derive(Default)]
pub(super) struct Listings(Mutex<VecDeque<(SessionId, VecDeque<SessionId>)>>);

impl Listings {
    fn take(&self, number: SessionId) -> Option<VecDeque<SessionId>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|(of, _)| *of == number)?;
        all.remove(at).map(|(_, ids)| ids)
    }

    fn page(&self, mut ids: VecDeque<SessionId>, limit: usize) -> Result<Page> {
        let page: Vec<_> = ids.drain(..ids.len().min(limit.max(1))).collect();
        let Some(last) = page.last().filter(|_| !ids.is_empty()) else {
            return Ok(Page::new(page, None));
        };
        let number = SessionId::random()?;
        let cursor = Cursor::new([*last.as_bytes(), *number.as_bytes()].concat());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == LISTINGS {
            all.pop_front();
        }
        all.push_back((number, ids));
        Ok(Page::new(page, Some(cursor)))
    }
}

impl fmt::Debug for Listings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listings(..)")
    }
}

impl<C: Syscalls> Store<C> {
    pub(crate) fn by_principal(
        &self,
        tag: &PrincipalTag,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page> {
        let position = position(cursor)?;
        if let Some(ids) = position.and_then(|(_, number)| self.listings.take(number)) {
            return self.listings.page(ids, limit);
        }
        let (shard, mut ids) = (Shard::of_tag(tag), Vec::new());
        self.each_name(Tree::Principals, shard, &mut |name| match parse_entry(shard, name) {
            Some((of, id)) if of == *tag => ids.push(id),
            _ => {}
        })?;
        self.listings.page(in_order(ids, position.map(|(after, _)| after)), limit)
    }

    pub(crate) fn scan(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page> {
        self.folder.absent()?;
        let position = position(cursor)?;
        let (mut ids, mut shards) = (VecDeque::new(), Shard::FIRST.and_on());
        if let Some((after, number)) = position {
            ids = match self.listings.take(number) {
                Some(ids) => ids,
                None => in_order(self.records_of(Shard::of(&after))?, Some(after)),
            };
            shards = Shard::of(ids.back().unwrap_or(&after)).and_on();
            shards.next();
        }
        while ids.len() <= limit
            && let Some(shard) = shards.next()
        {
            ids.extend(in_order(self.records_of(shard)?, None));
        }
        self.listings.page(ids, limit)
    }

    /// All ids in a folder of records that were there for the whole time, some of them twice.
    fn records_of(&self, shard: Shard) -> Result<Vec<SessionId>> {
        let (path, mut ids) = (Name::shard(Tree::Records, shard), Vec::new());
        for look in 0..LOOKS {
            let begun = self.folder.now();
            self.each_name(Tree::Records, shard, &mut |name| {
                if let Some(Named::Record(id)) = Named::parse(shard, name) {
                    ids.push(id);
                }
            })?;
            let unchanged = match (begun, self.folder.stat_name(&path)) {
                (Some(begun), Ok(stat)) => stat.is_older_than(begun),
                (None, Ok(_)) => look > 0,
                (_, Err(_)) => true,
            };
            if unchanged {
                break;
            }
        }
        Ok(ids)
    }

    fn each_name(&self, tree: Tree, shard: Shard, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let path = Name::shard(tree, shard);
        let mut tell = |name: &[u8]| {
            each(name);
            ControlFlow::Continue(())
        };
        match self.folder.list(path.as_str(), &mut tell) {
            Ok(()) => Ok(()),
            Err(Errno::NOENT) => self.folder.absent(),
            // Something else is in the place of a folder: no session was ever in it. What cannot be
            // read is an error, for a listing must not name too few; so is, in the index, what might
            // be a link, through which entries may have been made.
            Err(Errno::NOTDIR | Errno::LOOP)
                if tree == Tree::Records
                    || self.folder.stat_name(&path).is_ok_and(|stat| stat.regular) =>
            {
                Ok(())
            }
            Err(errno) => Err(errno).during("reading a folder to list it")?,
        }
    }
}

/// Those after `after`, each once.
fn in_order(mut ids: Vec<SessionId>, after: Option<SessionId>) -> VecDeque<SessionId> {
    ids.retain(|id| Some(*id) > after);
    ids.sort_unstable();
    ids.dedup();
    ids.into()
}

/// The last id named, and the number of what is left.
fn position(cursor: Option<&Cursor>) -> Result<Option<(SessionId, SessionId)>> {
    let Some(cursor) = cursor else { return Ok(None) };
    let id = |bytes: &[u8]| SessionId::from_bytes(bytes.try_into().ok()?).ok();
    let (after, number) = cursor.as_bytes().split_at_checked(16).unwrap_or_default();
    match (id(after), id(number)) {
        (Some(after), Some(number)) => Ok(Some((after, number))),
        _ => Err(Error::new(
            ErrorKind::Config,
            "fs",
            "the cursor is not one of this manager: start again",
        )),
    }
}
