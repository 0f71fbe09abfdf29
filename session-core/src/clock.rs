//! The one place where the wall clock is read.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// All arithmetic saturates: no duration a user can configure makes it wrap or panic
/// (RUSTSEC-2017-0005 is about a cookie library that did).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(u64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// The end of time; never reached.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This instant moved later by `by`, at most to [`Timestamp::MAX`]. Parts of a millisecond are
    /// dropped.
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis(by)))
    }

    /// This instant moved earlier by `by`, at most to the epoch.
    #[must_use]
    pub fn saturating_sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis(by)))
    }

    /// The time from `earlier` until this instant; zero if `earlier` is later.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl From<SystemTime> for Timestamp {
    /// Times before the epoch become the epoch.
    fn from(time: SystemTime) -> Self {
        time.duration_since(UNIX_EPOCH).map_or(Self::EPOCH, |since| Self(millis(since)))
    }
}

const fn millis(duration: Duration) -> u64 {
    // In 64 bits: the time is read several times a request.
    duration.as_secs().saturating_mul(1_000).saturating_add(duration.subsec_millis() as u64)
}

/// Tells the time to everything that has a deadline.
///
/// Share one clock among the interface and all managers of a process: a session is expired when
/// `now >= deadline`, everywhere.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current time. Never earlier than what an earlier call on the same clock returned.
    fn now(&self) -> Timestamp;
}

/// The machine's clock, made monotonic within the process.
///
/// It follows the wall clock when that is ahead (a clock corrected forward, a machine resumed from
/// suspension) and goes on at the pace of the monotonic clock when the wall clock is set back: a
/// step back extends no session. The price is that a wrong step forward, once seen, stays until the
/// process restarts.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    /// Milliseconds to add to the time since `started`; only ever grows.
    offset: AtomicU64,
    /// The millisecond since `started` in which the wall clock was looked at last.
    looked: AtomicU64,
}

impl SystemClock {
    /// A clock that starts from the wall clock.
    pub fn new() -> Self {
        let offset = AtomicU64::new(wall().as_millis());
        Self { started: Instant::now(), offset, looked: AtomicU64::new(u64::MAX) }
    }

    fn read(&self, elapsed: impl Fn() -> u64, wall: impl Fn() -> u64) -> Timestamp {
        let mut since = elapsed();
        let mut offset = self.offset.load(Ordering::Relaxed);
        // Once in a millisecond is as often as it can show another one; a busy server reads the
        // time many times in each.
        if self.looked.load(Ordering::Relaxed) != since {
            // The wall clock first: a thread may have to wait between the two, and a clock that
            // took that for a step forward would be fast by it for good.
            let wall = wall();
            since = elapsed();
            let needed = wall.saturating_sub(since);
            if needed > offset {
                offset = self.offset.fetch_max(needed, Ordering::Relaxed).max(needed);
            }
            self.looked.store(since, Ordering::Relaxed);
        }
        Timestamp(offset.saturating_add(since))
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        self.read(|| millis(self.started.elapsed()), || wall().as_millis())
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
fn wall() -> Timestamp {
    SystemTime::now().into()
}

/// A clock that moves only when told to, for tests.
///
/// # Examples
///
/// ```
/// use session_core::{Clock, ManualClock, Timestamp};
/// use std::time::Duration;
///
/// let clock = ManualClock::at(Timestamp::from_millis(1_000));
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(clock.now(), Timestamp::from_millis(3_000));
/// ```
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(AtomicU64::new(start.as_millis()))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().saturating_add(by));
    }

    /// Sets the clock, also back: as a restart on a machine whose clock was corrected would see it.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    /// A clock at a fixed, recent moment: 2025-01-01T00:00:00Z.
    fn default() -> Self {
        Self::at(Timestamp::from_millis(1_735_689_600_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_wait_between_two_readings_makes_the_clock_no_faster() {
        for waits_after in 1..=3 {
            let clock = SystemClock::new();
            clock.offset.store(5_000, Ordering::Relaxed);
            let (time, readings) = (Cell::new(0), Cell::new(0));
            let tell = |origin: u64| {
                let told = origin + time.get();
                readings.set(readings.get() + 1);
                if readings.get() == waits_after {
                    time.set(time.get() + 1_000);
                }
                told
            };
            for _ in 0..2 {
                let now = clock.read(|| tell(0), || tell(5_000));
                assert!(now.as_millis() <= 5_000 + time.get(), "waits after {waits_after}");
            }
            time.set(time.get() + 7);
            let now = clock.read(|| tell(0), || tell(5_000));
            assert_eq!(now.as_millis(), 5_000 + time.get());
        }
    }

    #[test]
    fn the_clock_follows_the_wall_clock_forward_and_not_back() {
        let clock = SystemClock::new();
        clock.offset.store(5_000, Ordering::Relaxed);
        let read = |elapsed, wall| clock.read(|| elapsed, || wall).as_millis();
        assert_eq!(read(1, 5_001), 5_001);
        assert_eq!(read(2, 9_002), 9_002);
        assert_eq!(read(3, 1_000), 9_003);
        assert_eq!(read(4, 9_004), 9_004);
    }
}
