//! Whether the clock can be believed when it says that sessions are expired.
//!
//! Expired sessions are absent for every reader at once, so nothing depends on when they are
//! removed. After a step of the clock that nothing explains, removing waits for an hour: time to
//! set the clock right before sessions are gone for good.

use std::{
    os::fd::{AsFd, BorrowedFd},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use session_core::Timestamp;

use super::super::Store;
use crate::{
    calls::{Calls, Open, Patience},
    names::SWEPT,
};

/// A sweep that comes later than this after the one before it doubts the clock.
const STEP: Duration = Duration::from_secs(24 * 3600);
/// For how long it does.
const DOUBT: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(crate) struct Guard(Mutex<State>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// When a sweep last believed the clock.
    last: Option<Timestamp>,
    doubted_until: Option<Timestamp>,
}

impl Guard {
    /// What the last sweep, perhaps of another process, left in the folder.
    pub(in crate::store) fn read<C: Calls>(calls: &C, file: BorrowedFd<'_>) -> Self {
        Self(Mutex::new(State { last: last(calls, file), doubted_until: None }))
    }

    /// Whether a step of a sweep may remove what is expired at `now`.
    pub(super) fn may_remove<C: Calls>(&self, now: Timestamp, store: &Store<C>) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let step = state.last.map_or(Duration::ZERO, |last| now.saturating_since(last));
        match state.doubted_until {
            Some(until) if step > STEP && now < until => return false,
            Some(_) => state.doubted_until = None,
            None if step > STEP => {
                state.doubted_until = Some(now.saturating_add(DOUBT));
                tracing::warn!(
                    days = step.as_secs() / 86_400,
                    "the clock is far ahead of the last sweep: nothing is removed for an hour; check the clock"
                );
                return false;
            }
            None => {}
        }
        // Once a minute is often enough for what is compared with a day.
        if step >= Duration::from_secs(60) || state.last.is_none() {
            store.remember_sweep(now);
        }
        state.last = Some(now);
        true
    }
}

impl<C: Calls> Store<C> {
    /// Whether some process swept that short a time ago, by what it left in the folder.
    pub(crate) fn swept_within(&self, time: Duration) -> bool {
        let root = self.root.as_fd();
        let file = self.calls.open(root, SWEPT, Open::Read, Patience::Blocking).ok();
        let now = self.clock.now();
        file.and_then(|file| last(&self.calls, file.as_fd()))
            .is_some_and(|last| last <= now && now.saturating_since(last) < time)
    }

    /// The right to sweep in the background, which one process has at a time; for as long as what
    /// is returned is kept.
    pub(crate) fn lead_sweep(&self) -> Option<std::os::fd::OwnedFd> {
        let root = self.root.as_fd();
        let file = self.calls.open(root, SWEPT, Open::Create, Patience::Blocking).ok()?;
        if self.sharing == crate::config::Sharing::Processes {
            self.calls.lock(file.as_fd()).ok()?;
        }
        Some(file)
    }

    fn remember_sweep(&self, now: Timestamp) {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&now.as_millis().to_le_bytes());
        let sum = crc32fast::hash(&bytes[..8]);
        bytes[8..].copy_from_slice(&sum.to_le_bytes());
        let written = self
            .calls
            .open(self.root.as_fd(), SWEPT, Open::Create, Patience::Blocking)
            .and_then(|file| self.calls.write(file.as_fd(), &bytes, 0));
        if let Err(errno) = written {
            tracing::debug!(%errno, "the time of the sweep was not noted");
        }
    }
}

fn last<C: Calls>(calls: &C, file: BorrowedFd<'_>) -> Option<Timestamp> {
    let mut bytes = [0; 12];
    let len = calls.read(file, &mut bytes, 0, Patience::Blocking).ok()?;
    let (time, sum) = bytes.split_at(8);
    (len == bytes.len() && crc32fast::hash(time).to_le_bytes() == sum)
        .then(|| Timestamp::from_millis(u64::from_le_bytes(time.try_into().unwrap_or_default())))
}
