//! Changes as data, so that they can be applied again to a record someone else has replaced
//! meanwhile.

use std::sync::Arc;

use bytes::Bytes;

use crate::record::Data;

#[derive(Clone, Debug)]
pub(crate) enum Change {
    Set(Arc<str>, Bytes),
    Remove(Arc<str>),
    Clear,
    Permanent(bool),
    Label(Option<Arc<str>>),
}

impl Change {
    pub(crate) fn apply(&self, data: &mut Data) {
        match self {
            Self::Set(key, value) => data.values.set(key, value),
            Self::Remove(key) => {
                data.values.remove(key);
            }
            Self::Clear => data.values.clear(),
            Self::Permanent(permanent) => data.permanent = *permanent,
            Self::Label(label) => data.label.clone_from(label),
        }
    }
}
