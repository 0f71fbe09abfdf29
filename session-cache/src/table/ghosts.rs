//! Who left not long ago.

use super::hash::Hash;

/// Remembers parts of the hashes of the last entries that left, in two bytes each.
///
/// A hash may be forgotten early or late, as its bucket fills up, and a stranger may be taken for
/// one who left, once in some thousand times: either only puts an entry into the other queue.
#[derive(Debug)]
pub(super) struct Ghosts {
    buckets: Box<[Bucket]>,
}

/// Four tags of 16 bits, the newest in the low ones: whoever comes in pushes the oldest out. 0 is
/// none.
#[derive(Clone, Copy, Debug)]
struct Bucket(u64);

const WAYS: usize = 4;
const TAG: u32 = u16::BITS;
/// The lowest bit of each tag, and the highest.
const LOW: u64 = 0x0001_0001_0001_0001;
const HIGH: u64 = LOW << (TAG - 1);

impl Ghosts {
    pub(super) fn new(span: usize) -> Self {
        let buckets = if span == 0 { 0 } else { span.next_power_of_two().div_ceil(WAYS) };
        Self { buckets: vec![Bucket(0); buckets].into() }
    }

    pub(super) fn insert(&mut self, hash: Hash) {
        if let Some(bucket) = self.bucket(hash) {
            bucket.0 = bucket.0 << TAG | u64::from(tag_of(hash));
        }
    }

    /// Whether `hash` came in lately; it is forgotten then.
    pub(super) fn take(&mut self, hash: Hash) -> bool {
        let tag = u64::from(tag_of(hash));
        let Some(bucket) = self.bucket(hash) else { return false };
        // Where the tag is, there is a zero now; of the tags that look like one, the lowest is.
        let differences = bucket.0 ^ (tag * LOW);
        let zeros = differences.wrapping_sub(LOW) & !differences & HIGH;
        if zeros == 0 {
            return false;
        }
        let at = zeros.trailing_zeros() / TAG * TAG;
        bucket.0 &= !(u64::from(u16::MAX) << at);
        true
    }

    /// Where `hash` is remembered, if anything is.
    fn bucket(&mut self, hash: Hash) -> Option<&mut Bucket> {
        let at = hash.short() as usize & self.buckets.len().wrapping_sub(1);
        self.buckets.get_mut(at)
    }
}

/// Never 0, so that a tag is not none.
fn tag_of(hash: Hash) -> u16 {
    (hash.short() >> 16) as u16 | 1
}
