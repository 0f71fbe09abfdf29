//! The values of a session: keys to encoded bytes.

use std::sync::Arc;

use bytes::Bytes;

/// Counted for each value beside its key and encoded bytes.
const ENTRY_BYTES: usize = 32;

/// A small sorted map. Sessions have a handful of keys: a binary search beats a tree, and a copy is
/// a handful of reference counts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Values(Vec<(Arc<str>, Bytes)>);

impl Values {
    /// From what a record held, which is sorted unless the record was made by someone with the key
    /// and a grudge.
    pub(crate) fn from_entries(mut entries: Vec<(Arc<str>, Bytes)>) -> Self {
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.dedup_by(|a, b| a.0 == b.0);
        }
        Self(entries)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Bytes> {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    pub(crate) fn set(&mut self, key: &Arc<str>, value: Bytes) {
        match self.find(key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (Arc::clone(key), value)),
        }
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Bytes> {
        self.find(key).ok().map(|at| self.0.remove(at).1)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }

    /// Bytes of all keys and values, and of what keeping each takes: many tiny ones are not free.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len() + value.len() + ENTRY_BYTES).sum()
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(at, _)| (**at).cmp(key))
    }
}
