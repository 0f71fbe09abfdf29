//! What a cache did, in numbers.

use crate::sync::atomic::{AtomicU64, Ordering};

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

/// The counters of one shard. They lie beside its lock, whose cache line a request has at hand
/// anyway.
#[derive(Debug)]
pub(crate) struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    loads: AtomicU64,
    evictions: AtomicU64,
    invalidations: AtomicU64,
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self {
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            loads: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            invalidations: AtomicU64::new(0),
        }
    }

    pub(crate) fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn missed(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn loaded(&self) {
        self.loads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn evicted(&self, entries: usize) {
        if entries > 0 {
            self.evictions.fetch_add(entries as u64, Ordering::Relaxed);
        }
    }

    pub(crate) fn invalidated(&self, entries: usize) {
        if entries > 0 {
            self.invalidations.fetch_add(entries as u64, Ordering::Relaxed);
        }
    }

    pub(crate) fn add_to(&self, figures: &mut Figures) {
        figures.hits += self.hits.load(Ordering::Relaxed);
        figures.misses += self.misses.load(Ordering::Relaxed);
        figures.loads += self.loads.load(Ordering::Relaxed);
        figures.evictions += self.evictions.load(Ordering::Relaxed);
        figures.invalidations += self.invalidations.load(Ordering::Relaxed);
    }
}
