//! Who left not long ago.

#![expect(clippy::cast_possible_truncation, reason = "times wrap, and hashes are cut, on purpose")]

use super::hash::Hash;

/// Remembers the hashes of the last entries that left, in four bytes each.
///
/// A hash may be forgotten early, when its bucket fills up, and a stranger may be taken for one who
/// left, once in some thousand times: either only puts an entry into the other queue.
#[derive(Debug)]
pub(super) struct Ghosts {
    buckets: Box<[Bucket]>,
    /// How many came in.
    now: u64,
    /// How many of the last ones are remembered.
    span: u64,
    /// How many come in for the time to move on by one, as a power of two.
    tick: u32,
}

/// Four cells, the newest first: whoever comes in pushes the oldest out.
///
/// In each cell 16 bits of a hash and 16 bits of the time it came in; 0: empty.
type Bucket = [u32; WAYS];

const WAYS: usize = 4;

impl Ghosts {
    pub(super) fn new(span: usize) -> Self {
        let buckets = if span == 0 { 0 } else { span.next_power_of_two().div_ceil(WAYS) };
        let span = span as u64;
        let tick = (span >> 14).next_power_of_two().trailing_zeros();
        Self { buckets: vec![[0; WAYS]; buckets].into(), now: 0, span, tick }
    }

    pub(super) fn insert(&mut self, hash: Hash) {
        self.now += 1;
        let cell = u32::from(tag_of(hash)) << 16 | u32::from(self.time());
        if let Some(bucket) = self.bucket(hash) {
            *bucket = [cell, bucket[0], bucket[1], bucket[2]];
        }
    }

    /// Whether `hash` came in lately; it is forgotten then.
    pub(super) fn take(&mut self, hash: Hash) -> bool {
        let time = self.time();
        let span = (self.span >> self.tick) as u16;
        let tag = tag_of(hash);
        let Some(bucket) = self.bucket(hash) else { return false };
        let found = bucket
            .iter_mut()
            .find(|cell| (**cell >> 16) as u16 == tag && time.wrapping_sub(**cell as u16) <= span);
        found.map(|cell| *cell = 0).is_some()
    }

    fn time(&self) -> u16 {
        (self.now >> self.tick) as u16
    }

    /// Where `hash` is remembered, if anything is.
    fn bucket(&mut self, hash: Hash) -> Option<&mut Bucket> {
        let at = hash.short() as usize & self.buckets.len().wrapping_sub(1);
        self.buckets.get_mut(at)
    }
}

/// Never 0, so that a cell with one is not empty.
fn tag_of(hash: Hash) -> u16 {
    (hash.short() >> 16) as u16 | 1
}
