//! The deadline of a file, repeated in its time of last modification, so that a sweep need not open
//! it.
//!
//! Nobody but the sweep sets it, and every write to the file wipes it out, because the system then
//! sets the time itself. So verbs pay nothing for it, and a sweep opens each file once after it was
//! written. A hint is told from a time of the system's by the part below a millisecond; mistaking
//! one for the other (once in a million) only sweeps a file late.

use std::time::Duration;

use session_core::Timestamp;

use crate::calls::Moment;

const MARK: u32 = 537_211;
/// No further ahead, so that no file system is asked for a time it cannot store, and nothing hidden
/// for ever.
const FURTHEST: Duration = Duration::from_secs(400 * 24 * 3600);

pub(super) fn write(deadline: Timestamp, now: Timestamp) -> Moment {
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
