//! The session as a request sees it: what is stored, with its changes on top.

use std::sync::Arc;

use bytes::Bytes;

use super::{Life, Pending, State};
use crate::{
    Timestamp,
    record::{Data, Values},
};

impl State {
    /// What was asked for, the newest first.
    pub(super) fn layers(&self) -> impl Iterator<Item = &Pending> {
        std::iter::once(&self.pending).chain(self.trying.as_deref())
    }

    fn stored(&self) -> Option<&Data> {
        self.loaded().map(|loaded| &loaded.contents.data)
    }

    /// The value under `key` as this request sees it, without copying it.
    pub(super) fn value(&self, key: &str) -> Value {
        match self.layers().find_map(|layer| layer.value(key)) {
            Some(change) => change.0.cloned().map_or(Value::None, Value::Changed),
            None => self.stored().map_or(Value::None, |data| Value::Stored(data.values.clone())),
        }
    }

    pub(super) fn has_value(&self, key: &str) -> bool {
        self.with_value(key, |value| value.is_some())
    }

    fn with_value<T>(&self, key: &str, read: impl FnOnce(Option<&[u8]>) -> T) -> T {
        match self.layers().find_map(|layer| layer.value(key)) {
            Some(change) => read(change.0.map(|value| &**value)),
            None => read(self.stored().and_then(|data| data.values.get(key))),
        }
    }

    /// All values as this request sees them.
    pub(super) fn values(&self) -> Values {
        let mut values = self.stored().map(|data| data.values.clone()).unwrap_or_default();
        for layer in self.trying.as_deref().into_iter().chain([&self.pending]) {
            layer.apply_values(&mut values);
        }
        values
    }

    pub(super) fn permanent(&self) -> bool {
        let asked = self.layers().find_map(Pending::permanent);
        asked.unwrap_or_else(|| self.stored().is_some_and(|data| data.permanent))
    }

    pub(super) fn label(&self) -> Option<Arc<str>> {
        let asked = self.layers().find_map(Pending::label);
        match asked {
            Some(label) => label.0.clone(),
            None => self.stored().and_then(|data| data.label.clone()),
        }
    }

    /// Whether a record may be there that a change without effect here would have one on.
    fn may_be_stored(&self) -> bool {
        match &self.life {
            Life::Unknown(unknown) => unknown.attempt.is_some(),
            Life::Known(_) => true,
            Life::Ended(_) | Life::Ending(_) => false,
        }
    }

    /// Puts `value` under `key` if the values still count for `limit` bytes at most; `false` if
    /// not.
    pub(super) fn set(&mut self, key: &str, value: Bytes, limit: usize) -> bool {
        if self.with_value(key, |before| before == Some(&*value)) {
            return true;
        }
        let before = self.bytes();
        let old = self.with_value(key, |old| old.map_or(0, |old| Values::cost(key, old)));
        let after = before - old + Values::cost(key, &value);
        // What was stored under a higher limit may stay, and shrink.
        if after > limit && after > before {
            return false;
        }
        self.bytes = Some(after);
        self.pending.set(key, value);
        true
    }

    /// Whether anything was there.
    pub(super) fn remove(&mut self, key: &str) -> bool {
        let old = self.with_value(key, |old| old.map(|old| Values::cost(key, old)));
        if old.is_some() || self.may_be_stored() {
            self.bytes = Some(self.bytes() - old.unwrap_or(0));
            self.pending.remove(key);
        }
        old.is_some()
    }

    pub(super) fn clear(&mut self) {
        if self.may_be_stored() || self.trying.is_some() {
            self.pending.clear();
        } else {
            self.pending = std::mem::take(&mut self.pending).into_settings();
        }
        self.bytes = None;
    }

    pub(super) fn set_permanent(&mut self, permanent: bool) {
        if self.permanent() != permanent {
            self.pending.set_permanent(permanent);
        }
    }

    pub(super) fn set_label(&mut self, label: Option<Arc<str>>) {
        if self.label() != label {
            self.pending.set_label(label);
        }
    }

    pub(super) fn set_end(&mut self, ends_at: Timestamp) {
        self.pending.set_end(ends_at);
    }

    fn bytes(&mut self) -> usize {
        if let Some(bytes) = self.bytes {
            return bytes;
        }
        let bytes = self.values().bytes();
        self.bytes = Some(bytes);
        bytes
    }
}

/// A value, found while the state is locked and to be read when it is not.
pub(super) enum Value {
    None,
    Changed(Bytes),
    Stored(Values),
}

impl Value {
    pub(super) fn read<T>(&self, key: &str, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        match self {
            Self::None => None,
            Self::Changed(value) => Some(read(value)),
            Self::Stored(values) => values.get(key).map(read),
        }
    }
}
