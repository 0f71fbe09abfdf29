//! What a handler may ask a session.

use std::{collections::BTreeMap, sync::Arc};

use serde::de::DeserializeOwned;

use super::value;
use crate::{ManagedSession, Result, SessionHandle, Timestamp, record::Contents};

/// What a request is about to do to its session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Status {
    /// Values or settings were changed and not stored yet.
    Changed,
    /// It ends at the next save; changes made since belong to a new one.
    Purged,
    /// It gets a new token at the next save.
    Renewed,
    /// Nothing.
    Unchanged,
}

impl ManagedSession {
    /// The value stored under `key`, or `None`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec): what is stored cannot be read as `T`. It
    /// stays as it is.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let values = self.lock().data(|data| data.values.clone());
        values.get(key).map(value::decode).transpose()
    }

    /// Whether anything is stored under `key`.
    pub fn contains_key(&self, key: &str) -> bool {
        self.lock().data(|data| data.values.get(key).is_some())
    }

    /// All keys and values.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec): one of them cannot be read as `T`; take a
    /// type that reads everything, such as `serde_json::Value`.
    pub fn entries<T: DeserializeOwned>(&self) -> Result<BTreeMap<String, T>> {
        let values = self.lock().data(|data| data.values.clone());
        values.iter().map(|(key, value)| Ok((key.to_owned(), value::decode(value)?))).collect()
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.lock().data(|data| data.values.len())
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether nothing of this session is stored yet.
    pub fn is_new(&self) -> bool {
        self.lock().base.is_none()
    }

    /// Whether anything was changed that is not stored yet.
    pub fn is_modified(&self) -> bool {
        self.lock().has_changes()
    }

    /// What will become of the session at the end of the request, as far as it is known now.
    pub fn status(&self) -> Status {
        let state = self.lock();
        if state.purge {
            Status::Purged
        } else if state.renew {
            Status::Renewed
        } else if state.changes.is_empty() {
            Status::Unchanged
        } else {
            Status::Changed
        }
    }

    /// Whether the session is permanent: has the longer lifetime ("remember me").
    pub fn permanent(&self) -> bool {
        self.lock().data(|data| data.permanent)
    }

    /// Whom the session belongs to, if anyone logged in.
    pub fn principal(&self) -> Option<Arc<str>> {
        self.contents(|contents| contents.principal.clone()).flatten()
    }

    /// When the principal was bound last: ask for the password again before something grave if that
    /// is long ago (OWASP ASVS 5.0, 7.5.3).
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        self.contents(|contents| contents.authenticated_at).flatten()
    }

    /// What the application called the session.
    pub fn label(&self) -> Option<Arc<str>> {
        self.lock().data(|data| data.label.clone())
    }

    /// When the session was first stored; `None` while it is new.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.contents(|contents| contents.created_at)
    }

    /// When the session ends if it is not used again; `None` while it is new.
    ///
    /// As stored: this request's own use may move it at the end.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.lock().base.as_ref().map(|base| base.record.expires_at())
    }

    /// When the session ends, however busy it is; `None` while it is new.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.lock().base.as_ref().map(|base| base.record.deadline())
    }

    /// The name of the session in [lists](crate::SessionInterface::sessions_of); `None` while it is
    /// new.
    pub fn handle(&self) -> Option<SessionHandle> {
        self.lock().base.as_ref().map(|base| SessionHandle::of(base.id()))
    }

    fn contents<T>(&self, read: impl FnOnce(&Contents) -> T) -> Option<T> {
        let state = self.lock();
        state.base.as_ref().filter(|_| !state.purge).map(|base| read(&base.contents))
    }
}
