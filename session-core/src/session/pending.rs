//! What a request asked for and has not stored, as data: it can be applied again to a record that
//! another writer replaced meanwhile.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use crate::{
    Timestamp,
    record::{Data, Values},
};

/// Of each key the last change counts, so a handler that changes one key a thousand times costs one
/// change.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    /// All stored values go, before `values` come.
    cleared: bool,
    /// `None` for a key that goes.
    values: BTreeMap<Arc<str>, Option<Bytes>>,
    permanent: Option<bool>,
    label: Option<Label>,
    ends_at: Option<Timestamp>,
    /// A new token is asked for.
    pub(super) renew: bool,
}

/// The label that was asked for, if any.
#[derive(Clone, Debug)]
pub(super) struct Label(pub(super) Option<Arc<str>>);

/// The value that a key gets; `None` if it goes.
#[derive(Clone, Copy)]
pub(super) struct Change<'a>(pub(super) Option<&'a Bytes>);

impl Pending {
    pub(super) fn set(&mut self, key: &str, value: Bytes) {
        self.values.insert(key.into(), Some(value));
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.values.insert(key.into(), None);
    }

    pub(super) fn clear(&mut self) {
        self.cleared = true;
        self.values.clear();
    }

    pub(super) fn set_permanent(&mut self, permanent: bool) {
        self.permanent = Some(permanent);
    }

    pub(super) fn set_label(&mut self, label: Option<Arc<str>>) {
        self.label = Some(Label(label));
    }

    pub(super) fn set_end(&mut self, ends_at: Timestamp) {
        self.ends_at = Some(ends_at);
    }

    pub(super) fn is_empty(&self) -> bool {
        !(self.cleared
            || self.renew
            || !self.values.is_empty()
            || self.permanent.is_some()
            || self.label.is_some()
            || self.ends_at.is_some())
    }

    /// Whether values go that the snapshot of this request may not have: another request may have
    /// put them in since.
    pub(super) fn removes(&self) -> bool {
        self.cleared || self.values.values().any(Option::is_none)
    }

    pub(super) fn has_end(&self) -> bool {
        self.ends_at.is_some()
    }

    /// What becomes of `key`; `None` if that is not changed.
    pub(super) fn value(&self, key: &str) -> Option<Change<'_>> {
        match self.values.get(key) {
            Some(change) => Some(Change(change.as_ref())),
            None => self.cleared.then_some(Change(None)),
        }
    }

    pub(super) fn permanent(&self) -> Option<bool> {
        self.permanent
    }

    pub(super) fn label(&self) -> Option<&Label> {
        self.label.as_ref()
    }

    /// These changes, and then those of `later`.
    pub(super) fn then(mut self, later: Self) -> Self {
        if later.cleared {
            self.clear();
        }
        self.values.extend(later.values);
        Self {
            cleared: self.cleared,
            values: self.values,
            permanent: later.permanent.or(self.permanent),
            label: later.label.or(self.label),
            ends_at: later.ends_at.or(self.ends_at),
            renew: self.renew || later.renew,
        }
    }

    /// What the session is to be like, without values: it waits for a first one.
    pub(super) fn into_settings(self) -> Self {
        Self { cleared: false, values: BTreeMap::new(), renew: false, ..self }
    }

    pub(super) fn apply(&self, data: &mut Data) {
        self.apply_values(&mut data.values);
        if let Some(permanent) = self.permanent {
            data.permanent = permanent;
        }
        if let Some(label) = &self.label {
            data.label.clone_from(&label.0);
        }
        if self.ends_at.is_some() {
            data.ends_at = self.ends_at;
        }
    }

    pub(super) fn apply_values(&self, values: &mut Values) {
        if self.cleared {
            values.clear();
        }
        for (key, change) in &self.values {
            match change {
                Some(value) => values.set(key, value),
                None => {
                    values.remove(key);
                }
            }
        }
    }
}
