//! What a request knows of its session and wants of it: every transition is here.

use std::sync::Arc;

use super::{
    Pending,
    life::{Attempt, Before, Claim, Ended, Known, Life, LoadedSession, Presented, Unknown},
};
use crate::{SessionId, Timestamp, Version};

/// Which cookie the response needs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum CookieDue {
    #[default]
    Keep,
    Remove,
    /// The session began in this request: no one else has its token.
    Begun,
    /// This request changed the token or the lifetime.
    Changed,
    /// The browser has a predecessor of the token, or a cookie signed by a retired key.
    Reissued,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Phase {
    /// The handler runs; the end of the request stores what it changes.
    #[default]
    Handling,
    /// The end was: nothing is stored any more.
    Finished,
    /// The handler saves by itself.
    Late,
}

/// All that a request knows of its session and wants of it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) life: Life,
    pub(super) pending: Pending,
    /// Taken out of `pending` by the save that is under way.
    pub(super) trying: Option<Arc<Pending>>,
    /// What the values count for, with the changes; `None` until it is needed.
    pub(super) bytes: Option<usize>,
    pub(super) phase: Phase,
    pub(super) cookie: CookieDue,
}

impl State {
    pub(super) fn new(life: Life, cookie: CookieDue) -> Self {
        Self {
            life,
            pending: Pending::default(),
            trying: None,
            bytes: None,
            phase: Phase::Handling,
            cookie,
        }
    }

    pub(super) fn life(&self) -> &Life {
        &self.life
    }

    /// The session as it was last seen, unless the handler asked for its end.
    pub(super) fn loaded(&self) -> Option<&LoadedSession> {
        match &self.life {
            Life::Known(known) => Some(&known.loaded),
            Life::Ended(ended) => ended.last.as_ref(),
            Life::Unknown(_) | Life::Ending(_) => None,
        }
    }

    /// The session this request holds or is to end.
    pub(super) fn id(&self) -> Option<SessionId> {
        match &self.life {
            Life::Known(known) | Life::Ending(Before::Known(known)) => Some(*known.loaded.id()),
            Life::Ended(ended) => ended.last.as_ref().map(|last| *last.id()),
            Life::Unknown(_) | Life::Ending(Before::Unknown(_)) => None,
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        matches!(self.life, Life::Ended(_))
    }

    pub(super) fn is_ending(&self) -> bool {
        matches!(self.life, Life::Ending(_))
    }

    /// Whether the handler asked for anything that is not stored.
    pub(super) fn has_changes(&self) -> bool {
        self.is_ending() || !self.pending.is_empty() || self.trying.is_some()
    }

    pub(super) fn renews(&self) -> bool {
        self.layers().any(|layer| layer.renew)
    }

    /// Whether an answer is missing that the next save has to ask for.
    pub(super) fn is_unsure(&self) -> bool {
        match &self.life {
            Life::Unknown(unknown) => unknown.attempt.is_some(),
            Life::Known(known) => known.attempt.as_ref().is_some_and(|attempt| attempt.is_unsure),
            Life::Ended(_) | Life::Ending(_) => false,
        }
    }

    /// Asks for a new token.
    pub(super) fn renew(&mut self) {
        self.pending.renew = matches!(self.life, Life::Known(_));
    }

    /// The handler asks for the end of the session: what it wanted so far is dropped.
    pub(super) fn end(&mut self) {
        self.drop_changes();
        let unknown = |is_overtaken| Unknown { is_overtaken, ..Unknown::default() };
        self.life = match std::mem::replace(&mut self.life, Life::Unknown(Unknown::default())) {
            Life::Known(known) => Life::Ending(Before::Known(known)),
            Life::Unknown(mut unknown) => {
                unknown.disown();
                if unknown.has_something_to_end() {
                    Life::Ending(Before::Unknown(unknown))
                } else {
                    Life::Unknown(unknown)
                }
            }
            // It has ended already.
            Life::Ended(ended) => Life::Unknown(unknown(ended.is_overtaken)),
            life @ Life::Ending(_) => life,
        };
    }

    /// What is pending, taken out for a save.
    pub(super) fn take_pending(&mut self) -> Arc<Pending> {
        let pending = Arc::new(std::mem::take(&mut self.pending));
        self.trying = (!pending.is_empty()).then(|| Arc::clone(&pending));
        pending
    }

    /// The save failed: what it took out comes before what was asked for since.
    pub(super) fn put_back(&mut self) {
        if let Some(trying) = self.trying.take() {
            let later = std::mem::take(&mut self.pending);
            self.pending = Arc::unwrap_or_clone(trying).then(later);
        }
    }

    /// There is nothing to store of what the save took out: it comes to nothing, or there is no
    /// value to keep for this visitor. What a session is to be like waits for its first value.
    pub(super) fn settle(&mut self) {
        let trying = self.trying.take();
        self.bytes = None;
        if let Some(trying) = trying
            && matches!(self.life, Life::Unknown(_))
            && self.phase == Phase::Handling
        {
            let later = std::mem::take(&mut self.pending);
            self.pending = Arc::unwrap_or_clone(trying).into_settings().then(later);
        }
    }

    /// Whether a save may still carry out what it planned for `life` and `taken`: the handler may
    /// have asked for the end of the session since.
    pub(super) fn agrees_with(&self, life: &Life, taken: &Pending) -> bool {
        std::mem::discriminant(&self.life) == std::mem::discriminant(life)
            && self.trying.is_some() != taken.is_empty()
    }

    /// A put is asked for that makes a session, or replaces its token.
    pub(super) fn attempts(&mut self, attempt: &Attempt) {
        let attempt = Some(Attempt { is_unsure: true, ..attempt.clone() });
        match &mut self.life {
            Life::Unknown(unknown) => unknown.attempt = attempt,
            Life::Known(known) => known.attempt = attempt,
            Life::Ended(_) | Life::Ending(_) => {}
        }
    }

    /// The put certainly did not take place.
    pub(super) fn refused(&mut self) {
        if let Life::Known(Known { attempt: Some(attempt), .. }) = &mut self.life {
            attempt.is_unsure = false;
        }
    }

    /// What the save took out is stored in `loaded`. Its end may have been asked for meanwhile.
    pub(super) fn stored_as(&mut self, loaded: LoadedSession, due: CookieDue, renewed: bool) {
        if let Some(trying) = self.trying.take()
            && trying.renew
            && !renewed
        {
            self.pending.renew = true;
        }
        self.issue(due);
        self.know(loaded);
    }

    /// A newer record of the session was read; what is pending is to be applied to it.
    pub(super) fn reloaded(&mut self, loaded: LoadedSession, due: CookieDue) {
        let attempt = match &mut self.life {
            Life::Known(known) => known.attempt.take(),
            _ => None,
        };
        self.issue(due);
        self.know(loaded);
        if let Life::Known(known) = &mut self.life {
            known.attempt = attempt.map(|attempt| Attempt { is_unsure: false, ..attempt });
        }
    }

    /// The save whose answer was lost took place: it left `loaded`.
    pub(super) fn recognised(&mut self, loaded: LoadedSession) {
        let began = matches!(loaded.presented, Presented::Nothing);
        self.pending.renew = false;
        self.issue(if began { CookieDue::Begun } else { CookieDue::Changed });
        self.know(loaded);
    }

    fn know(&mut self, loaded: LoadedSession) {
        let known = Known { loaded, attempt: None };
        self.bytes = None;
        self.life =
            if self.is_ending() { Life::Ending(Before::Known(known)) } else { Life::Known(known) };
    }

    fn issue(&mut self, due: CookieDue) {
        if due != CookieDue::Keep && self.cookie != CookieDue::Begun {
            self.cookie = due;
        }
    }

    /// The creation that was asked for did not take place.
    pub(super) fn not_created(&mut self) {
        match &mut self.life {
            Life::Unknown(unknown) => unknown.attempt = None,
            Life::Ending(Before::Unknown(unknown)) => {
                unknown.attempt = None;
                if !unknown.has_something_to_end() {
                    self.life = Life::Unknown(std::mem::take(unknown));
                }
            }
            Life::Known(_) | Life::Ended(_) | Life::Ending(Before::Known(_)) => {}
        }
    }

    /// The sessions that the visitor had tokens for are ended.
    pub(super) fn claims_settled(&mut self, is_removed: bool) {
        if let Life::Unknown(unknown) | Life::Ending(Before::Unknown(unknown)) = &mut self.life {
            unknown.claims.clear();
            // Nothing is left that a new session's cookie could take the place of.
            unknown.is_overtaken &= !is_removed;
        }
        if let Life::Ending(Before::Unknown(unknown)) = &mut self.life
            && !unknown.has_something_to_end()
        {
            self.life = Life::Unknown(std::mem::take(unknown));
        }
        if is_removed {
            self.cookie = CookieDue::Remove;
        }
    }

    /// The session is over, or its token was replaced by another request.
    pub(super) fn lost(&mut self, is_overtaken: bool) {
        self.cookie = CookieDue::Keep;
        self.bytes = None;
        self.life = match std::mem::replace(&mut self.life, Life::Unknown(Unknown::default())) {
            // What was asked for since its end is for a new session.
            Life::Ending(_) => Life::Unknown(Unknown { is_overtaken, ..Unknown::default() }),
            Life::Known(known) => Life::Ended(Ended { last: Some(known.loaded), is_overtaken }),
            life => life,
        };
    }

    pub(super) fn drop_changes(&mut self) {
        self.pending = Pending::default();
        self.trying = None;
        self.bytes = None;
    }

    /// A login finds that another request replaced the token: it goes on without the session.
    pub(super) fn replaced(&mut self, claim: Claim) {
        self.cookie = CookieDue::Keep;
        self.bytes = None;
        self.life = Life::Unknown(Unknown {
            was_known: true,
            is_overtaken: true,
            claims: vec![claim],
            ..Unknown::default()
        });
    }

    /// The idle deadline was moved, if this request still has that version.
    pub(super) fn touched(&mut self, version: Version, expires_at: Timestamp) {
        if let Life::Known(known) = &mut self.life
            && known.loaded.version() == version
        {
            known.loaded.record = Arc::new(known.loaded.record.with_expires_at(expires_at));
        }
    }

    /// The session was removed, by this call or before it. `true` if the handler asked for that:
    /// what is pending is for a new session.
    pub(super) fn removed(&mut self, is_ours: bool) -> bool {
        let was_sent = self.cookie != CookieDue::Begun;
        self.cookie = if is_ours && was_sent { CookieDue::Remove } else { CookieDue::Keep };
        self.bytes = None;
        let was_asked = self.is_ending();
        if !was_asked {
            self.trying = None;
        }
        self.life = Life::Unknown(Unknown::default());
        was_asked
    }
}
