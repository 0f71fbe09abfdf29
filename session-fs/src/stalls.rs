//! Whether the file system lets writers into its cache wait.
//!
//! A write of some hundred bytes into the page cache takes microseconds, so it is made where a verb
//! is polled. While a file system is frozen, its journal full or its disk stuck it takes as long as
//! that lasts, and no call tells beforehand. So each such write says when it began, and as long as
//! one of them is late, and for a while after, all others are made where they may wait: a freeze
//! holds up those threads that began to write in its first millisecond.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use crate::{
    error::{Try, TryError},
    syscalls::WaitMode,
};

/// A write that takes longer, in microseconds, waits for something.
const LATE: u64 = 1_000;
/// For how long after that no write is made where a verb is polled.
const CAUTION: u64 = 10_000_000;
/// As many writes as may be under way at once where verbs are polled.
const MOST: usize = 32;

pub(crate) struct Stalls {
    /// When each of the writes under way began, in microseconds since `epoch`; zero for none.
    begun: [AtomicU64; MOST],
    cautious_until: AtomicU64,
    epoch: Instant,
}

/// A write that is under way until this is dropped.
pub(crate) struct Writing<'a> {
    stalls: &'a Stalls,
    place: &'a AtomicU64,
}

impl Stalls {
    pub(crate) fn new() -> Self {
        Self {
            begun: std::array::from_fn(|_| AtomicU64::new(0)),
            cautious_until: AtomicU64::new(0),
            epoch: Instant::now(),
        }
    }

    /// Begins a write. One that may not wait is refused while others do.
    pub(crate) fn begin(&self, wait: WaitMode) -> Try<Option<Writing<'_>>> {
        if wait == WaitMode::Blocking {
            return Ok(None);
        }
        let now = self.now();
        let is_late = |place: &AtomicU64| {
            let begun = place.load(Ordering::Relaxed);
            begun != 0 && now.saturating_sub(begun) > LATE
        };
        if self.begun.iter().any(is_late) {
            self.be_cautious(now);
        }
        if now < self.cautious_until.load(Ordering::Relaxed) {
            return Err(TryError::WouldBlock);
        }
        let free = |place: &&AtomicU64| {
            place.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        let place = self.begun.iter().find(free).ok_or(TryError::WouldBlock)?;
        Ok(Some(Writing { stalls: self, place }))
    }

    fn be_cautious(&self, now: u64) {
        self.cautious_until.fetch_max(now + CAUTION, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX - CAUTION).max(1)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let now = self.stalls.now();
        if now.saturating_sub(self.place.swap(0, Ordering::Relaxed)) > LATE {
            self.stalls.be_cautious(now);
        }
    }
}

impl fmt::Debug for Stalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stalls(..)")
    }
}
