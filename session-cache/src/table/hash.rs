//! Hashing of ids that are random already.

#![expect(clippy::cast_possible_truncation, reason = "a hash takes its bits from where it likes")]

use std::hash::{BuildHasher, Hasher, RandomState};

use session_core::SessionId;

/// Spreads session ids over shards and buckets: one multiplication, keyed at random.
///
/// An id is 122 random bits from the operating system, and only ids of live records enter a table,
/// so nobody outside chooses what is hashed here; the key keeps it so for a program that makes ids
/// of its own.
#[derive(Clone, Debug)]
pub struct IdHashing {
    keys: [u64; 2],
}

impl IdHashing {
    /// Hashing with a key of its own.
    pub fn new() -> Self {
        let random = RandomState::new();
        Self { keys: [random.hash_one(0_u8), random.hash_one(1_u8)] }
    }

    /// The hash of `id` in its shard, and what chooses the shard.
    #[inline]
    pub(super) fn of_both(&self, id: &SessionId) -> (Hash, u32) {
        let hash = self.hash_one(id);
        (Hash(hash as u32), (hash >> 32) as u32)
    }

    /// The hash of `id` in its shard.
    #[inline]
    pub(super) fn of(&self, id: &SessionId) -> Hash {
        self.of_both(id).0
    }
}

/// What a shard keeps of the hash of an id: its table, its queues and its memory of those who left
/// find the id by it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Hash(u32);

impl Hash {
    pub(super) const fn from_short(hash: u32) -> Self {
        Self(hash)
    }

    pub(super) const fn short(self) -> u32 {
        self.0
    }

    /// As wide as a hash table wants it, which takes the place from the low bits and a tag from the
    /// top.
    #[inline]
    pub(super) const fn whole(self) -> u64 {
        (self.0 as u64) << 32 | self.0 as u64
    }
}

impl Default for IdHashing {
    fn default() -> Self {
        Self::new()
    }
}

impl BuildHasher for IdHashing {
    type Hasher = IdHasher;

    #[inline]
    fn build_hasher(&self) -> IdHasher {
        IdHasher { keys: self.keys, hash: 0 }
    }
}

/// The hasher of [`IdHashing`].
#[derive(Debug)]
pub struct IdHasher {
    keys: [u64; 2],
    hash: u64,
}

impl Hasher for IdHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        // An id comes as one slice of 16 bytes; anything else is taken in too, 16 bytes at a time.
        for part in bytes.chunks(16) {
            let mut words = [0; 16];
            words[..part.len()].copy_from_slice(part);
            let number = u128::from_le_bytes(words);
            self.take(number as u64, (number >> 64) as u64);
        }
    }

    /// The length of the slice that follows, which is always the same.
    #[inline]
    fn write_usize(&mut self, _: usize) {}

    #[inline]
    fn finish(&self) -> u64 {
        self.hash
    }
}

impl IdHasher {
    #[inline]
    fn take(&mut self, low: u64, high: u64) {
        let product = u128::from(low ^ self.keys[0] ^ self.hash) * u128::from(high ^ self.keys[1]);
        self.hash = (product as u64) ^ ((product >> 64) as u64);
    }
}
