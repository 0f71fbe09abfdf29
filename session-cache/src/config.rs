//! What a user may set.

use std::sync::Arc;

use session_core::{Clock, SystemClock};

/// The bounds of a cache, and its clock.
///
/// # Examples
///
/// ```
/// use session_cache::CacheConfig;
///
/// let config = CacheConfig::new().capacity(50_000).max_bytes(64 << 20);
/// ```
#[derive(Clone, Debug)]
#[must_use = "a config does nothing by itself"]
pub struct CacheConfig {
    pub(crate) capacity: usize,
    pub(crate) max_bytes: usize,
    pub(crate) clock: Arc<dyn Clock>,
}

impl CacheConfig {
    /// 100,000 entries, 256 MiB, the machine's clock.
    pub fn new() -> Self {
        Self { capacity: 100_000, max_bytes: 256 << 20, clock: Arc::new(SystemClock::new()) }
    }

    /// How many records may be held. 0: none, every request goes to the parent.
    pub fn capacity(self, entries: usize) -> Self {
        Self { capacity: entries, ..self }
    }

    /// How many bytes the records may take, with room for their opened form, their keys and the
    /// table.
    ///
    /// A record that is larger than nine tenths of the part of a shard is not kept; a shard has
    /// room for at least the largest record there can be, or the cache has one shard only.
    pub fn max_bytes(self, bytes: usize) -> Self {
        Self { max_bytes: bytes, ..self }
    }

    /// The clock of the program, which decides whether a record is expired. Use the one the parent
    /// uses.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self::new()
    }
}
