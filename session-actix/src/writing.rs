//! What a handler may do to a session.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use session_core::{Saved, SessionHandle, SessionInfo};

use crate::{AsKey, Error, KeyName, Result, Session};

impl<N> Session<N> {
    /// Puts `value` under `key`.
    ///
    /// # Errors
    ///
    /// Nothing is changed then. [`Codec`](session_core::ErrorKind::Codec): `value` cannot be
    /// encoded. [`TooLarge`](session_core::ErrorKind::TooLarge): the session would outgrow its
    /// limit. [`Finished`](session_core::ErrorKind::Finished): the head of the response has left.
    pub fn insert<T: Serialize>(&self, key: impl AsKey<T>, value: T) -> Result<()> {
        Ok(self.managed()?.insert(key, &value)?)
    }

    /// Removes what is under `key`; tells whether there was anything.
    ///
    /// # Errors
    ///
    /// [`Finished`](session_core::ErrorKind::Finished): the head of the response has left.
    pub fn remove(&self, key: impl KeyName) -> Result<bool> {
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
    pub fn remove_as<T: DeserializeOwned>(&self, key: impl AsKey<T>) -> Result<Option<T>> {
        Ok(self.managed()?.remove_as(key)?)
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

    /// Ends the session `duration` from now, if the lifetimes do not end it before: for a device
    /// that is shared, say. A login starts the usual lifetime again unless the same request limits
    /// it too.
    ///
    /// # Errors
    ///
    /// [`Finished`](session_core::ErrorKind::Finished): the head of the response has left.
    pub fn limit_to(&self, duration: Duration) -> Result<()> {
        Ok(self.managed()?.limit_to(duration)?)
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
        Ok(self.managed()?.update(key, change).await?)
    }

    /// As [`update`](Self::update), but a stored value that cannot be read as `T` counts as absent:
    /// for values whose type changed and that may start over.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub async fn update_or_reset<T, F>(&self, key: impl AsKey<T>, change: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send,
        F: FnMut(Option<T>) -> T + Send,
    {
        Ok(self.managed()?.update_or_reset(key, change).await?)
    }

    /// As [`update`](Self::update), but `change` may refuse: then nothing is written, neither the
    /// value nor what is pending, and its error is the inner one.
    ///
    /// # Errors
    ///
    /// The outer ones as [`update`](Self::update).
    ///
    /// # Examples
    ///
    /// ```
    /// use actix_web::error::ErrorConflict;
    /// use session_actix::Session;
    ///
    /// async fn buy(session: Session) -> actix_web::Result<String> {
    ///     let pay = |credits: Option<u32>| credits.unwrap_or(0).checked_sub(5).ok_or("too few");
    ///     let left = session.try_update("credits", pay).await?.map_err(ErrorConflict)?;
    ///     Ok(format!("{left} left"))
    /// }
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
        Ok(self.managed()?.try_update(key, change).await?)
    }

    /// Removes what is under `key` and returns it, to one caller only, and stores that with
    /// everything pending: for messages, one-time tokens, nonces of a login.
    ///
    /// # Errors
    ///
    /// [`Codec`](session_core::ErrorKind::Codec): it cannot be read as `T`; it is not removed. Else
    /// as [`update`](Self::update).
    pub async fn take<T: DeserializeOwned + Send>(&self, key: impl AsKey<T>) -> Result<Option<T>> {
        Ok(self.managed()?.take(key).await?)
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

    /// Takes the session from its principal and keeps the values under the keys in `keep`: a logout
    /// that leaves a language or a cart. Stored when it returns; the token is replaced and the
    /// lifetime begins again. Without anything to keep, [`destroy`](Self::destroy) it.
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    pub async fn unbind(&self, keep: &[&str]) -> Result<()> {
        Ok(self.managed()?.unbind(keep).await?)
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

    /// Stores the changes made so far.
    ///
    /// Needed only where the handler wants to know that it worked, or goes on after the head of the
    /// response has left.
    ///
    /// # Errors
    ///
    /// [`Gone`](session_core::ErrorKind::Gone): the session ended, or its token was replaced, while
    /// the request was running; the changes were dropped.
    /// [`Ambiguous`](session_core::ErrorKind::Ambiguous): the visitor has to log in again.
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

    /// Keeps the session alive: for web sockets and streams that are in use, as often as you
    /// like.
    ///
    /// The store is asked once a tenth of the idle timeout has passed. Never moves the end past the
    /// absolute one, and never revives what is over.
    ///
    /// # Errors
    ///
    /// [`Gone`](session_core::ErrorKind::Gone): the session ended; close the connection.
    /// [`Unavailable`](session_core::ErrorKind::Unavailable): not known; try again.
    pub async fn touch(&self) -> Result<()> {
        Ok(self.managed()?.touch().await?)
    }

    /// Waits until the session has ended: for web sockets and streams that should close then,
    /// beside whatever else they wait for. Where the store reports changes it returns at once when
    /// it does; else the store is asked every ten seconds. An outage is waited out.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](session_core::ErrorKind::Unavailable) if the session
    /// [is degraded](Self::is_degraded).
    pub async fn ended(&self) -> Result<()> {
        Ok(self.managed()?.ended().await?)
    }

    /// Reads the session again: what other requests stored since is seen here, with the changes of
    /// this one on top.
    ///
    /// # Errors
    ///
    /// [`Gone`](session_core::ErrorKind::Gone): the session ended, or its token was replaced by a
    /// login. [`Unavailable`](session_core::ErrorKind::Unavailable): nothing changed here.
    pub async fn reload(&self) -> Result<()> {
        Ok(self.managed()?.reload().await?)
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
    /// Ends all sessions of this session's principal, this one too: "log out everywhere". Tells how
    /// many. The browser is told to forget the cookie.
    ///
    /// # Errors
    ///
    /// As [`sessions`](Self::sessions) and [`destroy`](Self::destroy).
    ///
    /// # Source
    ///
    /// OWASP ASVS 5.0, 7.4.3.
    pub async fn revoke_all(&self) -> Result<u64> {
        Ok(self.managed()?.revoke_all().await?)
    }
}
