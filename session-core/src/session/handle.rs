//! The handle, and its life from opening to the end of the request.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

use super::{Phase, State};
use crate::{
    CookieAction, Event, Result, SessionInterface,
    interface::{Base, Purpose, unpoisoned},
    token::Token,
};

/// The session of one visitor in one request.
///
/// A snapshot of what was stored when it was opened, and the changes made since, in order. Reading
/// and changing are immediate and touch no store; the changes are stored together when the request
/// ends, or by [`save`](Self::save). Cheap to clone; clones are the same session. `Send` and
/// `Sync`; no method blocks.
///
/// # Keys and values
///
/// Keys are any text. Each value is encoded on its own, as MessagePack with field names, when it is
/// inserted, and decoded when a handler asks for it: a field that moved, or a type that changed, is
/// refused and never misread.
///
/// # What overlapping requests see
///
/// - Changes to different keys are all kept, whichever request ends first.
/// - Of changes to the same key the last to be stored wins. Use [`update`](Self::update) or
///   [`take`](Self::take) where the new value depends on the old one.
/// - A value set to what it already was is no change; a request without changes writes nothing.
/// - After the session was [destroyed](Self::destroy), or its token replaced by
///   [`bind`](Self::bind) or [`renew`](Self::renew) in another request, nothing of this one is
///   stored any more: [`Saved::Gone`].
///
/// # Examples
///
/// ```
/// # use session_core::{ManagedSession, Result};
/// # async fn handler(session: ManagedSession) -> Result<()> {
/// session.insert("theme", "dark")?;
/// let theme: Option<String> = session.get("theme")?;
/// let visits = session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ManagedSession {
    handle: Arc<Handle>,
}

struct Handle {
    interface: SessionInterface,
    state: Mutex<State>,
    /// Held while a save is under way: clones of a new session must not store it twice.
    saving: async_lock::Mutex<()>,
}

/// What became of a save.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle every answer")]
#[must_use = "changes of a session that is gone were dropped: the visitor should be told"]
pub enum Saved {
    /// There was nothing to store.
    Unchanged,
    /// Everything is stored.
    Stored,
    /// The session had ended, or its token was replaced, while the request was running. The changes
    /// were dropped and nothing was stored; over HTTP this is 409.
    Gone,
}

/// How a request ended, for whoever speaks HTTP.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// What became of changes the handler had not saved itself.
    pub saved: Saved,
    /// Which cookie to send.
    pub cookie: CookieAction,
}

impl ManagedSession {
    pub(crate) fn unknown(interface: SessionInterface, stale: Option<crate::Timestamp>) -> Self {
        Self::with(interface, State { stale, ..State::default() })
    }

    pub(crate) fn known(interface: SessionInterface, base: Base, cookie: CookieAction) -> Self {
        Self::with(interface, State { base: Some(base), cookie, ..State::default() })
    }

    fn with(interface: SessionInterface, state: State) -> Self {
        let handle =
            Handle { interface, state: Mutex::new(state), saving: async_lock::Mutex::new(()) };
        Self { handle: Arc::new(handle) }
    }

    pub(crate) fn interface(&self) -> &SessionInterface {
        &self.handle.interface
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        unpoisoned(self.handle.state.lock())
    }

    pub(crate) fn saving(&self) -> &async_lock::Mutex<()> {
        &self.handle.saving
    }

    /// Stores the changes made so far, in one write.
    ///
    /// Needed only where the handler wants to know what became of them, or goes on after the
    /// response has begun: at the end of a request the changes are stored anyway. A handler that
    /// calls this after its response's head has left saves by itself from then on: later changes
    /// are accepted, and lost if it does not call this again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable), [`Full`](crate::ErrorKind::Full),
    /// [`Contended`](crate::ErrorKind::Contended): nothing was stored that can be relied on; the
    /// changes are kept, and saving again may help. [`TooLarge`](crate::ErrorKind::TooLarge):
    /// together with what other requests stored meanwhile it is too much.
    ///
    /// # Cancellation
    ///
    /// The write took place whole or not at all; the changes are kept and saved again at the end.
    pub async fn save(&self) -> Result<Saved> {
        {
            let mut state = self.lock();
            if state.phase == Phase::Finished {
                state.phase = Phase::Late;
            }
        }
        self.commit(Purpose::Save, &mut |_| Ok(())).await
    }

    /// Ends the request: stores what is pending, does the housekeeping, and tells which cookie to
    /// send.
    ///
    /// For middleware; call it once, when the handler has answered and before the head of the
    /// response leaves. After it, changes are [`ErrorKind::Finished`](crate::ErrorKind::Finished)
    /// errors until the handler [saves](Self::save) by itself.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save): answer with an error, for what the handler believes stored is not,
    /// and send the cookie that [`take_cookie`](Self::take_cookie) returns with it.
    /// Housekeeping (activity, rotation, a new seal) never fails a request.
    pub async fn finish(&self) -> Result<Finished> {
        let (has_changes, is_at_rest) = {
            let mut state = self.lock();
            state.phase = Phase::Finished;
            (state.has_changes(), !state.unsure && self.is_at_rest(&state))
        };
        let saved = if !has_changes && is_at_rest {
            Saved::Unchanged
        } else {
            // Few requests have anything to commit, and in line it would make the future of every
            // one too large for an allocator's lists of small blocks.
            match Box::pin(self.commit(Purpose::Finish, &mut |_| Ok(()))).await {
                // Nothing the handler did depends on housekeeping.
                Ok(Saved::Gone) | Err(_) if !has_changes => Saved::Unchanged,
                saved => saved?,
            }
        };
        Ok(Finished { saved, cookie: self.take_cookie() })
    }

    /// Says that the request has ended before this session was opened: by a streaming body, say.
    ///
    /// For middleware, in place of [`finish`](Self::finish), which would come too late to send a
    /// cookie. From here on changes are errors as they are after it; nothing is stored.
    pub fn conclude(&self) {
        self.lock().phase = Phase::Finished;
    }

    /// The cookie that is still to be sent when [`finish`](Self::finish) failed.
    ///
    /// A login may have been stored before the write that failed: its token is the only one that
    /// works, so the error has to bring it to the browser.
    pub fn take_cookie(&self) -> CookieAction {
        std::mem::take(&mut self.lock().cookie)
    }

    /// Whether there is surely no housekeeping to do.
    fn is_at_rest(&self, state: &State) -> bool {
        let Some(base) = state.base.as_ref().filter(|_| !state.gone) else { return true };
        let shared = self.interface().shared();
        let (policy, contents, now) = (&shared.policy, &base.contents, shared.now());
        let rotation_due =
            policy.rotate_every.is_some_and(|every| now >= contents.token_at.saturating_add(every));
        contents.rotation.is_none()
            && !rotation_due
            && !contents.is_empty()
            // A cookie may wait to be sent, and is of no use for what ended meanwhile.
            && !base.record.is_expired(now)
            && policy.touch_due(&base.record, contents, now).is_none()
            && !crate::interface::Shared::is_retired(
                shared.keys.load().standing(base.record.key_id()),
            )
    }

    /// Whether the session, as this request holds it, is still alive in the store: for long
    /// connections to ask now and then.
    ///
    /// A session of which nothing is stored yet is not alive. Asks the manager, so behind a cache
    /// the answer is as new as the cache promises.
    pub async fn is_live(&self) -> Result<bool> {
        let Some(base) = self.lock().base.clone() else { return Ok(false) };
        if self.lock().gone {
            return Ok(false);
        }
        let shared = self.interface().shared();
        let found = shared.look(base.id()).await?;
        Ok(found.is_some_and(|(_, contents)| {
            let held = crate::interface::Held::by(&base.token, base.id(), &contents, shared.now());
            !matches!(held, crate::interface::Held::Stale)
        }))
    }
}

impl Token {
    /// Whether both are the same token, in constant time.
    pub(crate) fn is(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(&self.as_bytes()[..], &other.as_bytes()[..]).into()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let state = unpoisoned(self.state.get_mut());
        if state.has_changes() {
            let id = state.base.as_ref().map(Base::id);
            self.interface.shared().events.tell(Event::Lost, id);
        }
    }
}

impl fmt::Debug for ManagedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("ManagedSession")
            .field("is_new", &state.base.is_none())
            .field("changes", &state.changes.len())
            .field("gone", &state.gone)
            .finish_non_exhaustive()
    }
}
