//! What a handler may ask a session.

use std::{collections::BTreeMap, sync::Arc};

use serde::de::DeserializeOwned;

use super::{Life, LoadedSession, value};
use crate::{AsKey, KeyName, ManagedSession, Result, SessionHandle, Timestamp};

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
    #[expect(clippy::needless_pass_by_value, reason = "a key is text or a constant")]
    pub fn get<T: DeserializeOwned>(&self, key: impl AsKey<T>) -> Result<Option<T>> {
        let key = key.as_key();
        let value = self.lock().value(key);
        value.read(key, |bytes| value::decode(key, bytes)).transpose()
    }

    /// Whether anything is stored under `key`.
    #[expect(clippy::needless_pass_by_value, reason = "a key is text or a constant")]
    pub fn contains_key(&self, key: impl KeyName) -> bool {
        self.lock().has_value(key.key_name())
    }

    /// The keys of all values, in the order of their bytes.
    pub fn value_keys(&self) -> Vec<String> {
        let values = self.lock().values();
        values.iter().map(|(key, _)| key.to_owned()).collect()
    }

    /// All keys and values.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec): one of them cannot be read as `T`; take a
    /// type that reads everything, such as `serde_json::Value`.
    pub fn entries<T: DeserializeOwned>(&self) -> Result<BTreeMap<String, T>> {
        let values = self.lock().values();
        values.iter().map(|(key, bytes)| Ok((key.to_owned(), value::decode(key, bytes)?))).collect()
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.lock().values().len()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether nothing of this session is stored yet.
    pub fn is_new(&self) -> bool {
        matches!(self.lock().life(), Life::Unknown(_) | Life::Ending(_))
    }

    /// Whether the visitor came without a genuine cookie of ours: for the first time, say.
    pub fn is_stranger(&self) -> bool {
        matches!(self.lock().life(), Life::Unknown(unknown) if !unknown.was_known)
    }

    /// Whether a genuine cookie came whose session is over: a page can say "your session has
    /// ended".
    ///
    /// Not if its token was replaced: the session may live on under the new one.
    pub fn was_ended(&self) -> bool {
        matches!(self.lock().life(), Life::Unknown(unknown) if unknown.was_ended)
    }

    /// Whether anything was changed that is not stored yet.
    pub fn is_modified(&self) -> bool {
        self.lock().has_changes()
    }

    /// What will become of the session at the end of the request, as far as it is known now.
    pub fn status(&self) -> Status {
        let state = self.lock();
        if state.is_ending() {
            Status::Purged
        } else if state.renews() {
            Status::Renewed
        } else if state.has_changes() {
            Status::Changed
        } else {
            Status::Unchanged
        }
    }

    /// Whether the session is permanent: has the longer lifetime ("remember me").
    pub fn permanent(&self) -> bool {
        self.lock().permanent()
    }

    /// Whom the session belongs to, if anyone logged in.
    pub fn principal(&self) -> Option<Arc<str>> {
        self.loaded(|loaded| loaded.contents.principal.clone()).flatten()
    }

    /// When the principal was bound last: ask for the password again before something grave if that
    /// is long ago (OWASP ASVS 5.0, 7.5.3).
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        self.loaded(|loaded| loaded.contents.authenticated_at).flatten()
    }

    /// What the application called the session.
    pub fn label(&self) -> Option<Arc<str>> {
        self.lock().label()
    }

    /// When the session was first stored; `None` while it is new.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.loaded(|loaded| loaded.contents.created_at)
    }

    /// When the session ends if it is not used again; `None` while it is new.
    ///
    /// As stored: this request's own use may move it at the end.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.loaded(|loaded| loaded.record.expires_at())
    }

    /// When the session ends, however busy it is; `None` while it is new.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.loaded(|loaded| loaded.record.deadline())
    }

    /// The name of the session in [lists](crate::SessionInterface::sessions_of); `None` while it is
    /// new.
    pub fn handle(&self) -> Option<SessionHandle> {
        self.loaded(|loaded| SessionHandle::of(loaded.id()))
    }

    fn loaded<T>(&self, read: impl FnOnce(&LoadedSession) -> T) -> Option<T> {
        self.lock().loaded().map(read)
    }
}
