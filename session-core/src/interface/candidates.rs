//! Which sessions may be a principal's, and whose they are.

use std::{collections::HashSet, sync::Arc};

use super::Shared;
use crate::{
    Cursor, Error, ErrorKind, PrincipalTag, Record, Result, SessionId, keys::InUse,
    record::Contents,
};

/// Ids fetched with one call.
pub(super) const PAGE: usize = 1_000;
/// A principal's tags are listed again until two looks agree, so many times at most.
const MAX_LOOKS: usize = 10;

/// The ids under which sessions of a principal may be stored, by pages, each id once.
///
/// A session that is sealed under another key moves from one tag to another, and may be missed
/// under both: with several keys the tags are listed until a whole look finds nothing new.
pub(super) struct Candidates<'a> {
    shared: &'a Shared,
    pub(super) owner: Owner<'a>,
    keys: Arc<InUse>,
    seen: HashSet<SessionId>,
    /// The tag that is listed, and where in it.
    at: usize,
    cursor: Option<Cursor>,
    looks: usize,
    /// Whether this look found anything that the one before did not, or there was none before.
    differs: bool,
}

impl<'a> Candidates<'a> {
    pub(super) fn of(shared: &'a Shared, principal: &'a str) -> Self {
        let keys = shared.keys.load_full();
        Self {
            shared,
            owner: Owner::of(&keys, principal),
            keys,
            seen: HashSet::new(),
            at: 0,
            cursor: None,
            looks: 0,
            differs: true,
        }
    }

    /// The next of them.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<SessionId>>> {
        loop {
            while let Some(tag) = self.owner.tags.get(self.at) {
                let page = self.shared.store.by_principal(tag, self.cursor.as_ref(), PAGE).await?;
                self.cursor = page.next;
                self.at += usize::from(self.cursor.is_none());
                let mut ids = page.ids;
                ids.retain(|id| self.seen.insert(*id));
                if !ids.is_empty() {
                    self.differs = true;
                    return Ok(Some(ids));
                }
            }
            let keys = self.shared.keys.load_full();
            if Arc::ptr_eq(&keys, &self.keys) {
                if self.owner.tags.len() == 1 || !self.differs {
                    return Ok(None);
                }
                self.differs = false;
            } else {
                // What was looked at may since be stored under a key that was not known then.
                self.owner = Owner::of(&keys, self.owner.principal);
                self.keys = keys;
                self.seen.clear();
                self.differs = true;
            }
            self.at = 0;
            self.looks += 1;
            if self.looks == MAX_LOOKS {
                return Err(Error::new(
                    ErrorKind::Contended,
                    "core",
                    "the sessions of the principal moved to other keys while they were listed: \
                     try again",
                ));
            }
        }
    }
}

/// A live record and what is in it.
pub(crate) type Opened = (Arc<Record>, Arc<Contents>);

/// Whose sessions are meant.
pub(super) struct Owner<'a> {
    principal: &'a str,
    /// Under which they are stored: one for each key. Another cookie's principal of the same name
    /// has others.
    tags: Vec<PrincipalTag>,
}

impl<'a> Owner<'a> {
    pub(super) fn of(keys: &InUse, principal: &'a str) -> Self {
        Self { principal, tags: keys.principal_tags(principal).collect() }
    }

    pub(super) fn owns(&self, record: &Record, contents: &Contents) -> bool {
        contents.principal.as_deref() == Some(self.principal)
            && record.principal_tag().is_some_and(|tag| self.tags.contains(&tag))
    }
}
