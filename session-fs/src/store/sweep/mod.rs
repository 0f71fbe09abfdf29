//! Clearing away what is expired, damaged or left over.

mod guard;

use std::{ops::ControlFlow, os::fd::AsFd, sync::atomic::Ordering, time::Instant};

use session_core::{ErrorKind, PrincipalTag, Record, Result, SessionId, Timestamp};

pub(super) use self::guard::Guard;
use super::{Store, read::Buffer};
use crate::{
    SweepProgress, dates,
    error::{During, Try, TryError},
    names::{Name, Named, Shard, Tree, parse_entry},
    syscalls::{Errno, Open, Syscalls, WaitMode},
};

/// How far a sweep of the whole folder has come.
///
/// The first of a process looks into every file, of whatever date: in a copy of the folder that was
/// made while it was written to, or after a loss of power, a session may be missing in the index.
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
                self.looked_into_all.store(true, Ordering::Relaxed);
                return Ok(false);
            }
            if names >= STEP_NAMES || stop() {
                break;
            }
        }
        Ok(true)
    }

    /// As after a sweep of the whole folder.
    #[cfg(test)]
    pub(crate) fn looked_into_all(&self) {
        self.looked_into_all.store(true, Ordering::Relaxed);
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
        let before = *names;
        let mut each = |name: &[u8]| {
            *names += 1;
            let swept = match tree {
                Tree::Records => match Named::parse(shard, name) {
                    Some(Named::Record(id)) => self.sweep_record(&id, now, progress),
                    Some(Named::New(id)) => self.sweep_unfinished(&id),
                    None => Ok(()),
                },
                Tree::Principals => match parse_entry(shard, name) {
                    Some((tag, id)) => self.sweep_entry(&tag, &id, now),
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
                Err(error) => {
                    let error = error.into_error();
                    progress.unreadable += 1;
                    tracing::debug!(%error, "a file was passed over by the sweep");
                }
            }
            if stop() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let path = Name::shard(tree, shard);
        match self.folder.list(path.as_str(), &mut each) {
            Ok(()) if *names == before => self.folder.drop_empty(&path),
            Ok(()) => {}
            Err(Errno::NOENT) => self.folder.absent()?,
            // One folder that cannot be read, or something else in its place, keeps nobody from
            // the rest.
            Err(errno) => {
                progress.unreadable_folders += 1;
                tracing::debug!(%errno, "a folder was passed over by the sweep");
            }
        }
        Ok(())
    }

    /// Whether a session, or its entry, goes on by the date of its file; nothing for what is not a
    /// file.
    fn goes_on(&self, name: &Name, now: Timestamp) -> Option<bool> {
        let stat = self.folder.stat_name(name).ok().filter(|stat| stat.regular)?;
        Some(self.looked_into_all.load(Ordering::Relaxed) && dates::end(stat.modified) > now)
    }

    fn sweep_record(
        &self,
        id: &SessionId,
        now: Timestamp,
        progress: &mut SweepProgress,
    ) -> Try<()> {
        let Some(goes_on) = self.goes_on(&Name::record(id), now) else { return Ok(()) };
        progress.scanned += 1;
        if goes_on {
            progress.left += 1;
            return Ok(());
        }
        let wait = WaitMode::Blocking;
        let Some(locked) = self.lock_until(id, Open::Write, wait, Instant::now())? else {
            return Ok(());
        };
        let mut buffer = Buffer::new();
        match locked.held(id, &mut buffer, wait) {
            Ok(None) => self.discard(id, None)?,
            Ok(Some((record, _))) if record.is_expired(now) => {
                self.discard(id, record.principal_tag().as_ref())?;
                progress.removed += 1;
                progress.bytes += record.encoded_len() as u64;
            }
            Ok(Some((record, _))) => {
                progress.left += 1;
                if let Some(tag) = record.principal_tag() {
                    self.mend_entry(&tag, id)?;
                }
                locked.date_again(&record);
            }
            Err(TryError::Damaged) => {
                self.set_aside(id, &locked)?;
                progress.damaged += 1;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Clears away the larger file that a process died over.
    fn sweep_unfinished(&self, id: &SessionId) -> Try<()> {
        self.with_lock(id, |_| match self.folder.unlink(&Name::new_record(id)) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno).during("removing an unfinished file")?,
        })
    }

    /// Clears away an entry of the index whose record is gone or belongs to someone else by now.
    fn sweep_entry(&self, tag: &PrincipalTag, id: &SessionId, now: Timestamp) -> Try<()> {
        let name = Name::entry(tag, id);
        if self.goes_on(&name, now) != Some(false) {
            return Ok(());
        }
        self.with_lock(id, |record| {
            let Some(record) = record.filter(|record| record.principal_tag() == Some(*tag)) else {
                self.drop_entry(tag, id);
                return Ok(());
            };
            let entry = self
                .folder
                .open(name.as_str(), Open::Write, WaitMode::Blocking)
                .during("opening an entry of the index")?;
            let date = dates::date(record.deadline(), record.version());
            Ok(self.folder.set_modified(entry.as_fd(), date).during("dating an entry")?)
        })
    }

    /// Runs `work` while nobody changes `id`, also if it has no file: then one is made to have
    /// something to lock.
    fn with_lock(&self, id: &SessionId, work: impl FnOnce(Option<Record>) -> Try<()>) -> Try<()> {
        let wait = WaitMode::Blocking;
        let Some(locked) = self.lock_until(id, Open::Create, wait, Instant::now())? else {
            return Ok(());
        };
        let mut buffer = Buffer::new();
        match locked.held(id, &mut buffer, wait) {
            Ok(Some((record, _))) => work(Some(record)),
            Ok(None) => {
                work(None)?;
                Ok(self.discard(id, None)?)
            }
            // What is in the place of the record decides nothing about what points to it.
            Err(_) => Ok(()),
        }
    }
}
