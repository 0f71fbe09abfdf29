//! A bounded, coherent, write-through cache over any session manager.
//!
//! Put it in front of a store that takes longer than a look into memory: files, or a server. In
//! front of [`MemorySessionManager`](session_core::MemorySessionManager) it only costs.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//! use session_cache::{CachingSessionManager, Coherence};
//! use session_core::{MemorySessionManager, SessionManager};
//!
//! let store = MemorySessionManager::new();
//! let cache = CachingSessionManager::new(store, Coherence::Checked)?;
//! let manager: Arc<dyn SessionManager> = Arc::new(cache);
//! # drop(manager);
//! # Ok::<(), session_core::Error>(())
//! ```
//!
//! # How it keeps records
//!
//! In shards, each a [`quick_cache`] behind a lock, bounded by entries and by bytes. A hit takes
//! the lock, sets a mark and hands out the shared record; nothing is moved and nothing is copied.
//! Which entry is evicted is decided by a policy between S3-FIFO and CLOCK-Pro, which one-time
//! visitors pass through. No lock is held while anything is awaited.
//!
//! # Limits
//!
//! Absence is not cached. Each shard has its part of the bounds: a record larger than that part is
//! not kept.

mod cache;
mod coherence;
mod config;
mod error;
mod feed;
mod figures;
mod manager;
#[cfg(test)]
mod models;
mod shared_call;
mod sync;
mod table;
mod touches;

pub use self::{
    coherence::Coherence, config::CacheConfig, figures::Figures, manager::CachingSessionManager,
    table::RecordTable,
};

// Compiles and runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
