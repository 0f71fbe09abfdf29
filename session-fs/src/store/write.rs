//! Changing one session's file.

use session_core::{
    Error, ErrorKind, Expect, Outcome, PrincipalTag, Record, Removal, Result, SessionId, Timestamp,
    Version,
};

use super::{Store, locked::LockedFile, read::Buffer};
use crate::{
    Durability,
    error::{During, Try, TryError},
    folder::Place,
    names::{Name, Shard, Tree},
    slots::{self, View},
    syscalls::{Open, Syscalls, WaitMode},
};

/// The largest record that is written where a put is polled: it dirties one page, or two. The more
/// a write dirties, the likelier the system lets the writer wait for the disk.
const INLINE: usize = slots::BLOCK / 2;

impl<C: Syscalls> Store<C> {
    pub(crate) fn put(&self, new: &Record, expect: Expect, wait: WaitMode) -> Try<Outcome> {
        if new.encoded_len() > Record::MAX_BYTES {
            return Err(too_large().into());
        }
        let how = match expect {
            Expect::Absent => Open::Create,
            Expect::Version(_) => Open::Write,
        };
        // A new name is a change of a folder, and a sync is a wait.
        let waits = how == Open::Create
            || new.encoded_len() > INLINE
            || self.folder.durability() == Durability::Synced;
        if wait == WaitMode::Inline && waits {
            return Err(TryError::WouldBlock);
        }
        let _writing = self.stalls.begin(wait)?;
        let id = new.id();
        loop {
            let locked = self.lock(id, how, wait).map_err(|error| self.explain(error))?;
            let Some(locked) = locked else { return Ok(Outcome::Gone) };
            let mut buffer = Buffer::new();
            let held = match self.held(id, &locked, &mut buffer, wait) {
                // It was moved aside, and there is room for a new one.
                Err(TryError::Damaged) if expect == Expect::Absent => continue,
                held => held?,
            };
            let live = match &held {
                Some((old, _)) if !old.is_expired(self.clock.now()) => Some(old.version()),
                _ => None,
            };
            match (expect, live) {
                (Expect::Absent, None) => {}
                (Expect::Version(version), Some(live)) if version == live => {}
                (_, Some(_)) => return Ok(Outcome::Conflict),
                (Expect::Version(_), None) => return Ok(Outcome::Gone),
            }
            return match held {
                None => self.create(new, &locked),
                Some((old, view)) => self.replace(new, &old, &view, &locked, wait),
            }
            .map(|()| Outcome::Stored)
            .map_err(|error| self.explain(error));
        }
    }

    fn explain(&self, error: TryError) -> TryError {
        match error {
            TryError::Failed(error) => self.folder.explain(error).into(),
            error => error,
        }
    }

    pub(crate) fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
        wait: WaitMode,
    ) -> Try<Outcome> {
        let _writing = self.stalls.begin(wait)?;
        let Some(locked) = self.lock(id, Open::Write, wait)? else { return Ok(Outcome::Gone) };
        let mut buffer = Buffer::new();
        let (old, view) = match self.held(id, &locked, &mut buffer, wait)? {
            Some((old, view)) if !old.is_expired(self.clock.now()) => (old, view),
            _ => return Ok(Outcome::Gone),
        };
        if old.version() != version {
            return Ok(Outcome::Conflict);
        }
        if locked.is_writable(&view) {
            locked.touch(&view, expires_at.min(old.deadline()), version)?;
        } else {
            locked.exchange(&old.with_expires_at(expires_at), wait)?;
        }
        Ok(Outcome::Stored)
    }

    pub(crate) fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        let wait = WaitMode::Blocking;
        let Some(locked) = self.lock(id, Open::Write, wait).map_err(TryError::into_error)? else {
            self.settle_absence(id)?;
            return Ok(Removal::Gone);
        };
        let mut buffer = Buffer::new();
        let held = match self.held(id, &locked, &mut buffer, wait) {
            // It was moved aside, which is all that was asked for.
            Err(TryError::Damaged) => {
                self.settle_absence(id)?;
                return Ok(Removal::Gone);
            }
            held => held.map_err(TryError::into_error)?,
        };
        let (answer, tag) = match held {
            None => (Removal::Gone, None),
            Some((old, _)) if old.is_expired(self.clock.now()) => {
                (Removal::Gone, old.principal_tag())
            }
            Some((old, _)) if only.is_some_and(|version| version != old.version()) => {
                return Ok(Removal::Conflict);
            }
            Some((old, _)) => (Removal::Removed, old.principal_tag()),
        };
        self.unlink(id)?;
        // Before what points to it: a session that comes back must not be missing in a listing.
        self.settle_absence(id)?;
        if let Some(tag) = tag {
            self.drop_entry(&tag, id);
        }
        Ok(answer)
    }

    /// Takes the file of a record away that nobody was told of or that is expired, and then what
    /// points to it. It may come back after a loss of power, as absent as before.
    pub(super) fn discard(&self, id: &SessionId, tag: Option<&PrincipalTag>) -> Result<()> {
        self.unlink(id)?;
        if let Some(tag) = tag {
            self.drop_entry(tag, id);
        }
        Ok(())
    }

    fn unlink(&self, id: &SessionId) -> Result<()> {
        Ok(self.folder.unlink(&Name::record(id)).during("removing a session's file")?)
    }

    /// With [`Durability::Synced`]: that `id` has no file is on the disk when this returns. Another
    /// process may have taken the file away just now and not have come to the sync yet.
    fn settle_absence(&self, id: &SessionId) -> Result<()> {
        match self.folder.sync_names(Place::Shard(Tree::Records, Shard::of(id))) {
            // Where no folder is, nothing was ever removed from it.
            Err(cause) if cause.is_absence() => self.folder.absent(),
            synced => Ok(synced?),
        }
    }

    /// What a locked file holds. One that is damaged was moved aside.
    fn held<'a>(
        &self,
        id: &SessionId,
        locked: &LockedFile<'_, C>,
        buffer: &'a mut Buffer,
        wait: WaitMode,
    ) -> Try<Option<(Record, View<'a>)>> {
        let held = locked.held(id, buffer, wait);
        if matches!(held, Err(TryError::Damaged)) {
            match wait {
                WaitMode::Inline => return Err(TryError::WouldBlock),
                WaitMode::Blocking => self.set_aside(id, locked)?,
            }
        }
        held
    }

    /// Writes the first record of a file that has none.
    fn create(&self, new: &Record, locked: &LockedFile<'_, C>) -> Try<()> {
        let (id, tag) = (new.id(), new.principal_tag());
        let entry = tag.as_ref().map_or(Ok(()), |tag| self.add_entry(tag, id));
        if let Err(error) = entry.and_then(|()| locked.create(new)) {
            // Nothing was promised yet: what is half-made is taken away again, so that no damaged
            // file stays behind.
            if self.discard(id, tag.as_ref()).is_err() {
                tracing::debug!(
                    "a session's file that could not be finished was left for the sweep"
                );
            }
            return Err(error.into());
        }
        Ok(())
    }

    /// Puts `new` in the place of `old`.
    fn replace(
        &self,
        new: &Record,
        old: &Record,
        view: &View<'_>,
        locked: &LockedFile<'_, C>,
        wait: WaitMode,
    ) -> Try<()> {
        let (from, to) = (old.principal_tag(), new.principal_tag());
        if from != to && wait == WaitMode::Inline {
            return Err(TryError::WouldBlock);
        }
        if let Some(tag) = to.filter(|_| from != to) {
            self.add_entry(&tag, new.id())?;
        }
        let fits = view.geometry.holds(new.encoded_len()) && view.counts_on();
        let replaced = if fits && locked.is_writable(view) {
            locked.put(view, new)?;
            None
        } else {
            Some(locked.exchange(new, wait)?)
        };
        if let Some(tag) = from.filter(|_| from != to) {
            self.drop_entry(&tag, new.id());
        }
        // Until here nobody else may change whose session it is.
        drop(replaced);
        Ok(())
    }
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "fs", "the record is larger than a file may hold")
}
