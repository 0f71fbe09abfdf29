//! When a session's file was modified, by its date: the end of the session in milliseconds, and its
//! version, in the nanoseconds below and once more as seconds after the end.
//!
//! It is set after every write, under the lock. So a sweep need not open a file to know that its
//! session goes on, a look at a name tells whether its file is still as it was read, and to a
//! program that copies what changed, by size and date, no two versions look alike: not even to
//! rsync, which compares whole seconds.
//!
//! The kernel dates a file before it writes to it, and a writer that dies leaves it so dated: in
//! the past, where no end of a live session is.

use session_core::{Probe, Timestamp, Version};

use crate::syscalls::{Moment, Stat};

/// The date of the last second that every file system takes: some end in 2446.
const LAST: u64 = 15_000_000_000;
/// So many versions differ in the nanoseconds, and so many in the seconds.
const VERSIONS: u64 = 1_000_000;
const SECONDS: u64 = 1_000;

/// The date of a file with this record.
pub(crate) fn date(end: Timestamp, version: Version) -> Moment {
    let millis = end.as_millis().min(LAST * 1_000);
    let nanos = millis % 1_000 * VERSIONS + version.get() % VERSIONS;
    Moment {
        seconds: i64::try_from(millis / 1_000 + version.get() % SECONDS).unwrap_or(i64::MAX),
        nanos: u32::try_from(nanos).unwrap_or_default(),
    }
}

/// When the session ends by the date of its file, if that is a date of ours.
pub(crate) fn end(modified: Moment) -> Timestamp {
    let nanos = u64::from(modified.nanos);
    let after = nanos % VERSIONS % SECONDS;
    let seconds = u64::try_from(modified.seconds).unwrap_or_default().saturating_sub(after);
    Timestamp::from_millis(seconds.saturating_mul(1_000).saturating_add(nanos / VERSIONS))
}

/// Whether a file that was read to hold this is in the state in which it is written down: then it
/// holds it as long as its state is the same.
pub(crate) fn tells(probe: &Probe, stat: &Stat) -> bool {
    stat.modified == date(probe.expires_at, probe.version)
        && probe.expires_at.as_millis() < LAST * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_ends_have_dates_of_their_own() {
        let at = Timestamp::from_millis;
        let (a, b) = (Version::new(7), Version::new(8));
        let dates = [
            date(at(1_800_000_000_999), a),
            date(at(1_800_000_000_999), b),
            date(at(1_800_000_001_000), a),
            date(at(1_800_000_001_001), a),
        ];
        for (place, date) in dates.iter().enumerate() {
            assert!(!dates[..place].contains(date));
        }
        assert_eq!(dates.map(end), [999, 999, 1_000, 1_001].map(|ms| at(1_800_000_000_000 + ms)));
        assert_eq!(date(Timestamp::MAX, a).seconds, 15_000_000_007);
        let seconds: std::collections::HashSet<_> =
            (1..=1_000).map(|number| date(at(0), Version::new(number)).seconds).collect();
        assert_eq!(seconds.len(), 1_000, "also by whole seconds");
    }
}
