//! What to write for what a request wants: decided without I/O, so that it can be decided again
//! after a conflict.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Before, Claim, CookieDue, Known, Life, Pending, Phase, Presented, Standing, Unknown,
    life::Attempt,
    privilege::{Housekeeping, renew},
};
use crate::{
    Error, ErrorKind, Event, Expect, Record, Result, SessionId, Timestamp, Version,
    interface::Shared,
    record::{Contents, Data, Epoch},
    token::Token,
};

/// What a save is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose<'a> {
    /// The handler wants its changes stored.
    Save,
    /// The request is over: housekeeping is done too.
    Finish,
    /// The session is given to a principal.
    Login(&'a str),
    /// The session is taken from its principal; the values under these keys stay.
    Logout(&'a [&'a str]),
}

/// A change to one value that depends on what is stored.
pub(super) struct Edit<'a> {
    pub(super) key: &'a str,
    pub(super) change: &'a mut (dyn FnMut(Option<&[u8]>) -> Result<Edited> + Send),
}

pub(super) enum Edited {
    Set(Bytes),
    Remove,
    /// The application refuses: nothing is written.
    Refused,
}

/// What a step is decided from.
pub(super) struct Draft {
    pub(super) life: Life,
    pub(super) pending: Arc<Pending>,
    pub(super) phase: Phase,
    /// The store was asked for the session since the save began.
    pub(super) is_fresh: bool,
}

/// The next thing to ask of the store.
pub(super) enum Step {
    /// Nothing.
    Rest,
    /// Nothing: the application refused.
    Refused,
    /// See what has become of the session.
    Look(SessionId),
    /// See what has become of the sessions the visitor has tokens for, and end those.
    Settle(Vec<Claim>),
    /// Write activity back.
    Touch(Timestamp),
    Put(Put),
    /// End the session, at the version that was looked at.
    Remove(SessionId, Version),
    /// The session is over, or was taken from this request: nothing may be written.
    Lost,
    /// Nothing may be written: another request of the visitor replaced the token meanwhile.
    TooLate,
}

pub(super) struct Put {
    pub(super) record: Arc<Record>,
    pub(super) contents: Arc<Contents>,
    pub(super) expect: Expect,
    /// The token and epoch it puts in place, if it makes or renews a session.
    pub(super) attempt: Option<Attempt>,
    pub(super) token: Token,
    pub(super) presented: Presented,
    pub(super) due: CookieDue,
    pub(super) events: [Option<Event>; 2],
}

impl Purpose<'_> {
    fn replaces_token(self) -> bool {
        matches!(self, Self::Login(_) | Self::Logout(_))
    }

    pub(super) fn is_finish(self) -> bool {
        matches!(self, Self::Finish)
    }
}

impl Draft {
    /// Whether the browser can still be sent a cookie.
    fn may_send_cookie(&self, purpose: Purpose<'_>) -> bool {
        self.phase == Phase::Handling || purpose.is_finish()
    }
}

impl Shared {
    pub(super) fn plan(
        &self,
        draft: &Draft,
        purpose: Purpose<'_>,
        edit: Option<&mut Edit<'_>>,
    ) -> Result<Step> {
        match &draft.life {
            Life::Ended(_) => Ok(Step::Lost),
            Life::Unknown(unknown) => self.plan_creation(draft, unknown, purpose, edit),
            Life::Known(known) => self.plan_change(draft, known, purpose, edit),
            Life::Ending(Before::Known(known)) => {
                Ok(Step::Remove(*known.loaded.id(), known.loaded.version()))
            }
            Life::Ending(Before::Unknown(unknown)) => Ok(match &unknown.attempt {
                Some(attempt) => Step::Look(attempt.id),
                None => Step::Settle(unknown.claims.clone()),
            }),
        }
    }

    fn plan_creation(
        &self,
        draft: &Draft,
        unknown: &Unknown,
        purpose: Purpose<'_>,
        edit: Option<&mut Edit<'_>>,
    ) -> Result<Step> {
        if let Some(attempt) = &unknown.attempt
            && attempt.is_unsure
        {
            // See whether it took place before anything is decided on top of it.
            return Ok(Step::Look(attempt.id));
        }
        let now = self.now();
        let mut data = Data::default();
        draft.pending.apply(&mut data);
        if let Some(edit) = edit
            && !edit.apply(&mut data)?
        {
            return Ok(Step::Refused);
        }
        self.check_size(&data)?;
        let principal = match purpose {
            Purpose::Login(principal) => Some(principal),
            Purpose::Save | Purpose::Finish | Purpose::Logout(_) => None,
        };
        if data.values.is_empty() && principal.is_none() {
            return Ok(Step::Rest);
        }
        if !draft.may_send_cookie(purpose) {
            return Err(Error::finished());
        }
        if principal.is_some() && !unknown.claims.is_empty() {
            return Ok(Step::Settle(unknown.claims.clone()));
        }
        if unknown.is_overtaken {
            return Ok(Step::TooLate);
        }
        if principal.is_none() {
            if unknown.unreadable.is_some() {
                return Err(unreadable());
            }
            let rivals = || unknown.claims.iter().filter(|claim| claim.is_rival());
            let is_login =
                |claim: &Claim| claim.standing == Standing::Rival { has_principal: true };
            if rivals().any(is_login) {
                return Err(ambiguous());
            }
            if rivals().next().is_some() {
                return Ok(Step::Settle(unknown.claims.clone()));
            }
        }
        let attempt = match &unknown.attempt {
            Some(attempt) => attempt.clone(),
            None => Attempt::random(SessionId::random()?)?,
        };
        let contents = Arc::new(Contents {
            created_at: now,
            principal: principal.map(Arc::from),
            authenticated_at: principal.map(|_| now),
            verifier: attempt.token.verifier(&attempt.id),
            token_at: now,
            epoch: attempt.epoch,
            kept: None,
            rotation: None,
            data,
        });
        Ok(Step::Put(Put {
            record: self.seal(attempt.id, Version::FIRST, &contents, now)?,
            contents,
            expect: Expect::Absent,
            token: attempt.token.clone(),
            attempt: Some(attempt),
            presented: Presented::Nothing,
            due: CookieDue::Begun,
            events: [Some(Event::Created), principal.map(|_| Event::LoggedIn)],
        }))
    }

    fn plan_change(
        &self,
        draft: &Draft,
        known: &Known,
        purpose: Purpose<'_>,
        edit: Option<&mut Edit<'_>>,
    ) -> Result<Step> {
        let (loaded, now) = (&known.loaded, self.now());
        let (id, before) = (*loaded.id(), &*loaded.contents);
        let look = Step::Look(id);
        if known.attempt.as_ref().is_some_and(|attempt| attempt.is_unsure) {
            return Ok(look);
        }
        if self.policy.is_over(&loaded.record, before, now) {
            // Over as far as this request knows; others may have used the session since.
            return Ok(if draft.is_fresh { Step::Lost } else { look });
        }
        let may_send_cookie = draft.may_send_cookie(purpose);
        if purpose.replaces_token() && !may_send_cookie {
            // A login would be stored whose token no one gets.
            return Err(Error::finished());
        }
        let renews = purpose.replaces_token() || (draft.pending.renew && may_send_cookie);
        let is_outdated = matches!(loaded.presented, Presented::Outdated);
        if renews && is_outdated {
            return Ok(Step::TooLate);
        }
        let mut next = before.clone();
        if let (Purpose::Login(principal), Some(owner)) = (purpose, &before.principal)
            && **owner != *principal
        {
            // What one user left must not be found by the next.
            next.data = Data::default();
        }
        draft.pending.apply(&mut next.data);
        let is_edited = edit.is_some();
        if let Some(edit) = edit
            && !edit.apply(&mut next.data)?
        {
            return Ok(if draft.is_fresh { Step::Refused } else { look });
        }
        if next.data.values.bytes() > before.data.values.bytes() {
            // What was stored under a higher limit may stay, and shrink.
            self.check_size(&next.data)?;
        }
        let is_unsent = matches!(loaded.presented, Presented::Nothing);
        if purpose.is_finish() && next.is_empty() && is_unsent {
            return Ok(Step::Remove(id, loaded.version()));
        }
        let is_same = next.data == before.data;
        let lifetime_changed = next.data.permanent != before.data.permanent
            || next.data.ends_at != before.data.ends_at;
        let mut token = loaded.token.clone();
        let mut presented = loaded.presented.clone();
        let mut due = CookieDue::Keep;
        if lifetime_changed && !is_outdated {
            due = CookieDue::Changed;
        }
        let mut attempt = None;
        let mut work = Housekeeping::default();
        if renews {
            let new = match &known.attempt {
                Some(attempt) => attempt.clone(),
                None => Attempt::random(id)?,
            };
            work.events[0] = Some(renew(&mut next, loaded, purpose, &draft.pending, now));
            next.verifier = new.token.verifier(&id);
            next.epoch = new.epoch;
            token = new.token.clone();
            presented = loaded.replaced();
            due = CookieDue::Changed;
            attempt = Some(new);
        } else if purpose.is_finish() {
            work = self.keep_house(&mut next, loaded, now)?;
            if let Some(successor) = work.successor.take() {
                token = successor;
                presented = loaded.replaced();
                due = CookieDue::Changed;
            }
        }
        if is_same && work.is_none() {
            if (is_edited || draft.pending.removes()) && !draft.is_fresh {
                // Nothing to change in what this request saw; it may have changed since.
                return Ok(look);
            }
            let touch = self.policy.touch_due(&loaded.record, before, now);
            return Ok(match touch.filter(|_| purpose.is_finish()) {
                Some(due) => Step::Touch(due),
                None => Step::Rest,
            });
        }
        next.forget_lapsed(now);
        let contents = Arc::new(next);
        Ok(Step::Put(Put {
            record: self.seal(id, loaded.version().next(), &contents, now)?,
            contents,
            expect: Expect::Version(loaded.version()),
            attempt,
            token,
            presented,
            due,
            events: work.events,
        }))
    }

    pub(crate) fn check_size(&self, data: &Data) -> Result<()> {
        if data.values.bytes() > self.policy.max_bytes {
            return Err(self.too_large());
        }
        Ok(())
    }

    pub(super) fn too_large(&self) -> Error {
        let message = format!(
            "the session would have more than {} bytes: store less in it, or raise `max_bytes`",
            self.policy.max_bytes
        );
        Error::new(ErrorKind::TooLarge, "core", message)
    }

    fn seal(
        &self,
        id: SessionId,
        version: Version,
        contents: &Arc<Contents>,
        now: Timestamp,
    ) -> Result<Arc<Record>> {
        let deadline = self.policy.deadline(contents, now);
        let expires_at = self.policy.expires_at(contents, deadline, now);
        let keys = self.keys.load();
        Record::seal(&keys, id, version, deadline, expires_at, Arc::clone(contents)).map(Arc::new)
    }
}

impl Edit<'_> {
    /// `false` if the application refuses.
    fn apply(&mut self, data: &mut Data) -> Result<bool> {
        match (self.change)(data.values.get(self.key))? {
            Edited::Set(value) => data.values.set(self.key, &value),
            Edited::Remove => {
                data.values.remove(self.key);
            }
            Edited::Refused => return Ok(false),
        }
        Ok(true)
    }
}

impl Attempt {
    fn random(id: SessionId) -> Result<Self> {
        Ok(Self { id, token: Token::random()?, epoch: Epoch::random()?, is_unsure: false })
    }
}

pub(crate) fn unreadable() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "core",
        "the visitor's session is stored, but this server cannot read it: it is damaged, of a later \
         format, or sealed under a key that is not in the ring; a login begins another session",
    )
}

fn ambiguous() -> Error {
    Error::new(
        ErrorKind::Ambiguous,
        "core",
        "the visitor has cookies of several live sessions, and one of them is logged in: log in \
         again",
    )
}
