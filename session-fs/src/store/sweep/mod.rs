//! Clearing away what is expired, damaged or left over.

mod guard;
pub(super) mod hint;

use std::{ops::ControlFlow, os::fd::AsFd, time::Instant};

use session_core::{ErrorKind, Result, SessionId, Timestamp};

pub(super) use self::guard::Guard;
use super::{
    Store, Tree,
    read::{Buffer, record},
};
use crate::{
    SweepProgress,
    error::{During, Try, TryError},
    names::{Name, Named, Shard, parse_entry},
    slots::Parsed,
    syscalls::{Errno, Moment, Open, Syscalls, WaitMode},
};

/// How far a sweep of the whole folder has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    tree: Tree,
    shard: u16,
}

impl Pass {
    /// At the beginning.
    pub(crate) fn new() -> Self {
        Self { tree: Tree::Records, shard: 0 }
    }

    /// Goes on to the next shard; false at the end.
    fn advance(&mut self) -> bool {
        self.shard += 1;
        if Shard::new(self.shard).is_some() {
            return true;
        }
        self.shard = 0;
        match self.tree {
            Tree::Records => {
                self.tree = Tree::Principals;
                true
            }
            Tree::Principals => {
                self.tree = Tree::Records;
                false
            }
        }
    }
}

/// What one step may look at, whichever it reaches first; a shard is always finished.
const STEP_SHARDS: usize = 256;
const STEP_NAMES: u64 = 4096;

impl<C: Syscalls> Store<C> {
    /// Does one bounded step of `pass` and tells whether there is more to do. `stop` ends it early.
    pub(crate) fn sweep_step(
        &self,
        pass: &mut Pass,
        progress: &mut SweepProgress,
        stop: &dyn Fn() -> bool,
    ) -> Result<bool> {
        let now = self.clock.now();
        if !self.clock.is_settled() || !self.guard.may_remove(now, self) {
            progress.held_back = true;
            *pass = Pass::new();
            return Ok(false);
        }
        let mut names = 0;
        for _ in 0..STEP_SHARDS {
            if let Some(shard) = Shard::new(pass.shard) {
                self.sweep_shard(pass.tree, shard, now, progress, &mut names, stop)?;
            }
            if !pass.advance() {
                return Ok(false);
            }
            if names >= STEP_NAMES || stop() {
                break;
            }
        }
        Ok(true)
    }

    /// Sweeps these shards alone, where a whole pass would be thousands of calls that have nothing
    /// to do with a test.
    #[cfg(test)]
    pub(crate) fn sweep_only(&self, records: Shard, principals: &[Shard]) -> Result<()> {
        let (now, mut progress, mut names) = (self.clock.now(), SweepProgress::default(), 0);
        let mut sweep =
            |tree, shard| self.sweep_shard(tree, shard, now, &mut progress, &mut names, &|| false);
        sweep(Tree::Records, records)?;
        principals.iter().try_for_each(|shard| sweep(Tree::Principals, *shard))
    }

    fn sweep_shard(
        &self,
        tree: Tree,
        shard: Shard,
        now: Timestamp,
        progress: &mut SweepProgress,
        names: &mut u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        let parent = self.tree(tree);
        let name = shard.name();
        let folder = match self.sys.open(parent, name.as_str(), Open::Folder, WaitMode::Blocking) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => return self.absent(),
            // One folder that cannot be read, or something else in its place, keeps nobody from
            // the rest.
            Err(errno) => {
                progress.unreadable_folders += 1;
                tracing::debug!(%errno, "a folder was passed over by the sweep");
                return Ok(());
            }
        };
        let mut each = |name: &[u8]| {
            *names += 1;
            let swept = match tree {
                Tree::Records => match Named::parse(shard, name) {
                    Some(Named::Record(id)) => {
                        let modified = self.modified(folder.as_fd(), name);
                        self.sweep_record(&id, modified, now, progress)
                    }
                    Some(Named::New(id)) => self.sweep_unfinished(&id),
                    None => Ok(()),
                },
                Tree::Principals => match parse_entry(shard, name) {
                    Some((tag, id)) => {
                        let modified = self.modified(folder.as_fd(), name);
                        self.sweep_entry(&tag, &id, modified, now)
                    }
                    None => Ok(()),
                },
            };
            match swept {
                Ok(()) => {}
                // Someone is at it: what is used is not expired.
                Err(TryError::WouldBlock) => progress.left += 1,
                Err(TryError::Failed(error)) if error.kind() == ErrorKind::Contended => {
                    progress.left += 1;
                }
                Err(TryError::Failed(error)) => {
                    progress.unreadable += 1;
                    tracing::debug!(%error, "a file was passed over by the sweep");
                }
            }
            if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        if let Err(errno) = self.sys.list(folder.as_fd(), &mut each) {
            progress.unreadable_folders += 1;
            tracing::debug!(%errno, "a folder was not read to its end by the sweep");
        }
        Ok(())
    }

    /// When a regular file was modified; `None` for whatever else has the name.
    fn modified(&self, folder: std::os::fd::BorrowedFd<'_>, name: &[u8]) -> Option<Moment> {
        let name = std::str::from_utf8(name).ok()?;
        let stat = self.sys.stat_name(folder, name).ok()?;
        stat.regular.then_some(stat.modified)
    }

    fn sweep_record(
        &self,
        id: &SessionId,
        modified: Option<Moment>,
        now: Timestamp,
        progress: &mut SweepProgress,
    ) -> Try<()> {
        let Some(modified) = modified else { return Ok(()) };
        progress.scanned += 1;
        if hint::read(modified).is_some_and(|hint| hint > now) {
            progress.left += 1;
            return Ok(());
        }
        let Some(locked) = self.lock_until(id, Open::Write, WaitMode::Blocking, Instant::now())?
        else {
            return Ok(());
        };
        let mut buffer = Buffer::new();
        match self.read(locked.file.as_fd(), &mut buffer, WaitMode::Blocking)? {
            Parsed::Blank => self.discard(id, None)?,
            Parsed::Foreign | Parsed::Future => progress.unreadable += 1,
            Parsed::Damaged | Parsed::Larger(_) => self.sweep_damaged(id, &locked, progress)?,
            Parsed::Whole(view) => match record(id, &view) {
                Ok(record) if record.is_expired(now) => {
                    self.discard(id, record.principal_tag().as_ref())?;
                    progress.removed += 1;
                    progress.bytes += record.encoded_len() as u64;
                }
                Ok(record) => {
                    progress.left += 1;
                    if let Some(tag) = record.principal_tag() {
                        self.mend_entry(&tag, id)?;
                    }
                    let hint = hint::write(record.expires_at(), now);
                    self.sys
                        .set_modified(locked.file.as_fd(), hint)
                        .during("leaving a hint for the next sweep")?;
                }
                Err(TryError::Failed(error)) if error.kind() == ErrorKind::Corrupt => {
                    self.sweep_damaged(id, &locked, progress)?;
                }
                Err(_) => progress.unreadable += 1,
            },
        }
        Ok(())
    }

    fn sweep_damaged(
        &self,
        id: &SessionId,
        locked: &super::locked::Locked<'_>,
        progress: &mut SweepProgress,
    ) -> Result<()> {
        self.set_aside(id, locked)?;
        progress.damaged += 1;
        Ok(())
    }

    /// Clears away the larger file that a process died over.
    fn sweep_unfinished(&self, id: &SessionId) -> Try<()> {
        self.with_lock(id, |_| {
            let name = Name::new_record(id);
            match self.sys.unlink(self.records.as_fd(), name.as_str()) {
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(errno) => Err(errno).during("removing an unfinished file")?,
            }
        })
    }

    /// Clears away an entry of the index whose record is gone or belongs to someone else by now.
    fn sweep_entry(
        &self,
        tag: &session_core::PrincipalTag,
        id: &SessionId,
        modified: Option<Moment>,
        now: Timestamp,
    ) -> Try<()> {
        let Some(modified) = modified else { return Ok(()) };
        if hint::read(modified).is_some_and(|hint| hint > now) {
            return Ok(());
        }
        self.with_lock(id, |record| {
            let Some(record) = record.filter(|record| record.principal_tag() == Some(*tag)) else {
                self.drop_entry(tag, id);
                return Ok(());
            };
            let name = Name::entry(tag, id);
            let entry = self
                .sys
                .open(self.principals.as_fd(), name.as_str(), Open::Write, WaitMode::Blocking)
                .during("opening an entry of the index")?;
            let hint = hint::write(record.deadline(), now);
            Ok(self.sys.set_modified(entry.as_fd(), hint).during("leaving a hint")?)
        })
    }

    /// Runs `work` while nobody changes `id`, also if it has no file: then one is made to have
    /// something to lock.
    fn with_lock(
        &self,
        id: &SessionId,
        work: impl FnOnce(Option<session_core::Record>) -> Try<()>,
    ) -> Try<()> {
        let Some(locked) = self.lock_until(id, Open::Create, WaitMode::Blocking, Instant::now())?
        else {
            return Ok(());
        };
        let mut buffer = Buffer::new();
        match self.read(locked.file.as_fd(), &mut buffer, WaitMode::Blocking)? {
            Parsed::Whole(view) => work(Some(record(id, &view)?)),
            Parsed::Blank => {
                work(None)?;
                Ok(self.discard(id, None)?)
            }
            // What is in the place of the record decides nothing about what points to it.
            _ => Ok(()),
        }
    }
}
