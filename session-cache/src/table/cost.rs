//! What an entry takes.

use session_core::Record;

use super::entries::Slot;

/// What an entry takes, the record with its opened form and its part of the table: in units of 64
/// bytes, rounded up.
#[derive(Clone, Copy)]
pub(super) struct Cost(u16);

impl Cost {
    const UNIT: usize = 64;

    /// No record costs less: a header alone is larger.
    pub(super) const LEAST: usize = ENTRY + Record::HEADER_BYTES;

    /// The largest record there can be takes a little more than half of what can be said.
    pub(super) fn of(record: &Record) -> Self {
        let units = (record.memory_len() + ENTRY).div_ceil(Self::UNIT);
        Self(u16::try_from(units).unwrap_or(u16::MAX))
    }

    pub(super) fn bytes(self) -> usize {
        usize::from(self.0) * Self::UNIT
    }
}

/// The part of the table that belongs to one entry, at the worst fill of its parts: a slot and a
/// byte in a hash table that has just doubled and so is seven sixteenths full, its place in a queue
/// that has just doubled, and the memory of one that left.
const ENTRY: usize = (size_of::<Slot>() + 1) * 16 / 7 + 4 * size_of::<u32>();
