//! When an entry was asked for at the parent.

use session_core::Timestamp;

/// A point in time in four bytes: parts of 16 milliseconds since the table was made, rounded down.
/// After two years without a restart it stands still, so that entries look older than they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since(u32);

impl Since {
    /// A part is so many milliseconds, as a power of two.
    const PART: u32 = 4;

    pub(super) fn of(time: Timestamp, epoch: Timestamp) -> Self {
        let parts = time.as_millis().saturating_sub(epoch.as_millis()) >> Self::PART;
        Self(u32::try_from(parts).unwrap_or(u32::MAX))
    }

    /// The time, of which up to a part was cut off.
    pub(crate) fn after(self, epoch: Timestamp) -> Timestamp {
        let millis = u64::from(self.0) << Self::PART;
        Timestamp::from_millis(epoch.as_millis().saturating_add(millis))
    }
}
