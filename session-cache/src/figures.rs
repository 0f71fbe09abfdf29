//! What a cache did, in numbers.

/// Figures for operators: counted since the cache was made, except for what it holds now.
///
/// Read one shard after the other while requests go on, so that the numbers are of nearly, not
/// exactly, one moment.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Figures {
    /// Requests for a record that were answered from the cache.
    pub hits: u64,
    /// Requests for a record that were not.
    pub misses: u64,
    /// Times the parent was asked for a record: fewer than misses where several requests waited for
    /// one load.
    pub loads: u64,
    /// Entries that left to make room.
    pub evictions: u64,
    /// Entries that left because their record was changed, removed or expired, or could not be
    /// trusted any more.
    pub invalidations: u64,
    /// Bytes the entries take now, as they are counted against the bound: records with room for
    /// their opened form, and the table.
    pub bytes: u64,
    /// Entries held now.
    pub entries: u64,
}

impl Figures {
    /// Adds what was counted, but not what is held now.
    pub(crate) fn add_counts(&mut self, other: &Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.loads += other.loads;
        self.evictions += other.evictions;
        self.invalidations += other.invalidations;
    }
}
