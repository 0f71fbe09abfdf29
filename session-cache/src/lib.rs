//! A bounded, coherent, write-through cache over any session manager.

mod cache;
mod coherence;
mod config;
mod error;
mod feed;
mod figures;
mod flight;
mod manager;
#[cfg(test)]
mod models;
mod sync;
mod table;

pub use self::{
    coherence::Coherence,
    config::CacheConfig,
    figures::Figures,
    manager::CachingSessionManager,
    table::{IdHasher, IdHashing, RecordTable},
};
