//! The deadline of a file, repeated in its time of last modification, so that a sweep need not open
//! it.
//!
//! A creation sets it, for a file that is never used again, as those of robots are, and then the
//! sweep, which opens each file once after it was written: every write wipes the hint out, because
//! the system then sets the time itself. A hint is told from a time of the system's by the part
//! below a millisecond; mistaking one for the other (once in a million) only sweeps a file late.

use std::time::Duration;

use session_core::Timestamp;

use crate::syscalls::Moment;

const MARK: u32 = 537_211;
/// No further ahead, so that no file system is asked for a time it cannot store, and nothing hidden
/// for ever.
const FURTHEST: Duration = Duration::from_secs(400 * 24 * 3600);

pub(in crate::store) fn write(deadline: Timestamp, now: Timestamp) -> Moment {
    let millis = deadline.min(now.saturating_add(FURTHEST)).as_millis();
    Moment {
        seconds: i64::try_from(millis / 1000).unwrap_or(i64::MAX),
        nanos: u32::try_from(millis % 1000).unwrap_or_default() * 1_000_000 + MARK,
    }
}

pub(super) fn read(modified: Moment) -> Option<Timestamp> {
    let seconds = u64::try_from(modified.seconds).ok()?;
    (modified.nanos % 1_000_000 == MARK).then(|| {
        let millis = seconds.saturating_mul(1000);
        Timestamp::from_millis(millis.saturating_add(u64::from(modified.nanos / 1_000_000)))
    })
}
