//! The one place where the wall clock is read.

use std::{
    fmt,
    sync::{
        LazyLock, Mutex, TryLockError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use crate::version::{signed, unsigned};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// All arithmetic saturates: no duration a user can configure makes it wrap or panic
/// (RUSTSEC-2017-0005 is about a cookie library that did).
///
/// Serialised as that number, which is what `new Date(number)` of JavaScript takes. As a date of a
/// library for dates: by way of [`SystemTime`].
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
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

    /// Milliseconds since the epoch for a store whose numbers are signed; order is kept. Times
    /// beyond [`i64::MAX`], in the year 292,278,994, become `i64::MAX`.
    pub const fn to_i64(self) -> i64 {
        signed(self.0)
    }

    /// The instant that [`to_i64`](Self::to_i64) made `millis` of; [`Timestamp::MAX`] for
    /// `i64::MAX`.
    pub const fn from_i64(millis: i64) -> Self {
        Self(unsigned(millis))
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

impl From<Timestamp> for SystemTime {
    /// A time the system cannot say becomes the end of the year 9999.
    fn from(time: Timestamp) -> Self {
        const LAST: Duration = Duration::from_secs(253_402_300_799);
        UNIX_EPOCH.checked_add(Duration::from_millis(time.0)).unwrap_or(UNIX_EPOCH + LAST)
    }
}

const fn millis(duration: Duration) -> u64 {
    // In 64 bits: the time is read several times a request.
    duration.as_secs().saturating_mul(1_000).saturating_add(duration.subsec_millis() as u64)
}

/// Gives the time to everything that has a deadline.
///
/// Share one clock among the interface and all managers of a process: a session is expired when
/// `now >= deadline`, everywhere.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current time. Never earlier than what an earlier call on the same clock returned.
    fn now(&self) -> Timestamp;

    /// Whether the clock stands by what it shows. While it does not, a
    /// [sweep](crate::SweepSessions) removes nothing: what is deleted by a wrong time stays
    /// deleted when the time is right again.
    ///
    /// A clock that never doubts itself returns `true`, as this default does.
    fn is_settled(&self) -> bool {
        true
    }
}

/// The machine's clock, made monotonic within the process.
///
/// All clocks of this type in a process are the same clock: none sees a step that another does not.
///
/// # Steps of the wall clock
///
/// - Time during which the machine was suspended counts at once, where the system has a clock that
///   goes on meanwhile: Linux and Android (`CLOCK_BOOTTIME`), and those whose monotonic clock does,
///   such as Windows.
/// - A step forward by less than a second counts at once.
/// - Any other step forward counts when it has lasted for a minute. Until then the clock goes on as
///   before and is not [settled](Clock::is_settled): a wall clock that is wrong for a moment ends
///   no session. A step is seen only when the time is asked for, so the minute begins there.
/// - A step back is not followed, and extends no session: the clock goes on at the pace of the
///   monotonic clock.
///
/// So a wall clock that was too far ahead for longer than a minute, or when the process started,
/// keeps this clock ahead until the process restarts; it ends sessions early and revives none.
///
/// # Paused virtual machines and other systems
///
/// A virtual machine that was paused or restored from a snapshot sees no suspension: its wall clock
/// is corrected afterwards, by its host or over the network, and the correction is a step. For a
/// minute after it this process is behind those that were started later, and sessions live that
/// much longer. The same holds for a suspended machine on systems without a clock that goes on
/// meanwhile, such as macOS.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl SystemClock {
    /// The clock of this process.
    pub fn new() -> Self {
        Self
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        PROCESS.now(&Machine)
    }

    fn is_settled(&self) -> bool {
        PROCESS.is_settled(&Machine)
    }
}

static PROCESS: LazyLock<Reckoning> = LazyLock::new(|| Reckoning::new(&Machine));

/// Followed at once: clocks are read in milliseconds and some are slewed, so small differences come
/// and go.
const SMALL_STEP: u64 = 1_000;
/// How long a larger step has to last.
const LASTING: u64 = 60_000;

/// What a clock is made from, in milliseconds.
trait Sources {
    /// Since some moment; never decreases, whatever the wall clock does.
    fn elapsed(&self) -> u64;
    /// Since 1970.
    fn wall(&self) -> u64;
}

/// The time from two sources: the pace of the one, the date of the other.
#[derive(Debug)]
struct Reckoning {
    /// To be added to what has elapsed; only ever grows.
    offset: AtomicU64,
    /// What had elapsed when the wall clock was last looked at.
    looked: AtomicU64,
    settled: AtomicBool,
    step: Mutex<Option<Step>>,
}

/// A step forward of the wall clock that has not lasted long enough.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// What had elapsed when it was seen first.
    since: u64,
    /// The least offset seen since: that much of the step has lasted.
    least: u64,
}

impl Reckoning {
    fn new(sources: &impl Sources) -> Self {
        let wall = sources.wall();
        let elapsed = sources.elapsed();
        Self {
            offset: AtomicU64::new(wall.saturating_sub(elapsed)),
            looked: AtomicU64::new(elapsed),
            settled: AtomicBool::new(true),
            step: Mutex::new(None),
        }
    }

    fn now(&self, sources: &impl Sources) -> Timestamp {
        let mut elapsed = sources.elapsed();
        // Once in a millisecond is as often as it can show another one; a busy server reads the
        // time many times in each.
        if self.looked.load(Ordering::Relaxed) != elapsed {
            elapsed = self.look(sources).unwrap_or(elapsed);
        }
        Timestamp(self.offset.load(Ordering::Relaxed).saturating_add(elapsed))
    }

    fn is_settled(&self, sources: &impl Sources) -> bool {
        self.now(sources);
        self.settled.load(Ordering::Relaxed)
    }

    /// Follows the wall clock as far as it is believed, and returns what has elapsed. `None` if
    /// another thread is looking.
    fn look(&self, sources: &impl Sources) -> Option<u64> {
        let mut step = match self.step.try_lock() {
            Ok(step) => step,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        // The wall clock first: a thread may have to wait between the two, and a clock that took
        // that for a step forward would be fast by it for good.
        let wall = sources.wall();
        let elapsed = sources.elapsed();
        let seen = wall.saturating_sub(elapsed);
        let ahead = seen.saturating_sub(self.offset.load(Ordering::Relaxed));
        let before = *step;
        *step = if ahead < SMALL_STEP {
            self.offset.fetch_max(seen, Ordering::Relaxed);
            None
        } else {
            let Step { since, least } = before.unwrap_or(Step { since: elapsed, least: seen });
            let least = least.min(seen);
            if elapsed.saturating_sub(since) < LASTING {
                Some(Step { since, least })
            } else {
                self.offset.fetch_max(least, Ordering::Relaxed);
                // What is beyond it came later, and has its own minute to last.
                (seen - least >= SMALL_STEP).then_some(Step { since: elapsed, least: seen })
            }
        };
        self.settled.store(step.is_none(), Ordering::Relaxed);
        self.looked.store(elapsed, Ordering::Relaxed);
        let is_new = before.is_none() && step.is_some();
        drop(step);
        if is_new {
            tracing::warn!(
                seconds = ahead / 1_000,
                "the wall clock is suddenly ahead: sessions expire by it if it stays so for a \
                 minute, and no sweep removes any until then"
            );
        }
        Some(elapsed)
    }
}

/// The clocks of the machine.
struct Machine;

impl Sources for Machine {
    /// By a clock that goes on while the machine is suspended, where there is one.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    fn elapsed(&self) -> u64 {
        use nix::time::{ClockId, clock_gettime};

        // An old kernel or a sandbox may lack it; one that has it always answers.
        clock_gettime(ClockId::CLOCK_BOOTTIME)
            .map_or_else(|_| since_first_asked(), |time| millis(Duration::from(time)))
    }

    #[cfg(not(any(target_os = "android", target_os = "linux")))]
    fn elapsed(&self) -> u64 {
        since_first_asked()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the wall clock"
    )]
    fn wall(&self) -> u64 {
        Timestamp::from(SystemTime::now()).as_millis()
    }
}

fn since_first_asked() -> u64 {
    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    millis(FIRST.elapsed())
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
pub struct ManualClock {
    now: AtomicU64,
    settled: AtomicBool,
}

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: Timestamp) -> Self {
        Self { now: AtomicU64::new(start.as_millis()), settled: AtomicBool::new(true) }
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().saturating_add(by));
    }

    /// Sets the clock, also back: as a restart on a machine whose clock was corrected would see it.
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.as_millis(), Ordering::SeqCst);
    }

    /// Makes the clock doubt itself, or no longer: see [`Clock::is_settled`].
    pub fn set_settled(&self, settled: bool) {
        self.settled.store(settled, Ordering::SeqCst);
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
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    fn is_settled(&self) -> bool {
        self.settled.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const BOOT: u64 = 1_000_000;

    /// A machine whose clocks are set by hand; its wall clock is `BOOT` ahead of its other one.
    #[derive(Default)]
    struct Lab {
        elapsed: Cell<u64>,
        /// How far the wall clock is set ahead, or back.
        set: Cell<i64>,
        readings: Cell<u32>,
        /// The reading after which the thread has to wait for most of a second.
        waits_after: Cell<u32>,
    }

    impl Lab {
        fn read(&self, clock: u64) -> u64 {
            self.readings.set(self.readings.get() + 1);
            let read = clock + self.elapsed.get();
            if self.readings.get() == self.waits_after.get() {
                self.pass(900);
            }
            read
        }

        fn pass(&self, millis: u64) {
            self.elapsed.set(self.elapsed.get() + millis);
        }

        /// What a clock that was right from the start shows now.
        fn right(&self) -> u64 {
            BOOT + self.elapsed.get()
        }
    }

    impl Sources for Lab {
        fn elapsed(&self) -> u64 {
            self.read(0)
        }

        fn wall(&self) -> u64 {
            self.read(BOOT).checked_add_signed(self.set.get()).unwrap()
        }
    }

    #[test]
    fn a_wait_between_two_readings_makes_the_clock_no_faster() {
        for waits_after in 1..=5 {
            let lab = Lab::default();
            lab.waits_after.set(waits_after);
            let clock = Reckoning::new(&lab);
            for _ in 0..2 {
                lab.pass(1);
                assert!(clock.now(&lab).as_millis() <= lab.right(), "waits after {waits_after}");
            }
            lab.pass(7);
            assert_eq!(clock.now(&lab).as_millis(), lab.right(), "waits after {waits_after}");
        }
    }

    #[test]
    fn a_wall_clock_that_is_ahead_for_a_moment_is_not_believed() {
        let lab = Lab::default();
        let clock = Reckoning::new(&lab);
        lab.pass(5);
        lab.set.set(3 * 86_400_000);
        for _ in 0..59 {
            assert_eq!(clock.now(&lab).as_millis(), lab.right());
            assert!(!clock.is_settled(&lab));
            lab.pass(1_000);
        }
        lab.set.set(0);
        assert!(clock.is_settled(&lab));
        lab.pass(86_400_000);
        assert_eq!(clock.now(&lab).as_millis(), lab.right());
    }

    #[test]
    fn a_step_forward_that_lasted_a_minute_counts() {
        let lab = Lab::default();
        let clock = Reckoning::new(&lab);
        lab.pass(5);
        lab.set.set(5_000);
        assert_eq!(clock.now(&lab).as_millis(), lab.right());
        lab.pass(60_000);
        assert_eq!(clock.now(&lab).as_millis(), lab.right() + 5_000);
        assert!(clock.is_settled(&lab));
    }

    #[test]
    fn of_a_step_that_grew_and_shrank_the_part_that_lasted_counts() {
        let lab = Lab::default();
        let clock = Reckoning::new(&lab);
        for (set, pass) in [(9_000, 30_000), (5_000, 29_000), (86_400_000, 1_000)] {
            lab.set.set(set);
            lab.pass(1);
            assert_eq!(clock.now(&lab).as_millis(), lab.right());
            lab.pass(pass);
        }
        assert_eq!(clock.now(&lab).as_millis(), lab.right() + 5_000);
        assert!(!clock.is_settled(&lab), "the rest is in doubt");
        lab.pass(60_000);
        assert_eq!(clock.now(&lab).as_millis(), lab.right() + 86_400_000);
        assert!(clock.is_settled(&lab));
    }

    #[test]
    fn a_step_forward_of_less_than_a_second_counts_at_once() {
        let lab = Lab::default();
        let clock = Reckoning::new(&lab);
        lab.pass(5);
        lab.set.set(999);
        assert_eq!(clock.now(&lab).as_millis(), lab.right() + 999);
        assert!(clock.is_settled(&lab));
    }

    #[test]
    fn time_asleep_counts_at_once() {
        let lab = Lab::default();
        let clock = Reckoning::new(&lab);
        // A clock that goes on while the machine is suspended moves together with the wall clock.
        lab.pass(3_600_000);
        assert_eq!(clock.now(&lab).as_millis(), lab.right());
        assert!(clock.is_settled(&lab));
    }

    #[test]
    fn a_step_back_is_not_followed() {
        let lab = Lab::default();
        let clock = Reckoning::new(&lab);
        lab.set.set(-500_000);
        for _ in 0..3 {
            lab.pass(60_000);
            assert_eq!(clock.now(&lab).as_millis(), lab.right());
            assert!(clock.is_settled(&lab));
        }
    }

    #[test]
    fn the_clock_of_the_machine_goes_on_with_its_suspensions_where_it_can() {
        let (before, wall) = (Machine.elapsed(), Machine.wall());
        assert!(Machine.elapsed() >= before && Machine.wall() >= wall);
        #[cfg(target_os = "linux")]
        {
            let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
            let seconds: u64 = uptime.split('.').next().unwrap().parse().unwrap();
            assert!(Machine.elapsed() / 1_000 >= seconds, "uptime counts suspensions too");
        }
    }
}
