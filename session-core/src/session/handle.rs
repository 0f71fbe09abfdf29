//! The handle, and its life from opening to the end of the request.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

use super::{
    CookieDue, Known, Life, LoadedSession, Phase, Presented, State, Unknown,
    commit::{Committed, unpoisoned},
    plan::Purpose,
};
use crate::{
    CookieAction, Event, Fingerprint, Result, SessionInterface, Timestamp,
    interface::{Look, Policy, TokenMatch},
};

/// The session of one visitor in one request.
///
/// A snapshot of what was stored when it was opened, and the changes made since. Reading
/// and changing are immediate and touch no store; the changes are stored together when the request
/// ends, or by [`save`](Self::save). Cheap to clone; clones are the same session. `Send` and
/// `Sync`; no method blocks.
///
/// # Keys and values
///
/// Keys are any text, or a [`Key`](crate::Key) that knows the type of its value. Each value is
/// encoded on its own when it is inserted, as MessagePack with the names of fields, and decoded
/// when a handler asks for it.
///
/// What [`insert`](Self::insert) takes, [`get`](Self::get) reads as the same type, whatever serde
/// attributes it has; `serde_json::Value` reads everything. A field that moved is found by its
/// name. A stored value of another type is an error that names the key, the field and both types,
/// and shows no part of the value.
///
/// # What overlapping requests see
///
/// - Changes to different keys are all kept, whichever request ends first.
/// - Of changes to the same key the last to be stored wins. Use [`update`](Self::update) or
///   [`take`](Self::take) where the new value depends on the old one.
/// - A value set to what it already was is no change; a request without changes writes nothing.
/// - After the session was [destroyed](Self::destroy), or its token replaced by
///   [`bind`](Self::bind) or [`renew`](Self::renew) in another request, nothing of this one is
///   stored any more: [`ErrorKind::Gone`](crate::ErrorKind::Gone). A rotation by policy replaces
///   the token only: requests under way go on storing.
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
    /// When the request arrived.
    arrived: Timestamp,
    state: Mutex<State>,
    /// Held while a save is under way: clones of a new session must not store it twice.
    saving: async_lock::Mutex<()>,
}

/// What became of a save.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Saved {
    /// There was nothing to store.
    Unchanged,
    /// Everything is stored.
    Stored,
}

/// How a request ended, for the adapter of a web framework.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished {
    /// What became of changes the handler had not saved itself.
    pub saved: Saved,
    /// Which cookie to send.
    pub cookie: CookieAction,
}

impl ManagedSession {
    pub(crate) fn unknown(
        interface: SessionInterface,
        arrived: Timestamp,
        unknown: Unknown,
    ) -> Self {
        Self::with(interface, arrived, Life::Unknown(unknown), CookieDue::Keep)
    }

    pub(crate) fn known(
        interface: SessionInterface,
        arrived: Timestamp,
        loaded: LoadedSession,
        reissue: bool,
    ) -> Self {
        let due = if reissue { CookieDue::Reissued } else { CookieDue::Keep };
        Self::with(interface, arrived, Life::Known(Known { loaded, attempt: None }), due)
    }

    fn with(interface: SessionInterface, arrived: Timestamp, life: Life, due: CookieDue) -> Self {
        let handle = Handle {
            interface,
            arrived,
            state: Mutex::new(State::new(life, due)),
            saving: async_lock::Mutex::new(()),
        };
        Self { handle: Arc::new(handle) }
    }

    pub(super) fn interface(&self) -> &SessionInterface {
        &self.handle.interface
    }

    pub(super) fn arrived(&self) -> Timestamp {
        self.handle.arrived
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        unpoisoned(self.handle.state.lock())
    }

    pub(super) fn saving(&self) -> &async_lock::Mutex<()> {
        &self.handle.saving
    }

    /// Stores the changes made so far, in one write.
    ///
    /// Needed only where the handler goes on after the response has begun, or wants to handle a
    /// failure itself: at the end of a request the changes are stored anyway. A handler that
    /// calls this after its response's head has left saves by itself from then on: later changes
    /// are accepted, and lost if it does not call this again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Gone`](crate::ErrorKind::Gone): the session ended, or its token was replaced,
    /// while the request was running; the changes were dropped. Over HTTP this is 409.
    ///
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable), [`Full`](crate::ErrorKind::Full),
    /// [`Contended`](crate::ErrorKind::Contended): nothing was stored that can be relied on; the
    /// changes are kept, and saving again may help. [`TooLarge`](crate::ErrorKind::TooLarge):
    /// together with what other requests stored meanwhile it is too much.
    /// [`Ambiguous`](crate::ErrorKind::Ambiguous): the visitor has to log in again.
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
        self.commit(Purpose::Save, None).await.map(Saved::from)
    }

    /// Ends the request: stores what is pending, does the housekeeping, and returns which cookie to
    /// send.
    ///
    /// For middleware; call it once, when the handler has answered and before the head of the
    /// response leaves. After it, changes are [`ErrorKind::Finished`](crate::ErrorKind::Finished)
    /// errors until the handler [saves](Self::save) by itself.
    ///
    /// A cookie whose token this request neither made nor replaced just now is decided against the
    /// newest record, so that a slow response does not overwrite the cookie of a later login. That
    /// costs one read of the store, for those responses only.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save): answer with an error, for what the handler believes stored is not,
    /// and send the cookie that [`take_cookie`](Self::take_cookie) returns with it.
    /// Housekeeping (activity, rotation, a new seal) never fails a request.
    pub async fn finish(&self) -> Result<Finished> {
        let (has_changes, has_work, due) = {
            let mut state = self.lock();
            state.phase = Phase::Finished;
            let has_changes = state.has_changes();
            let has_work = has_changes || state.is_unsure() || !self.is_at_rest(&state);
            (has_changes, has_work, state.cookie)
        };
        if !has_work && due == CookieDue::Keep {
            return Ok(Finished { saved: Saved::Unchanged, cookie: CookieAction::Keep });
        }
        // Few requests have anything to commit, and in line it would make the future of every
        // one too large for an allocator's lists of small blocks.
        Box::pin(self.finish_work(has_changes, has_work)).await
    }

    async fn finish_work(&self, has_changes: bool, has_work: bool) -> Result<Finished> {
        let committed = if has_work {
            self.commit(Purpose::Finish, None).await
        } else {
            Ok(Committed::Unchanged)
        };
        let is_newest = matches!(committed, Ok(Committed::Stored));
        let saved = match committed {
            // Nothing the handler did depends on housekeeping.
            Err(_) if !has_changes => Saved::Unchanged,
            committed => committed?.into(),
        };
        if !is_newest {
            self.check_cookie().await;
        }
        Ok(Finished { saved, cookie: self.take_cookie() })
    }

    /// Drops a cookie that the newest record does not accept any more.
    async fn check_cookie(&self) {
        let (due, loaded) = {
            let state = self.lock();
            (state.cookie, state.loaded().cloned())
        };
        let Some(loaded) = loaded else { return };
        if !matches!(due, CookieDue::Changed | CookieDue::Reissued) {
            return;
        }
        let shared = self.interface().shared();
        let is_accepted = match shared.look_past_caches(loaded.id()).await {
            Ok(Look::Live(_, contents)) => {
                let now = shared.now();
                let found = TokenMatch::of(&loaded.token, loaded.id(), &contents, now);
                matches!(found, TokenMatch::Current)
            }
            Ok(Look::Nothing | Look::Unreadable(_)) => false,
            // The token of a login is most likely still the newest; one that is only sent again is
            // not worth the risk.
            Err(_) => due == CookieDue::Changed,
        };
        if !is_accepted {
            self.lock().cookie = CookieDue::Keep;
        }
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
        let (due, loaded) = {
            let mut state = self.lock();
            (std::mem::take(&mut state.cookie), state.loaded().cloned())
        };
        match (due, loaded) {
            (CookieDue::Remove, _) => CookieAction::Remove,
            (CookieDue::Keep, _) | (_, None) => CookieAction::Keep,
            (CookieDue::Begun | CookieDue::Changed | CookieDue::Reissued, Some(loaded)) => {
                self.interface().shared().issue(&loaded)
            }
        }
    }

    /// Whether there is surely no housekeeping to do.
    fn is_at_rest(&self, state: &State) -> bool {
        let Life::Known(known) = state.life() else { return true };
        let loaded = &known.loaded;
        let shared = self.interface().shared();
        let (policy, contents, now) = (&shared.policy, &*loaded.contents, shared.now());
        let rotation_due =
            policy.rotate_every.is_some_and(|every| now >= contents.token_at.saturating_add(every));
        let has_work = match loaded.presented {
            Presented::Current => contents.kept.is_some(),
            Presented::Nothing => contents.is_empty(),
            Presented::Earlier(_) | Presented::Outdated => false,
        };
        !has_work
            && !rotation_due
            && contents.rotation.is_none()
            // A cookie may wait to be sent, and is of no use for what ended meanwhile.
            && !loaded.record.is_expired(now)
            && !Policy::is_skewed(contents, now)
            && policy.touch_due(&loaded.record, contents, now).is_none()
            && !crate::interface::Shared::is_retired(
                shared.keys.load().standing(loaded.record.key_id()),
            )
    }

    /// What the session is called in the logs of this process; `None` while nothing is stored.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.lock().id().map(|id| Fingerprint::of(&id))
    }
}

impl From<Committed> for Saved {
    fn from(committed: Committed) -> Self {
        match committed {
            Committed::Stored => Self::Stored,
            Committed::Unchanged | Committed::Refused => Self::Unchanged,
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let state = unpoisoned(self.state.get_mut());
        if state.has_changes() {
            let id = state.id();
            let event = match state.phase {
                // The client left, or the handler panicked.
                Phase::Handling => Event::Abandoned,
                Phase::Finished | Phase::Late => Event::Lost,
            };
            self.interface.shared().events.tell(event, id.as_ref());
        }
    }
}

impl fmt::Debug for ManagedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let life = match state.life() {
            Life::Unknown(_) => "unknown",
            Life::Known(_) => "known",
            Life::Ended(_) => "ended",
            Life::Ending(_) => "ending",
        };
        f.debug_struct("ManagedSession")
            .field("life", &life)
            .field("is_modified", &state.has_changes())
            .finish_non_exhaustive()
    }
}
