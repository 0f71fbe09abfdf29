//! The tables that are measured beside each other, all with the same keys, values and hashing.

#![allow(dead_code, reason = "each user takes what it needs")]

use std::sync::Arc;

use quick_cache::DefaultHashBuilder;
use session_cache::RecordTable;
use session_core::{Record, SessionId};

/// A table as a cache uses it: hand out a shared record, keep one.
pub(crate) trait Table: Send + Sync + 'static {
    const NAME: &'static str;

    fn with_capacity(entries: usize) -> Self;
    fn get(&self, id: &SessionId) -> Option<Arc<Record>>;
    fn insert(&self, record: &Arc<Record>);
}

impl Table for RecordTable {
    const NAME: &'static str = "session-cache";

    fn with_capacity(entries: usize) -> Self {
        Self::new(entries, usize::MAX)
    }

    fn get(&self, id: &SessionId) -> Option<Arc<Record>> {
        self.get(id)
    }

    fn insert(&self, record: &Arc<Record>) {
        self.insert(record);
    }
}

/// No eviction: what a hit can cost at the least.
pub(crate) struct Dash(dashmap::DashMap<SessionId, Arc<Record>, DefaultHashBuilder>);

impl Table for Dash {
    const NAME: &'static str = "dashmap";

    fn with_capacity(entries: usize) -> Self {
        Self(dashmap::DashMap::with_capacity_and_hasher(entries, DefaultHashBuilder::default()))
    }

    fn get(&self, id: &SessionId) -> Option<Arc<Record>> {
        self.0.get(id).map(|found| Arc::clone(&found))
    }

    fn insert(&self, record: &Arc<Record>) {
        self.0.insert(*record.id(), Arc::clone(record));
    }
}

pub(crate) struct Quick(
    quick_cache::sync::Cache<SessionId, Arc<Record>, quick_cache::UnitWeighter, DefaultHashBuilder>,
);

impl Table for Quick {
    const NAME: &'static str = "quick_cache";

    fn with_capacity(entries: usize) -> Self {
        Self(quick_cache::sync::Cache::with(
            entries,
            entries as u64,
            quick_cache::UnitWeighter,
            DefaultHashBuilder::default(),
            quick_cache::sync::DefaultLifecycle::default(),
        ))
    }

    fn get(&self, id: &SessionId) -> Option<Arc<Record>> {
        self.0.get(id)
    }

    fn insert(&self, record: &Arc<Record>) {
        self.0.insert(*record.id(), Arc::clone(record));
    }
}

pub(crate) struct Moka(moka::sync::Cache<SessionId, Arc<Record>, DefaultHashBuilder>);

impl Table for Moka {
    const NAME: &'static str = "moka";

    fn with_capacity(entries: usize) -> Self {
        let builder = moka::sync::Cache::builder().max_capacity(entries as u64);
        Self(builder.build_with_hasher(DefaultHashBuilder::default()))
    }

    fn get(&self, id: &SessionId) -> Option<Arc<Record>> {
        self.0.get(id)
    }

    fn insert(&self, record: &Arc<Record>) {
        self.0.insert(*record.id(), Arc::clone(record));
    }
}
