//! What a handler may do to the values and the lifetime of a session.

use std::{sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    Phase, State,
    commit::Committed,
    plan::{Edit, Edited, Purpose},
    value,
};
use crate::{AsKey, Error, KeyName, ManagedSession, Result};

impl ManagedSession {
    /// Puts `value` under `key`.
    ///
    /// A value that is written as it was is no change. An equal `HashMap` or `HashSet` that was
    /// built again may be written in another order, and is one: take a `BTreeMap` where that
    /// matters.
    ///
    /// # Errors
    ///
    /// Nothing is changed then. [`ErrorKind::Codec`](crate::ErrorKind::Codec): `value` cannot be
    /// encoded, or could not be read again: serde cannot read integers of 128 bits everywhere
    /// (store them as text), nor two fields of one name, nor a flattened map with composite keys;
    /// and nothing may be more than 128 levels deep.
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge): the session would outgrow its limit.
    /// [`ErrorKind::Finished`](crate::ErrorKind::Finished): the head of the response has left.
    #[expect(clippy::needless_pass_by_value, reason = "a key is text or a constant")]
    pub fn insert<T: Serialize + ?Sized>(&self, key: impl AsKey<T>, value: &T) -> Result<()> {
        let bytes = value::encode(key.as_key(), value)?;
        let shared = self.interface().shared();
        let mut state = self.lock();
        check_open(&state)?;
        if state.set(key.as_key(), bytes, shared.policy.max_bytes) {
            Ok(())
        } else {
            Err(shared.too_large())
        }
    }

    /// Removes what is under `key`. Returns whether this request saw anything there.
    ///
    /// A value that another request put there since this one was opened is removed too. So that it
    /// is, a request that removes what it did not see, and changes nothing else, reads the store
    /// once more at its end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Finished`](crate::ErrorKind::Finished): the head of the response has left.
    #[expect(clippy::needless_pass_by_value, reason = "a key is text or a constant")]
    pub fn remove(&self, key: impl KeyName) -> Result<bool> {
        let mut state = self.lock();
        check_open(&state)?;
        Ok(state.remove(key.key_name()))
    }

    /// Removes what is under `key` and returns it.
    ///
    /// Two requests at once may both get it; [`take`](Self::take) has one winner.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec): it cannot be read as `T`; it is removed all
    /// the same. [`ErrorKind::Finished`](crate::ErrorKind::Finished) as in
    /// [`remove`](Self::remove).
    #[expect(clippy::needless_pass_by_value, reason = "a key is text or a constant")]
    pub fn remove_as<T: DeserializeOwned>(&self, key: impl AsKey<T>) -> Result<Option<T>> {
        let key = key.as_key();
        let value = {
            let mut state = self.lock();
            check_open(&state)?;
            let value = state.value(key);
            state.remove(key);
            value
        };
        value.read(key, |bytes| value::decode(key, bytes)).transpose()
    }

    /// Removes all values. Principal, label and lifetime stay; see [`purge`](Self::purge).
    ///
    /// A session without values and principal ends a minute later, so that requests under way can
    /// still put something in.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Finished`](crate::ErrorKind::Finished): the head of the response has left.
    pub fn clear(&self) -> Result<()> {
        let mut state = self.lock();
        check_open(&state)?;
        state.clear();
        Ok(())
    }

    /// Makes the session permanent, or no longer so: gives it the longer or the usual lifetime,
    /// counted from the last login.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Finished`](crate::ErrorKind::Finished): the head of the response has left.
    pub fn set_permanent(&self, permanent: bool) -> Result<()> {
        self.check_head()?;
        self.lock().set_permanent(permanent);
        Ok(())
    }

    /// Ends the session `duration` from now, if the lifetimes do not end it before: for a device
    /// that is shared, or an account that was given for an hour. A login starts the usual lifetime
    /// again unless the same request limits it too.
    ///
    /// # Form and units
    ///
    /// Rounded down to milliseconds. Zero ends the session when it is saved.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Finished`](crate::ErrorKind::Finished): the head of the response has left.
    pub fn limit_to(&self, duration: Duration) -> Result<()> {
        self.check_head()?;
        let ends_at = self.interface().shared().now().saturating_add(duration);
        self.lock().set_end(ends_at);
        Ok(())
    }

    /// Calls the session something its owner recognises in a list: the browser and system, say. At
    /// most 256 bytes are kept.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Finished`](crate::ErrorKind::Finished): the head of the response has left.
    pub fn set_label(&self, label: Option<&str>) -> Result<()> {
        let mut state = self.lock();
        check_open(&state)?;
        let label: Option<Arc<str>> = label.map(|label| shortened(label, 256).into());
        state.set_label(label);
        Ok(())
    }

    /// Replaces the value under `key` by what `change` makes of it, and stores it with everything
    /// pending.
    ///
    /// Atomic across requests and processes: of 200 increments at once, each gets its own number.
    /// `change` is called again when another writer was faster, so it should do nothing else.
    /// Returns the value that was stored. A result that equals what this request saw is compared
    /// with the store before it is returned.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Gone`](crate::ErrorKind::Gone): the session ended meanwhile; nothing was
    /// stored. [`ErrorKind::Codec`](crate::ErrorKind::Codec) if the value is of another type: see
    /// [`update_or_reset`](Self::update_or_reset). Else as [`save`](Self::save).
    ///
    /// # Cancellation
    ///
    /// When the future is dropped, the update took place or not.
    pub async fn update<T, F>(&self, key: impl AsKey<T>, mut change: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send,
        F: FnMut(Option<T>) -> T + Send,
    {
        let key = key.as_key().to_owned();
        let infallible = |before| Ok::<T, std::convert::Infallible>(change(before));
        match self.edit(&key, Misread::Fails, infallible).await? {
            Ok(value) => Ok(value),
            Err(never) => match never {},
        }
    }

    /// As [`update`](Self::update), but a stored value that cannot be read as `T` counts as absent.
    ///
    /// For values whose type changed and that may start over: a cart of an old release, say.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub async fn update_or_reset<T, F>(&self, key: impl AsKey<T>, mut change: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send,
        F: FnMut(Option<T>) -> T + Send,
    {
        let key = key.as_key().to_owned();
        let infallible = |before| Ok::<T, std::convert::Infallible>(change(before));
        match self.edit(&key, Misread::IsAbsent, infallible).await? {
            Ok(value) => Ok(value),
            Err(never) => match never {},
        }
    }

    /// As [`update`](Self::update), but `change` may refuse: then nothing is written, neither the
    /// value nor what is pending, and its error is returned.
    ///
    /// A refusal is decided on what is stored, as an update is: it costs at least one read of the
    /// store.
    ///
    /// # Errors
    ///
    /// The outer ones as [`update`](Self::update); the inner one is that of `change`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use session_core::{ManagedSession, Result};
    /// # async fn handler(session: ManagedSession) -> Result<()> {
    /// let left = session
    ///     .try_update("credits", |credits: Option<u32>| {
    ///         credits.unwrap_or(0).checked_sub(5).ok_or("not enough credits")
    ///     })
    ///     .await?;
    /// if let Err(reason) = left {
    ///     println!("{reason}");
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn try_update<T, E, F>(
        &self,
        key: impl AsKey<T>,
        change: F,
    ) -> Result<std::result::Result<T, E>>
    where
        T: Serialize + DeserializeOwned + Send,
        E: Send,
        F: FnMut(Option<T>) -> std::result::Result<T, E> + Send,
    {
        let key = key.as_key().to_owned();
        self.edit(&key, Misread::Fails, change).await
    }

    async fn edit<T, E, F>(
        &self,
        key: &str,
        misread: Misread,
        mut change: F,
    ) -> Result<std::result::Result<T, E>>
    where
        T: Serialize + DeserializeOwned + Send,
        E: Send,
        F: FnMut(Option<T>) -> std::result::Result<T, E> + Send,
    {
        let mut result = None;
        let mut apply = |before: Option<&[u8]>| {
            let before = match before.map(|bytes| value::decode(key, bytes)).transpose() {
                Err(_) if misread == Misread::IsAbsent => None,
                before => before?,
            };
            match change(before) {
                Ok(after) => {
                    let bytes = value::encode(key, &after)?;
                    result = Some(Ok(after));
                    Ok(Edited::Set(bytes))
                }
                Err(reason) => {
                    result = Some(Err(reason));
                    Ok(Edited::Refused)
                }
            }
        };
        self.commit(Purpose::Save, Some(Edit { key, change: &mut apply })).await?;
        result.ok_or_else(Error::gone)
    }

    /// Removes what is under `key` and returns it, to one caller only, and stores that with
    /// everything pending.
    ///
    /// For what may be used once: messages, one-time tokens, nonces of a login. Of any number of
    /// requests that take at once, in any number of processes, one gets the value. Where this
    /// request saw nothing under `key`, the store is read once more: ask
    /// [`contains_key`](Self::contains_key) first where most requests find nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec): it cannot be read as `T`; it is not removed.
    /// Else as [`update`](Self::update).
    ///
    /// # Cancellation
    ///
    /// When the future is dropped, the value may be gone with no caller having got it, and never
    /// the other way round.
    pub async fn take<T: DeserializeOwned + Send>(&self, key: impl AsKey<T>) -> Result<Option<T>> {
        let key = key.as_key().to_owned();
        let mut result = None;
        let mut take = |before: Option<&[u8]>| {
            result = before.map(|bytes| value::decode(&key, bytes)).transpose()?;
            Ok(Edited::Remove)
        };
        let committed =
            self.commit(Purpose::Save, Some(Edit { key: &key, change: &mut take })).await?;
        debug_assert_ne!(committed, Committed::Refused);
        Ok(result)
    }

    /// The browser can still be sent a new token.
    pub(super) fn check_head(&self) -> Result<()> {
        if self.lock().phase == Phase::Handling { Ok(()) } else { Err(Error::finished()) }
    }
}

/// What a stored value of another type is to an update.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Misread {
    Fails,
    IsAbsent,
}

/// The longest beginning of `text` that has at most `bytes` bytes.
fn shortened(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// A change that is made now would not be saved.
pub(super) fn check_open(state: &State) -> Result<()> {
    if state.phase == Phase::Finished { Err(Error::finished()) } else { Ok(()) }
}
