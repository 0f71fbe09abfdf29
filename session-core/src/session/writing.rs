//! What a handler may do to a session.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::{Change, Phase, State, value};
use crate::{Error, ManagedSession, Result, Saved, interface::Purpose, record::Data};

impl ManagedSession {
    /// Puts `value` under `key`.
    ///
    /// # Errors
    ///
    /// Nothing is changed then. [`ErrorKind::Codec`](crate::ErrorKind::Codec): `value` cannot be
    /// encoded. [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge): the session would outgrow its
    /// limit. [`ErrorKind::Finished`](crate::ErrorKind::Finished): the head of the response has
    /// left.
    pub fn insert<T: Serialize + ?Sized>(&self, key: impl AsRef<str>, value: &T) -> Result<()> {
        let bytes = value::encode(value)?;
        let mut state = self.lock();
        self.set(&mut state, key.as_ref(), bytes)
    }

    /// Removes what is under `key`; tells whether there was anything.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Finished`](crate::ErrorKind::Finished): the head of the response has left.
    pub fn remove(&self, key: &str) -> Result<bool> {
        let mut state = self.lock();
        check_open(&state)?;
        let found = state.data(|data| data.values.get(key).is_some());
        if found {
            record(&mut state, Change::Remove(key.into()));
        }
        Ok(found)
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
    pub fn remove_as<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let values = self.lock().data(|data| data.values.clone());
        self.remove(key)?;
        values.get(key).map(value::decode).transpose()
    }

    /// Removes all values. Principal, label and lifetime stay; see [`purge`](Self::purge).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Finished`](crate::ErrorKind::Finished): the head of the response has left.
    pub fn clear(&self) -> Result<()> {
        let mut state = self.lock();
        check_open(&state)?;
        if state.may_be_stored() || !state.changes.is_empty() {
            record(&mut state, Change::Clear);
        }
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
        let mut state = self.lock();
        if state.data(|data| data.permanent) != permanent {
            record(&mut state, Change::Permanent(permanent));
        }
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
        if state.data(|data| data.label != label) {
            record(&mut state, Change::Label(label));
        }
        Ok(())
    }

    /// Asks for a new token at the next save: the old one is dead from then on, with no grace, also
    /// for requests under way.
    ///
    /// For every change of privilege that is not a [`bind`](Self::bind), which renews by itself.
    /// The record, its id and its values stay.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Finished`](crate::ErrorKind::Finished): the head of the response has left, and
    /// no cookie can be sent.
    ///
    /// # Source
    ///
    /// OWASP ASVS 5.0, 7.2.4; OWASP Session Management Cheat Sheet, "Renew the Session ID After Any
    /// Privilege Level Change".
    pub fn renew(&self) -> Result<()> {
        self.check_head()?;
        let mut state = self.lock();
        state.renew = state.base.is_some() && !state.purge;
        Ok(())
    }

    /// Ends the session at the next save: all it holds is gone, here at once and in the store then.
    ///
    /// What is put in afterwards belongs to a new session.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Finished`](crate::ErrorKind::Finished): the head of the response has left; use
    /// [`destroy`](Self::destroy).
    pub fn purge(&self) -> Result<()> {
        let mut state = self.lock();
        check_open(&state)?;
        purge(&mut state);
        Ok(())
    }

    /// Ends the session now: when this has returned, its token is refused everywhere, and nothing
    /// that is under way brings it back.
    ///
    /// Returns the same if the session had ended already, or if its token was replaced meanwhile: a
    /// request with the token from before a login has no power over the session after it.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save); the session may then still be alive.
    pub async fn destroy(&self) -> Result<()> {
        purge(&mut self.lock());
        self.commit(Purpose::Save, &mut |_| Ok(())).await.map(|_| ())
    }

    /// Replaces the value under `key` by what `change` makes of it, and stores it with everything
    /// pending.
    ///
    /// Atomic across requests and processes: of 200 increments at once, each gets its own number.
    /// `change` is called again when another writer was faster, so it should do nothing else.
    /// Returns the value that was stored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Gone`](crate::ErrorKind::Gone): the session ended meanwhile; nothing was
    /// stored. [`ErrorKind::Codec`](crate::ErrorKind::Codec) if the value is of another type. Else
    /// as [`save`](Self::save).
    ///
    /// # Cancellation
    ///
    /// When the future is dropped, the update took place or not.
    pub async fn update<T, F>(&self, key: &str, mut change: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send,
        F: FnMut(Option<T>) -> T + Send,
    {
        let mut result = None;
        let mut edit = |data: &mut Data| {
            let before = data.values.get(key).map(value::decode).transpose()?;
            let after = change(before);
            data.values.set(key, &value::encode(&after)?);
            result = Some(after);
            Ok(())
        };
        let saved = self.commit(Purpose::Save, &mut edit).await?;
        settled(saved, result)
    }

    /// Removes what is under `key` and returns it, to one caller only, and stores that with
    /// everything pending.
    ///
    /// For what may be used once: messages, one-time tokens, nonces of a login. Of any number of
    /// requests that take at once, in any number of processes, one gets the value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec): it cannot be read as `T`; it is not removed.
    /// Else as [`update`](Self::update).
    ///
    /// # Cancellation
    ///
    /// When the future is dropped, the value may be gone with nobody having got it, and never the
    /// other way round.
    pub async fn take<T: DeserializeOwned + Send>(&self, key: &str) -> Result<Option<T>> {
        let mut result = Some(None);
        let mut edit = |data: &mut Data| {
            let found = data.values.get(key).map(value::decode).transpose()?;
            data.values.remove(key);
            result = Some(found);
            Ok(())
        };
        let saved = self.commit(Purpose::Save, &mut edit).await?;
        settled(saved, result)
    }

    /// The browser can still be told of a new token.
    pub(crate) fn check_head(&self) -> Result<()> {
        if self.lock().phase == Phase::Handling { Ok(()) } else { Err(Error::finished()) }
    }

    fn set(&self, state: &mut State, key: &str, bytes: Bytes) -> Result<()> {
        check_open(state)?;
        if state.data(|data| data.values.get(key) == Some(&*bytes)) {
            return Ok(());
        }
        let view = state.view();
        let before = view.values.clone();
        view.values.set(key, &bytes);
        let checked = self.interface().shared().check_size(view);
        match &checked {
            Ok(()) => state.changes.push(Change::Set(key.into(), bytes)),
            Err(_) => view.values = before,
        }
        checked
    }
}

fn record(state: &mut State, change: Change) {
    change.apply(state.view());
    state.changes.push(change);
}

fn purge(state: &mut State) {
    state.changes.clear();
    state.renew = false;
    state.purges += 1;
    state.purge = state.may_be_stored();
    state.view = state.purge.then(Data::default);
}

/// The longest beginning of `text` that has at most `bytes` bytes.
fn shortened(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// Nobody would save a change that is made now.
fn check_open(state: &State) -> Result<()> {
    if state.phase == Phase::Finished { Err(Error::finished()) } else { Ok(()) }
}

fn settled<T>(saved: Saved, result: Option<T>) -> Result<T> {
    match saved {
        Saved::Gone => Err(Error::gone()),
        Saved::Unchanged | Saved::Stored => result.ok_or_else(Error::gone),
    }
}
