//! One session's file, opened and locked for a change.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use session_core::SessionId;

use super::{Store, Tree};
use crate::{
    config::Sharing,
    error::{During, Try, TryError, contended, foreign, removed},
    names::{Name, Shard},
    stripes::Held,
    syscalls::{Errno, Open, Stat, Syscalls, WaitMode},
};

/// The only writer of one session, until it is dropped.
pub(super) struct Locked<'a> {
    pub(super) file: OwnedFd,
    pub(super) stat: Stat,
    /// Whether every change from now on gets a later date than the file has.
    pub(super) dated: bool,
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
    ) -> Try<Option<Locked<'_>>> {
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
    ) -> Try<Option<Locked<'_>>> {
        let held = match wait {
            WaitMode::Inline => self.stripes.try_lock(id).ok_or(TryError::WouldBlock)?,
            WaitMode::Blocking => self.stripes.lock(id, deadline).ok_or_else(contended)?,
        };
        if how != Open::Read {
            self.seen.forget(id);
        }
        let name = Name::record(id);
        loop {
            let opened_at = self.sys.now();
            let Some(file) = self.open_record(id, &name, how, wait)? else { return Ok(None) };
            self.wait_for(file.as_fd(), deadline, wait)?;
            let stat = self.sys.stat(file.as_fd()).during("looking at a session's file")?;
            if !stat.regular {
                return Err(foreign().into());
            }
            // Whoever held the lock before may have removed the file, or put a larger one in its
            // place. The count of its links does not tell: a backup may hold another. That it was
            // not changed since its name led to it does, and spares looking at the name.
            let dated = opened_at.is_some_and(|opened| stat.is_older_than(opened));
            if stat.links == 1 && dated {
                return Ok(Some(Locked { file, stat, dated, _held: held }));
            }
            match self.sys.stat_name(self.records.as_fd(), name.as_str()) {
                Ok(named) if named.inode == stat.inode => {
                    return Ok(Some(Locked { file, stat, dated, _held: held }));
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno).during("looking at a session's file")?,
            }
            if Instant::now() >= deadline {
                return Err(contended().into());
            }
        }
    }

    fn open_record(
        &self,
        id: &SessionId,
        name: &Name,
        how: Open,
        wait: WaitMode,
    ) -> Try<Option<OwnedFd>> {
        // Twice, should someone remove an empty folder between the two.
        for _ in 0..3 {
            match self.sys.open(self.records.as_fd(), name.as_str(), how, wait) {
                Ok(file) => return Ok(Some(file)),
                Err(Errno::NOENT) if how == Open::Create => {
                    self.make_shard(Tree::Records, Shard::of(id))?;
                }
                Err(Errno::NOENT) => {
                    self.absent()?;
                    return Ok(None);
                }
                Err(errno) => return Err(not_opened(errno)),
            }
        }
        Err(removed().into())
    }

    fn wait_for(&self, file: BorrowedFd<'_>, deadline: Instant, wait: WaitMode) -> Try<()> {
        if self.sharing == Sharing::Alone {
            return Ok(());
        }
        let mut pause = Duration::from_micros(20);
        loop {
            match self.sys.lock(file) {
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
}

/// What it means that a name is there and was not opened.
pub(super) fn not_opened(errno: Errno) -> TryError {
    match errno {
        // A symbolic link, a folder, a socket, a device without a driver.
        Errno::LOOP | Errno::ISDIR | Errno::NXIO | Errno::NODEV | Errno::NOTDIR => foreign().into(),
        errno => match Err::<(), _>(errno).during("opening a session's file") {
            Err(cause) => cause.into(),
            Ok(()) => TryError::WouldBlock,
        },
    }
}
