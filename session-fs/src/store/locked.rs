//! One session's file, opened and locked for a change.

use std::{
    os::fd::{AsFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use session_core::{Record, Result, SessionId, Timestamp, Version};

use super::{
    Store,
    read::{Buffer, read, record},
};
use crate::{
    Durability,
    dates::date,
    error::{Cause, During, Try, TryError, contended, foreign, future},
    folder::{Folder, Place},
    names::{Name, Shard, Tree},
    slots::{self, Geometry, MARK_AT, Parsed, Piece, View},
    stripes::Held,
    syscalls::{Errno, Open, Stat, Syscalls, WaitMode},
};

/// A file whose only writer is the owner of this, until it is dropped.
pub(super) struct LockedFile<'a, C> {
    folder: &'a Folder<C>,
    name: Name,
    shard: Shard,
    file: OwnedFd,
    stat: Stat,
    _held: Held<'a>,
}

/// A hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl<C: Syscalls> Store<C> {
    /// Locks the file of `id`, or tells that there is none. With [`Open::Create`] there is always
    /// one, perhaps blank.
    pub(super) fn lock(
        &self,
        id: &SessionId,
        how: Open,
        wait: WaitMode,
    ) -> Try<Option<LockedFile<'_, C>>> {
        let now = Instant::now();
        // A time-out beyond what the clock can tell is a very long one.
        let deadline = now.checked_add(self.lock_timeout).unwrap_or(now + LONGEST);
        self.lock_until(id, how, wait, deadline)
    }

    /// The same, with a deadline of the caller's own.
    pub(super) fn lock_until(
        &self,
        id: &SessionId,
        how: Open,
        wait: WaitMode,
        deadline: Instant,
    ) -> Try<Option<LockedFile<'_, C>>> {
        let held = match wait {
            WaitMode::Inline => self.stripes.try_lock(id).ok_or(TryError::WouldBlock)?,
            WaitMode::Blocking => self.stripes.lock(id, deadline).ok_or_else(contended)?,
        };
        let (folder, name, shard) = (&self.folder, Name::record(id), Shard::of(id));
        loop {
            let opened_at = folder.now();
            let opened = match how {
                Open::Create => folder.create_in((Tree::Records, shard), &name),
                how => folder.open(name.as_str(), how, wait).during("opening a session's file"),
            };
            let file = match opened {
                Ok(file) => file,
                Err(Cause { errno: Errno::NOENT, .. }) => {
                    folder.absent()?;
                    return Ok(None);
                }
                Err(cause) => return Err(folder.not_opened(&name, cause)),
            };
            wait_for(folder, &file, deadline, wait)?;
            let stat = folder.stat(file.as_fd()).during("looking at a session's file")?;
            if !stat.regular {
                return Err(foreign().into());
            }
            // Whoever held the lock before may have removed the file, or put a larger one in its
            // place. The count of its links does not tell: a backup may hold another. That it was
            // not changed since its name led to it does, and spares looking at the name.
            let unchanged = opened_at.is_some_and(|opened| stat.is_older_than(opened));
            if (stat.links == 1 && unchanged) || folder.leads_to(&name, &stat)? {
                return Ok(Some(LockedFile { folder, name, shard, file, stat, _held: held }));
            }
            if Instant::now() >= deadline {
                return Err(contended().into());
            }
        }
    }
}

fn wait_for<C: Syscalls>(
    folder: &Folder<C>,
    file: &OwnedFd,
    deadline: Instant,
    wait: WaitMode,
) -> Try<()> {
    let mut pause = Duration::from_micros(20);
    loop {
        match folder.lock(file.as_fd()) {
            Ok(()) => return Ok(()),
            Err(Errno::AGAIN) if wait == WaitMode::Inline => return Err(TryError::WouldBlock),
            #[expect(
                clippy::disallowed_methods,
                reason = "an advisory lock cannot be waited for with a deadline: it is tried again"
            )]
            Err(Errno::AGAIN) if Instant::now() < deadline => thread::sleep(pause),
            Err(Errno::AGAIN) => return Err(contended().into()),
            Err(errno) => return Err(errno).during("locking a session's file")?,
        }
        pause = (pause * 2).min(Duration::from_millis(2));
    }
}

impl<C: Syscalls> LockedFile<'_, C> {
    pub(super) fn read<'b>(&self, buffer: &'b mut Buffer, wait: WaitMode) -> Try<Parsed<'b>> {
        read(self.folder, self.file.as_fd(), buffer, wait)
    }

    /// What is in it: a record, live or expired, or nothing yet.
    pub(super) fn held<'b>(
        &self,
        id: &SessionId,
        buffer: &'b mut Buffer,
        wait: WaitMode,
    ) -> Try<Option<(Record, View<'b>)>> {
        match self.read(buffer, wait)? {
            Parsed::Blank => Ok(None),
            Parsed::Foreign => Err(foreign().into()),
            Parsed::Future => Err(future().into()),
            Parsed::Damaged | Parsed::Larger(_) => Err(TryError::Damaged),
            Parsed::Whole(view) => Ok(Some((record(id, &view)?, view))),
        }
    }

    /// Whether its name still leads to it.
    pub(super) fn is_named(&self) -> Result<bool> {
        Ok(self.folder.leads_to(&self.name, &self.stat)?)
    }

    /// Whether a change of the current record `view` may be written beside it. Otherwise a new file
    /// takes the place of this one: if a backup holds another name of it, for the copy must not
    /// change, and if the record is not known to be on the disk. Then the older one beside it is
    /// all that would be left after a loss of power; and after a sync that failed the system may
    /// take for written what is not, so that no later sync of this file proves anything.
    pub(super) fn is_writable(&self, view: &View<'_>) -> bool {
        self.stat.links == 1 && self.folder.answers(view)
    }

    /// Writes the first record of a blank file.
    pub(super) fn create(&self, new: &Record) -> Result<()> {
        // Its name is on the disk before there is anything to it.
        self.folder.sync_names(Place::Shard(Tree::Records, self.shard))?;
        self.write(&self.file, &first(new))?;
        self.folder.sync_data(self.file.as_fd())?;
        self.mark(&self.file, slots::FIRST);
        self.date(&self.file, new.expires_at(), new.version());
        Ok(())
    }

    /// Writes `new` beside the current record, which must be [writable](Self::is_writable).
    pub(super) fn put(&self, view: &View<'_>, new: &Record) -> Result<()> {
        let (piece, sequence) = view.put(&[&new.header_bytes(), new.sealed()]);
        self.write(&self.file, &piece)?;
        if let Err(cause) = self.folder.sync_data(self.file.as_fd()) {
            // For those who look before the system does: nothing was stored, and nothing in this
            // file proves anything from now on. What of it reaches the disk does not matter.
            let nothing = [0; slots::SLOT_HEAD];
            let _ = self.folder.write(self.file.as_fd(), &nothing, piece.at);
            let _ = self.folder.write(self.file.as_fd(), &nothing[..8], MARK_AT);
            return Err(cause.into());
        }
        self.mark(&self.file, sequence);
        self.date(&self.file, new.expires_at(), new.version());
        Ok(())
    }

    /// Moves the end of the current record, which has this version.
    pub(super) fn touch(&self, view: &View<'_>, to: Timestamp, version: Version) -> Result<()> {
        self.write(&self.file, &view.touch(to.as_millis()))?;
        self.date(&self.file, to, version);
        Ok(())
    }

    /// Puts a new file with `new` in the place of this one, and returns it, locked until it is
    /// dropped: the lock of the old one keeps nobody out once its name leads to the new one.
    pub(super) fn exchange(&self, new: &Record, wait: WaitMode) -> Try<OwnedFd> {
        if wait == WaitMode::Inline {
            return Err(TryError::WouldBlock);
        }
        let (folder, made) = (self.folder, Name::new_record(new.id()));
        let file = match folder.create(made.as_str(), Open::CreateNew) {
            // Of a process that died at it: nobody else is here, for the lock is ours.
            Err(Errno::EXIST) => {
                folder.unlink(&made).during("removing an unfinished file")?;
                folder.create(made.as_str(), Open::CreateNew)
            }
            file => file,
        }
        .during("making a larger file")?;
        let written = self.fill(new, &file).and_then(|()| {
            Ok(folder.rename(&made, &self.name).during("putting a larger file in place")?)
        });
        if let Err(error) = written {
            if folder.unlink(&made).is_err() {
                tracing::debug!("an unfinished file was left for the sweep");
            }
            return Err(error.into());
        }
        folder.sync_names(Place::Shard(Tree::Records, self.shard))?;
        self.mark(&file, slots::FIRST);
        self.date(&file, new.expires_at(), new.version());
        Ok(file)
    }

    fn fill(&self, new: &Record, file: &OwnedFd) -> Result<()> {
        self.folder.lock(file.as_fd()).during("locking a new file")?;
        self.write(file, &first(new))?;
        Ok(self.folder.sync_data(file.as_fd())?)
    }

    /// Notes that the record with this sequence is on the disk, which it is without the note.
    fn mark(&self, file: &OwnedFd, sequence: u64) {
        if self.folder.durability() == Durability::Synced {
            let mark = self.folder.write(file.as_fd(), &sequence.to_le_bytes(), MARK_AT);
            if let Err(errno) = mark {
                tracing::debug!(%errno, "a file was left without the mark that it is on the disk");
            }
        }
    }

    /// After the last write, each of which dates the file anew. A file without its date is read
    /// where others are looked at.
    fn date(&self, file: &OwnedFd, end: Timestamp, version: Version) {
        let dated = self.folder.set_modified(file.as_fd(), date(end, version));
        if let Err(errno) = dated {
            tracing::debug!(%errno, "a file was left without its date");
        }
    }

    /// Gives the file the date of its record, if a writer died before it did.
    pub(super) fn date_again(&self, record: &Record) {
        if self.stat.modified != date(record.expires_at(), record.version()) {
            self.date(&self.file, record.expires_at(), record.version());
        }
    }

    fn write(&self, file: &OwnedFd, piece: &Piece) -> Result<()> {
        let written = self.folder.write(file.as_fd(), &piece.bytes, piece.at);
        Ok(written.during("writing a session's file")?)
    }
}

/// The bytes of a new file.
fn first(new: &Record) -> Piece {
    slots::create(Geometry::for_record(new.encoded_len()), &[&new.header_bytes(), new.sealed()])
}
