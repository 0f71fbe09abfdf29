//! Asking for the version of a session, again and again.

use std::os::fd::AsFd;

use session_core::{Probe, Record, SessionId};

use super::{
    Store,
    read::{Buffer, record},
    seen::Known,
};
use crate::{
    error::{During, Try, TryError},
    names::Name,
    slots::Parsed,
    syscalls::{Errno, Open, Syscalls, WaitMode},
};

impl<C: Syscalls> Store<C> {
    /// Version and deadline of the live record of `id`.
    ///
    /// The first look reads the file. If the second finds the same there, it does so under the
    /// lock, where nobody is half-way through a change, and notes by what date the file was changed
    /// last. From the third on, a look at the name tells whether that date is still the same,
    /// provided that it lay far enough back for every later change to get another one.
    pub(crate) fn probe(&self, id: &SessionId, wait: WaitMode) -> Try<Option<Probe>> {
        let now = self.clock.now();
        let found = match self.seen.known(id, now) {
            Known::Settled(expected) => {
                let name = Name::record(id);
                match self.sys.stat_name(self.records.as_fd(), name.as_str()) {
                    Ok(stat) if expected.is(&stat) => {
                        self.seen.again(id, now);
                        Some(expected.probe)
                    }
                    Ok(_) | Err(Errno::NOENT) => self.look(id, wait)?,
                    Err(errno) => return Err(errno).during("looking at a session's file")?,
                }
            }
            Known::Read(before) => match self.settle_look(id, before, wait)? {
                Some(probe) => Some(probe),
                None => self.look(id, wait)?,
            },
            Known::Nothing => self.look(id, wait)?,
        };
        Ok(found.filter(|probe| now < probe.expires_at))
    }

    /// Reads the file.
    fn look(&self, id: &SessionId, wait: WaitMode) -> Try<Option<Probe>> {
        let probe = self.get(id, wait)?.as_ref().map(probe_of);
        match probe {
            Some(probe) if self.tells_changes => self.seen.read(id, probe, self.clock.now()),
            Some(_) => {}
            None => self.seen.forget(id),
        }
        Ok(probe)
    }

    /// Reads the file under its lock, if that is free, and notes its state. `None` if another look
    /// is needed.
    fn settle_look(&self, id: &SessionId, before: Probe, wait: WaitMode) -> Try<Option<Probe>> {
        let locked = match self.lock(id, Open::Read, WaitMode::Inline) {
            Ok(Some(locked)) => locked,
            Ok(None) | Err(TryError::WouldBlock) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut buffer = Buffer::new();
        let Parsed::Whole(view) = self.read(locked.file.as_fd(), &mut buffer, wait)? else {
            return Ok(None);
        };
        let Ok(record) = record(id, &view) else { return Ok(None) };
        let probe = probe_of(&record);
        let now = self.clock.now();
        if probe == before && locked.dated {
            self.seen.settled(id, probe, &locked.stat, now);
        } else {
            self.seen.read(id, probe, now);
        }
        Ok(Some(probe))
    }
}

fn probe_of(record: &Record) -> Probe {
    Probe { version: record.version(), expires_at: record.expires_at() }
}
