//! What a handler may do to a session.

use serde::{Serialize, de::DeserializeOwned};
use session_core::{Saved, SessionHandle, SessionInfo};

use crate::{AsKey, Error, Result, Session};

impl<N> Session<N> {
    /// Puts `value` under `key`.
    ///
    /// # Errors
    ///
    /// Nothing is changed then. [`Codec`](session_core::ErrorKind::Codec): `value` cannot be
    /// encoded. [`TooLarge`](session_core::ErrorKind::TooLarge): the session would outgrow its
    /// limit. [`Finished`](session_core::ErrorKind::Finished): the head of the response has left.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the key's type says which type the value has"
    )]
    pub fn insert<T: Serialize>(&self, key: impl AsKey<T>, value: T) -> Result<()> {
        Ok(self.managed()?.insert(key.as_key(), &value)?)
    }

    /// Removes what is under `key`; tells whether there was anything.
    ///
    /// # Errors
    ///
    /// [`Finished`](session_core::ErrorKind::Finished): the head of the response has left.
    pub fn remove(&self, key: &str) -> Result<bool> {
        Ok(self.managed()?.remove(key)?)
    }

    /// Removes what is under `key` and returns it.
    ///
    /// Two requests at once may both get it; [`take`](Self::take) has one winner.
    ///
    /// # Errors
    ///
    /// [`Codec`](session_core::ErrorKind::Codec): it cannot be read as `T`; it is removed all the
    /// same. [`Finished`](session_core::ErrorKind::Finished) as in [`remove`](Self::remove).
    #[expect(clippy::needless_pass_by_value, reason = "a key is text or a constant")]
    pub fn remove_as<T: DeserializeOwned>(&self, key: impl AsKey<T>) -> Result<Option<T>> {
        Ok(self.managed()?.remove_as(key.as_key())?)
    }

    /// Removes all values. Principal, label and lifetime stay; see [`purge`](Self::purge).
    ///
    /// # Errors
    ///
    /// [`Finished`](session_core::ErrorKind::Finished): the head of the response has left.
    pub fn clear(&self) -> Result<()> {
        Ok(self.managed()?.clear()?)
    }

    /// Ends the session when the handler has answered: all it holds is gone, here at once and in
    /// the store then, and the browser is told to forget the cookie. What is put in afterwards
    /// belongs to a new session.
    ///
    /// # Errors
    ///
    /// [`Finished`](session_core::ErrorKind::Finished): the head of the response has left; use
    /// [`destroy`](Self::destroy).
    pub fn purge(&self) -> Result<()> {
        Ok(self.managed()?.purge()?)
    }

    /// Asks for a new token: the old one is dead when the response leaves, with no grace, also for
    /// requests under way. [`bind`](Self::bind) renews by itself.
    ///
    /// # Errors
    ///
    /// [`Finished`](session_core::ErrorKind::Finished): the head of the response has left.
    pub fn renew(&self) -> Result<()> {
        Ok(self.managed()?.renew()?)
    }

    /// Makes the session permanent, or no longer so: gives it the longer or the usual lifetime,
    /// counted from the last login.
    ///
    /// # Errors
    ///
    /// [`Finished`](session_core::ErrorKind::Finished): the head of the response has left.
    pub fn set_permanent(&self, permanent: bool) -> Result<()> {
        Ok(self.managed()?.set_permanent(permanent)?)
    }

    /// Calls the session something its owner recognises in a list: the browser and system, say. At
    /// most 256 bytes are kept.
    ///
    /// # Errors
    ///
    /// [`Finished`](session_core::ErrorKind::Finished): the head of the response has left.
    pub fn set_label(&self, label: Option<&str>) -> Result<()> {
        Ok(self.managed()?.set_label(label)?)
    }

    /// Replaces the value under `key` by what `change` makes of it, and stores it with everything
    /// pending. Returns the value that was stored.
    ///
    /// Atomic across requests and processes: of 200 increments at once, each gets its own number.
    /// `change` is called again when another writer was faster, so it should do nothing else.
    ///
    /// # Errors
    ///
    /// [`Gone`](session_core::ErrorKind::Gone): the session ended meanwhile; nothing was stored.
    /// [`Codec`](session_core::ErrorKind::Codec): the value is of another type. Else as
    /// [`save`](Self::save).
    pub async fn update<T, F>(&self, key: impl AsKey<T>, change: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send,
        F: FnMut(Option<T>) -> T + Send,
    {
        Ok(self.managed()?.update(key.as_key(), change).await?)
    }

    /// Removes what is under `key` and returns it, to one caller only, and stores that with
    /// everything pending: for messages, one-time tokens, nonces of a login.
    ///
    /// # Errors
    ///
    /// [`Codec`](session_core::ErrorKind::Codec): it cannot be read as `T`; it is not removed. Else
    /// as [`update`](Self::update).
    pub async fn take<T: DeserializeOwned + Send>(&self, key: impl AsKey<T>) -> Result<Option<T>> {
        Ok(self.managed()?.take(key.as_key()).await?)
    }

    /// Gives the session to `principal`: a login. Stored, with everything pending, when it returns;
    /// the token from before is dead.
    ///
    /// Values put in before stay (a cart), unless the session belonged to another principal: those
    /// are cleared. See [`ManagedSession::bind`](session_core::ManagedSession::bind).
    ///
    /// # Errors
    ///
    /// [`TooManySessions`](session_core::ErrorKind::TooManySessions): by the application's limit.
    /// [`Gone`](session_core::ErrorKind::Gone): the session ended, or somebody logged in with it,
    /// meanwhile. [`Finished`](session_core::ErrorKind::Finished): the head of the response has
    /// left. [`Config`](session_core::ErrorKind::Config): a name of no bytes or of more than 1,024.
    /// Else as [`save`](Self::save).
    pub async fn bind(&self, principal: &str) -> Result<()> {
        Ok(self.managed()?.bind(principal).await?)
    }

    /// Ends the session now: a logout. When this has returned, its token is refused everywhere, and
    /// nothing that is under way brings it back.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save); the session may then still be alive.
    pub async fn destroy(&self) -> Result<()> {
        Ok(self.managed()?.destroy().await?)
    }

    /// Stores the changes made so far, and tells what became of them.
    ///
    /// Needed only where the handler wants to know, or goes on after the head of the response has
    /// left.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](session_core::ErrorKind::Unavailable),
    /// [`Full`](session_core::ErrorKind::Full), [`Contended`](session_core::ErrorKind::Contended):
    /// nothing was stored that can be relied on; the changes are kept, and saving again may help.
    /// [`TooLarge`](session_core::ErrorKind::TooLarge): together with what other requests stored
    /// meanwhile it is too much.
    pub async fn save(&self) -> Result<Saved> {
        Ok(self.managed()?.save().await?)
    }

    /// Whether the session is still alive in the store: for long connections to ask now and then.
    ///
    /// A session of which nothing is stored yet is not alive.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](session_core::ErrorKind::Unavailable): not known; ask again.
    pub async fn is_live(&self) -> Result<bool> {
        Ok(self.managed()?.is_live().await?)
    }

    /// All live sessions of this session's principal, in no order; empty if nobody logged in.
    ///
    /// # Errors
    ///
    /// [`Config`](session_core::ErrorKind::Config): the manager cannot list. Else those of the
    /// store.
    pub async fn sessions(&self) -> Result<Vec<SessionInfo>> {
        match self.managed()?.principal() {
            Some(principal) => Ok(self.shared().interface.sessions_of(&principal).await?),
            None => Ok(Vec::new()),
        }
    }

    /// Ends the session called `handle`, if it belongs to this session's principal; else `false`.
    ///
    /// # Errors
    ///
    /// As [`sessions`](Self::sessions).
    pub async fn revoke(&self, handle: &SessionHandle) -> Result<bool> {
        match self.managed()?.principal() {
            Some(principal) => Ok(self.shared().interface.revoke(&principal, handle).await?),
            None => Ok(false),
        }
    }

    /// Ends all other sessions of this session's principal; tells how many.
    ///
    /// # Errors
    ///
    /// As [`sessions`](Self::sessions). [`Gone`](session_core::ErrorKind::Gone): nobody logged in
    /// here, or not yet stored.
    ///
    /// # Source
    ///
    /// OWASP ASVS 5.0, 7.4.3.
    pub async fn revoke_others(&self) -> Result<u64> {
        let session = self.managed()?;
        let Some(principal) = session.principal() else { return Ok(0) };
        let own = session.handle().ok_or_else(Error::gone)?;
        Ok(self.shared().interface.revoke_all(&principal, Some(&own)).await?)
    }
}
