//! Changing one session's file.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use session_core::{
    Error, ErrorKind, Expect, Outcome, Record, Removal, Result, SessionId, Timestamp, Version,
};

use super::{
    Store, Tree,
    locked::Locked,
    read::{Buffer, record},
    sweep::hint,
};
use crate::{
    Durability,
    error::{During, Try, TryError, damaged, foreign, future},
    names::{Name, Shard},
    slots::{self, Geometry, Parsed, Piece, SETTLED, SETTLED_AT, View},
    syscalls::{Errno, Open, Syscalls, WaitMode},
};

/// The largest record that is written where a put is polled: it dirties one page, or two. The more
/// a write dirties, the likelier the system lets the writer wait for the disk.
const INLINE: usize = slots::BLOCK / 2;

/// What is under the lock: a record, live or expired, or a file without one.
type Held<'a> = Option<(Record, View<'a>)>;

impl<C: Syscalls> Store<C> {
    pub(crate) fn put(&self, new: &Record, expect: Expect, wait: WaitMode) -> Try<Outcome> {
        if new.encoded_len() > Record::MAX_BYTES {
            return Err(too_large().into());
        }
        let how = match (expect, wait) {
            // A new name is a change of a folder, and a sync is a wait.
            (Expect::Absent, WaitMode::Inline) => return Err(TryError::WouldBlock),
            (Expect::Version(_), WaitMode::Inline) if new.encoded_len() > INLINE => {
                return Err(TryError::WouldBlock);
            }
            (Expect::Version(_), WaitMode::Inline) if self.durability == Durability::Synced => {
                return Err(TryError::WouldBlock);
            }
            (Expect::Absent, WaitMode::Blocking) => Open::Create,
            (Expect::Version(_), _) => Open::Write,
        };
        let id = new.id();
        loop {
            let Some(locked) = self.lock(id, how, wait)? else { return Ok(Outcome::Gone) };
            let mut buffer = Buffer::new();
            let held = match self.held(id, &locked, &mut buffer, wait) {
                // A damaged file stands in nobody's way: it was moved aside, and there is room for
                // a new one.
                Err(TryError::Failed(error))
                    if error.kind() == ErrorKind::Corrupt && expect == Expect::Absent =>
                {
                    if self.still_named(id, &locked)? {
                        return Err(error.into());
                    }
                    continue;
                }
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
            .map(|()| Outcome::Stored);
        }
    }

    pub(crate) fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
        wait: WaitMode,
    ) -> Try<Outcome> {
        let Some(locked) = self.lock(id, Open::Write, wait)? else { return Ok(Outcome::Gone) };
        let mut buffer = Buffer::new();
        let (old, view) = match self.held(id, &locked, &mut buffer, wait)? {
            Some((old, view)) if !old.is_expired(self.clock.now()) => (old, view),
            _ => return Ok(Outcome::Gone),
        };
        if old.version() != version {
            return Ok(Outcome::Conflict);
        }
        if locked.stat.links > 1 {
            self.exchange(&old.with_expires_at(expires_at), wait)?;
        } else {
            let deadline = expires_at.min(old.deadline()).as_millis();
            self.write(locked.file.as_fd(), &view.touch(deadline))?;
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
        let held = match self.held(id, &locked, &mut buffer, wait).map_err(TryError::into_error) {
            // A damaged file was moved aside, which is all that was asked for.
            Err(error)
                if error.kind() == ErrorKind::Corrupt && !self.still_named(id, &locked)? =>
            {
                self.settle_absence(id)?;
                return Ok(Removal::Gone);
            }
            held => held?,
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
    pub(super) fn discard(
        &self,
        id: &SessionId,
        tag: Option<&session_core::PrincipalTag>,
    ) -> Result<()> {
        self.unlink(id)?;
        if let Some(tag) = tag {
            self.drop_entry(tag, id);
        }
        Ok(())
    }

    fn unlink(&self, id: &SessionId) -> Result<()> {
        let name = Name::record(id);
        let unlinked = self.sys.unlink(self.records.as_fd(), name.as_str());
        Ok(unlinked.during("removing a session's file")?)
    }

    fn held<'a>(
        &self,
        id: &SessionId,
        locked: &Locked<'_>,
        buffer: &'a mut Buffer,
        wait: WaitMode,
    ) -> Try<Held<'a>> {
        let found = match self.read(locked.file.as_fd(), buffer, wait)? {
            Parsed::Blank => return Ok(None),
            Parsed::Foreign => return Err(foreign().into()),
            Parsed::Future => return Err(future().into()),
            Parsed::Damaged | Parsed::Larger(_) => Err(damaged()),
            Parsed::Whole(view) => match record(id, &view) {
                Ok(record) => return Ok(Some((record, view))),
                Err(TryError::Failed(error)) if error.kind() == ErrorKind::Corrupt => Err(error),
                Err(stop) => return Err(stop),
            },
        };
        match wait {
            WaitMode::Inline => Err(TryError::WouldBlock),
            WaitMode::Blocking => {
                self.set_aside(id, locked)?;
                found.map_err(TryError::Failed)
            }
        }
    }

    fn still_named(&self, id: &SessionId, locked: &Locked<'_>) -> Result<bool> {
        let name = Name::record(id);
        match self.sys.stat_name(self.records.as_fd(), name.as_str()) {
            Ok(stat) => Ok(stat.inode == locked.stat.inode),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(errno).during("looking at a session's file")?,
        }
    }

    /// Writes the first record of a file that has none.
    fn create(&self, new: &Record, locked: &Locked<'_>) -> Try<()> {
        let id = new.id();
        let tag = new.principal_tag();
        let made = tag.as_ref().map_or(Ok(()), |tag| self.add_entry(tag, id)).and_then(|()| {
            let geometry = Geometry::for_record(new.encoded_len());
            let head = new.header_bytes();
            self.write(locked.file.as_fd(), &slots::create(geometry, &[&head, new.sealed()]))
        });
        if let Err(error) = made {
            // Nothing was promised yet: what is half-made is taken away again, so that no damaged
            // file stays behind.
            if self.discard(id, tag.as_ref()).is_err() {
                tracing::debug!(
                    "a session's file that could not be finished was left for the sweep"
                );
            }
            return Err(error.into());
        }
        self.settle(id, locked.file.as_fd(), Settled::No)?;
        // After the last write, each of which dates the file anew.
        let hint = hint::write(new.expires_at(), self.clock.now());
        if let Err(errno) = self.sys.set_modified(locked.file.as_fd(), hint) {
            tracing::debug!(%errno, "a new file was left without a hint for the sweep");
        }
        Ok(())
    }

    /// Puts `new` in the place of `old`.
    fn replace(
        &self,
        new: &Record,
        old: &Record,
        view: &View<'_>,
        locked: &Locked<'_>,
        wait: WaitMode,
    ) -> Try<()> {
        let id = new.id();
        let (from, to) = (old.principal_tag(), new.principal_tag());
        if from != to && wait == WaitMode::Inline {
            return Err(TryError::WouldBlock);
        }
        if let Some(tag) = to.filter(|_| from != to) {
            self.add_entry(&tag, id)?;
        }
        // A file that has a second name was copied by linking it, by a backup for example: the copy
        // must not change.
        let in_place = view.geometry.holds(new.encoded_len()) && view.counts_on();
        let replaced = if in_place && locked.stat.links == 1 {
            let head = new.header_bytes();
            self.write(locked.file.as_fd(), &view.put(&[&head, new.sealed()]))?;
            self.settle(id, locked.file.as_fd(), Settled::of(view))?;
            None
        } else {
            Some(self.exchange(new, wait)?)
        };
        if let Some(tag) = from.filter(|_| from != to) {
            self.drop_entry(&tag, id);
        }
        // Until here nobody else may change whose session it is: the lock of the old file keeps
        // nobody out once its name leads to the new one.
        drop(replaced);
        Ok(())
    }

    /// Puts a new file with `new` in the place of the one that is locked, and returns it, locked
    /// until it is dropped.
    fn exchange(&self, new: &Record, wait: WaitMode) -> Try<OwnedFd> {
        if wait == WaitMode::Inline {
            return Err(TryError::WouldBlock);
        }
        let id = new.id();
        let (name, made) = (Name::record(id), Name::new_record(id));
        let folder = self.records.as_fd();
        let open = || self.sys.open(folder, made.as_str(), Open::CreateNew, wait);
        let file = match open() {
            // Of a process that died at it: nobody else is here, for the lock is ours.
            Err(Errno::EXIST) => {
                self.sys.unlink(folder, made.as_str()).during("removing an unfinished file")?;
                open()
            }
            file => file,
        }
        .during("making a larger file")?;
        let written = self.fill(new, file.as_fd()).and_then(|()| {
            self.sys
                .rename((folder, made.as_str()), (folder, name.as_str()))
                .during("putting a larger file in place")
                .map_err(Error::from)
        });
        if let Err(error) = written {
            if self.sys.unlink(folder, made.as_str()).is_err() {
                tracing::debug!("an unfinished file was left for the sweep");
            }
            return Err(error.into());
        }
        self.settle_name(id, file.as_fd())?;
        Ok(file)
    }

    /// Writes a whole new file, locked from its first moment: until its name is on the disk, nobody
    /// may build on it.
    fn fill(&self, new: &Record, file: BorrowedFd<'_>) -> Result<()> {
        if self.sharing == crate::config::Sharing::Processes {
            self.sys.lock(file).during("locking a new file")?;
        }
        let geometry = Geometry::for_record(new.encoded_len());
        let head = new.header_bytes();
        self.write(file, &slots::create(geometry, &[&head, new.sealed()]))?;
        if self.durability == Durability::Synced {
            self.sys.sync_data(file).during("syncing a session's file")?;
        }
        Ok(())
    }

    /// With [`Durability::Synced`]: what was written is on the disk when this returns, and so is
    /// the name of the file.
    fn settle(&self, id: &SessionId, file: BorrowedFd<'_>, settled: Settled) -> Result<()> {
        if self.durability == Durability::Buffered {
            return Ok(());
        }
        self.sys.sync_data(file).during("syncing a session's file")?;
        match settled {
            Settled::Yes => Ok(()),
            Settled::No => self.settle_name(id, file),
        }
    }

    fn settle_name(&self, id: &SessionId, file: BorrowedFd<'_>) -> Result<()> {
        if self.durability == Durability::Buffered {
            return Ok(());
        }
        self.sync_shard(Tree::Records, Shard::of(id))?;
        // Later writers need not sync the folder again. They do if this mark is lost, so it is not
        // waited for, and what was put is on the disk without it.
        if let Err(error) = self.write(file, &Piece { at: SETTLED_AT, bytes: SETTLED.to_vec() }) {
            tracing::debug!(%error, "a file was left without the mark that its name is on the disk");
        }
        Ok(())
    }

    fn write(&self, file: BorrowedFd<'_>, piece: &Piece) -> Result<()> {
        let mut done = 0;
        while done < piece.bytes.len() {
            done += self
                .sys
                .write(file, &piece.bytes[done..], piece.at + done as u64)
                .during("writing a session's file")?;
        }
        Ok(())
    }
}

/// Whether the name of a file is on the disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Settled {
    Yes,
    No,
}

impl Settled {
    fn of(view: &View<'_>) -> Self {
        if view.settled { Self::Yes } else { Self::No }
    }
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "fs", "the record is larger than a file may hold")
}
