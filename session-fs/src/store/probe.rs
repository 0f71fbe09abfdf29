//! Asking for the version of a session, again and again.

use session_core::{Probe, SessionId};

use super::Store;
use crate::{
    error::{During, Try},
    names::Name,
    syscalls::{Errno, Syscalls, WaitMode},
};

impl<C: Syscalls> Store<C> {
    /// Version and deadline of the live record of `id`: by reading its file, and from then on by a
    /// look at its name, which shows every later change.
    pub(crate) fn probe(&self, id: &SessionId, wait: WaitMode) -> Try<Option<Probe>> {
        if let Some(known) = self.seen.get(id) {
            match self.folder.stat_name(&Name::record(id)) {
                Ok(stat) if known.is(&stat) => {
                    let live = self.clock.now() < known.probe.expires_at;
                    return Ok(live.then_some(known.probe));
                }
                Ok(_) | Err(Errno::NOENT) => self.seen.remove(id),
                Err(errno) => return Err(errno).during("looking at a session's file")?,
            }
        }
        let found = self.find(id, wait, |file| {
            self.folder.tells_changes().then(|| self.folder.stat(file)).transpose()
        })?;
        Ok(found.map(|(record, stat)| {
            let probe = Probe { version: record.version(), expires_at: record.expires_at() };
            if let Some(stat) = stat {
                self.seen.insert(id, probe, &stat);
            }
            probe
        }))
    }
}
