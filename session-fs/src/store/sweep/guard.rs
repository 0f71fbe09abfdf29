//! Whether the clock can be believed when it says that sessions are expired.
//!
//! Expired sessions are absent for every reader at once, so nothing depends on when they are
//! removed. After a step of the clock that nothing explains, removing waits for an hour: time to
//! set the clock right before sessions are gone for good.
//!
//! What is known is kept in the folder, in the file `swept`, for processes that live shorter than a
//! doubt: when a sweep last believed the clock and since when it is doubted, in milliseconds, zero
//! if it is not.

use std::{
    os::fd::AsFd,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use session_core::Timestamp;

use super::super::Store;
use crate::{
    names::SWEPT,
    syscalls::{Errno, Open, Syscalls, WaitMode},
};

/// A sweep that comes later than this after the one before it doubts the clock.
const STEP: Duration = Duration::from_secs(24 * 3600);
/// For how long it does.
const DOUBT: Duration = Duration::from_secs(3600);
/// Often enough for what is compared with a day.
const NOTED_EVERY: Duration = Duration::from_secs(60);

/// What this process knows, should the file not tell.
#[derive(Debug, Default)]
pub(crate) struct Guard(Mutex<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    known: Option<Noted>,
    /// What is in the file is older, because writing it failed.
    unsaved: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Noted {
    /// When a sweep last believed the clock.
    last: Timestamp,
    doubted_since: Option<Timestamp>,
}

impl Guard {
    /// Whether a step of a sweep may remove what is expired at `now`.
    pub(super) fn may_remove<C: Syscalls>(&self, now: Timestamp, store: &Store<C>) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let in_file = if state.unsaved { None } else { store.noted() };
        let before = in_file.or(state.known);
        let after = before.map_or(Noted::believing(now), |before| before.at(now));
        let newly = before.is_some_and(|before| before.doubted_since != after.doubted_since);
        if let Some(before) = before.filter(|_| newly && after.doubted_since.is_some()) {
            tracing::warn!(
                days = now.saturating_since(before.last).as_secs() / 86_400,
                "the clock is far ahead of the last sweep: nothing is removed for an hour; \
                 if the clock is or was wrong, set it right and restart the program within that hour"
            );
        }
        let since = |before: Noted| {
            after.last.saturating_since(before.last).max(before.last.saturating_since(after.last))
        };
        if newly || before.is_none_or(|before| since(before) >= NOTED_EVERY) {
            let written = store.note(after);
            state.unsaved = written.is_err();
            if let Err(errno) = written {
                tracing::debug!(%errno, "the time of the sweep was not noted");
            }
        }
        state.known = Some(after);
        after.doubted_since.is_none()
    }
}

impl Noted {
    const BYTES: usize = 42;

    fn believing(now: Timestamp) -> Self {
        Self { last: now, doubted_since: None }
    }

    /// What is to be noted by one who looks at `now`.
    fn at(self, now: Timestamp) -> Self {
        if now.saturating_since(self.last) <= STEP {
            return Self::believing(now);
        }
        match self.doubted_since {
            Some(since) if now.saturating_since(since) >= DOUBT => Self::believing(now),
            Some(since) if since <= now => self,
            _ => Self { doubted_since: Some(now), ..self },
        }
    }

    /// Of one length, so that a half-written text is none.
    fn to_text(self) -> String {
        let since = self.doubted_since.map_or(0, Timestamp::as_millis);
        format!("{:020} {since:020}\n", self.last.as_millis())
    }

    fn from_text(text: &[u8; Self::BYTES]) -> Option<Self> {
        let (last, since) = std::str::from_utf8(text).ok()?.trim_end().split_once(' ')?;
        let since = since.parse().ok()?;
        Some(Self {
            last: Timestamp::from_millis(last.parse().ok()?),
            doubted_since: (since != 0).then(|| Timestamp::from_millis(since)),
        })
    }
}

impl<C: Syscalls> Store<C> {
    /// Whether some process swept that short a time ago, by what it left in the folder.
    pub(crate) fn swept_within(&self, time: Duration) -> bool {
        let now = self.clock.now();
        self.noted().is_some_and(|Noted { last, doubted_since }| {
            doubted_since.is_none() && last <= now && now.saturating_since(last) < time
        })
    }

    /// The right to sweep in the background, which one process has at a time; for as long as what
    /// is returned is kept.
    pub(crate) fn lead_sweep(&self) -> Option<std::os::fd::OwnedFd> {
        let file = self.folder.create(SWEPT, Open::Create).ok()?;
        self.folder.lock(file.as_fd()).ok()?;
        Some(file)
    }

    fn noted(&self) -> Option<Noted> {
        let file = self.folder.open(SWEPT, Open::Read, WaitMode::Blocking).ok()?;
        let mut text = [0; Noted::BYTES];
        self.folder.read(file.as_fd(), &mut text, WaitMode::Blocking).ok()?;
        Noted::from_text(&text)
    }

    fn note(&self, noted: Noted) -> Result<(), Errno> {
        let file = self.folder.create(SWEPT, Open::Create)?;
        self.folder.write(file.as_fd(), noted.to_text().as_bytes(), 0)
    }
}
