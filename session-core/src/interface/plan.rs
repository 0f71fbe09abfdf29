//! What to write for what was changed: decided without I/O, so that it can be decided again after a
//! conflict.

use std::sync::Arc;

use super::{Base, Policy, Shared, commit::Purpose};
use crate::{
    Error, ErrorKind, Event, Expect, Record, Result, SessionId, Timestamp, Version, random,
    record::{Contents, Data, Rotation},
    session::{Change, Mark, Phase, State},
    token::Token,
};

/// The next thing to ask of the manager.
pub(crate) enum Step {
    /// Nothing.
    Rest,
    /// See what has become of the session.
    Look(SessionId),
    /// Write activity back.
    Touch(Timestamp),
    Put(Put),
    /// End the session, at the version that was looked at.
    Remove(SessionId, Version),
    /// The session is over, or was taken from this request: nothing may be written.
    Gone,
}

pub(crate) struct Put {
    pub(crate) record: Arc<Record>,
    pub(crate) contents: Arc<Contents>,
    pub(crate) token: Token,
    pub(crate) expect: Expect,
    pub(crate) event: Option<Event>,
    /// The browser has to be told of the token or of a new lifetime.
    pub(crate) issue: bool,
    /// The pending changes that are in it.
    pub(crate) mark: Mark,
}

impl Shared {
    pub(crate) fn plan(
        &self,
        state: &mut State,
        purpose: Purpose<'_>,
        edit: &mut dyn FnMut(&mut Data) -> Result<()>,
    ) -> Result<Step> {
        let ends_unseen = state.purge && state.base.is_none();
        if state.unsure || ends_unseen {
            // See whether it took place before anything is decided on top of it.
            let id = match (&state.base, &state.fresh) {
                (Some(base), _) => Some(*base.id()),
                (None, fresh) => fresh.as_ref().map(|(id, _)| *id),
            };
            if let Some(id) = id {
                return Ok(Step::Look(id));
            }
        }
        match state.base.clone() {
            Some(base) => self.plan_change(state, &base, purpose, edit),
            None => self.plan_creation(state, purpose, edit),
        }
    }

    fn plan_creation(
        &self,
        state: &mut State,
        purpose: Purpose<'_>,
        edit: &mut dyn FnMut(&mut Data) -> Result<()>,
    ) -> Result<Step> {
        let now = self.now();
        let mut data = Data::default();
        self.change(&mut data, &state.changes, edit)?;
        let principal = purpose.principal();
        if data.values.is_empty() && principal.is_none() {
            return Ok(Step::Rest);
        }
        if state.phase != Phase::Handling && !matches!(purpose, Purpose::Finish) {
            // Nobody would be told of the cookie.
            return Err(Error::finished());
        }
        if state.stale.is_some_and(|at| now < at.saturating_add(Policy::STALE)) {
            return Ok(Step::Gone);
        }
        let (id, token) = match &state.fresh {
            Some(fresh) => fresh.clone(),
            None => state.fresh.insert((SessionId::random()?, Token::random()?)).clone(),
        };
        let contents = Contents {
            created_at: now,
            principal: principal.map(Arc::from),
            authenticated_at: principal.map(|_| now),
            verifier: token.verifier(&id),
            token_at: now,
            rotation: None,
            data,
        };
        let contents = Arc::new(contents);
        let record = self.seal(id, Version::FIRST, &contents, now)?;
        Ok(Step::Put(Put {
            record,
            contents,
            token,
            expect: Expect::Absent,
            event: Some(Event::Created),
            issue: true,
            mark: state.mark(),
        }))
    }

    fn plan_change(
        &self,
        state: &mut State,
        base: &Base,
        purpose: Purpose<'_>,
        edit: &mut dyn FnMut(&mut Data) -> Result<()>,
    ) -> Result<Step> {
        let now = self.now();
        let version = base.record.version();
        if state.purge {
            return Ok(Step::Remove(*base.id(), version));
        }
        if self.policy.is_over(&base.record, &base.contents, now) {
            // Over as far as this request knows; others may have used the session since.
            return Ok(Step::Look(*base.id()));
        }
        let may_renew = state.phase == Phase::Handling || matches!(purpose, Purpose::Finish);
        if purpose.principal().is_some() && !may_renew {
            // The login would be stored, and its token told to nobody.
            return Err(Error::finished());
        }
        let renews = (state.renew && may_renew) || purpose.principal().is_some();
        let mut next = (*base.contents).clone();
        let before = next.principal.as_deref();
        let is_handed_over =
            before.is_some_and(|before| purpose.principal().is_some_and(|new| new != before));
        if is_handed_over {
            // What one user left must not be found by the next.
            next.data = Data::default();
        }
        self.change(&mut next.data, &state.changes, edit)?;
        if matches!(purpose, Purpose::Finish) && next.is_empty() {
            return Ok(Step::Remove(*base.id(), version));
        }
        let mut event = None;
        let mut token = base.token.clone();
        let is_same = next.data == base.contents.data;
        let mut issue = next.data.permanent != base.contents.data.permanent;
        let mut reseal = false;
        if renews {
            if let Some(principal) = purpose.principal() {
                if is_handed_over {
                    next.data.values.clear();
                }
                next.principal = Some(principal.into());
                next.authenticated_at = Some(now);
            }
            token = match &state.successor {
                Some(token) => token.clone(),
                None => state.successor.insert(Token::random()?).clone(),
            };
            next.verifier = token.verifier(base.id());
            next.token_at = now;
            next.rotation = None;
            event = Some(Event::Renewed);
            issue = true;
        } else if matches!(purpose, Purpose::Finish) {
            if let Some(successor) = self.rotate(&mut next, base, now)? {
                token = successor;
                event = Some(Event::Rotated);
                issue = true;
            }
            let standing = self.keys.load().standing(base.record.key_id());
            if Self::is_retired(standing) {
                reseal = true;
                event = event.or(Some(Event::Reissued));
            }
        }
        let presented = next.rotation.map(|rotation| rotation.presented_at)
            != base.contents.rotation.map(|rotation| rotation.presented_at);
        if is_same && event.is_none() && !presented && !reseal {
            let due = self.policy.touch_due(&base.record, &base.contents, now);
            return Ok(match (purpose, due) {
                (Purpose::Finish, Some(due)) => Step::Touch(due),
                _ => Step::Rest,
            });
        }
        if next.rotation.is_some_and(|rotation| is_lapsed(&rotation, now)) {
            next.rotation = None;
        }
        let contents = Arc::new(next);
        let record = self.seal(*base.id(), version.next(), &contents, now)?;
        Ok(Step::Put(Put {
            record,
            contents,
            token,
            expect: Expect::Version(version),
            event,
            issue,
            mark: state.mark(),
        }))
    }

    /// Notes that the successor was presented, or makes one if it is time; returns the one made.
    fn rotate(&self, next: &mut Contents, base: &Base, now: Timestamp) -> Result<Option<Token>> {
        if base.graced {
            return Ok(None);
        }
        if let Some(rotation) = &mut next.rotation {
            if rotation.presented_at.is_none() {
                rotation.presented_at = Some(now);
            }
            if !is_lapsed(rotation, now) {
                return Ok(None);
            }
        }
        let due = self
            .policy
            .rotate_every
            .is_some_and(|interval| now >= next.token_at.saturating_add(interval));
        if !due {
            return Ok(None);
        }
        let salt = random::bytes()?;
        let successor = base.token.successor(base.id(), &salt);
        next.rotation = Some(Rotation { verifier: next.verifier, salt, presented_at: None });
        next.verifier = successor.verifier(base.id());
        next.token_at = now;
        Ok(Some(successor))
    }

    /// Applies the changes and the edit to `data`.
    fn change(
        &self,
        data: &mut Data,
        changes: &[Change],
        edit: &mut dyn FnMut(&mut Data) -> Result<()>,
    ) -> Result<()> {
        let before = data.values.bytes();
        for change in changes {
            change.apply(data);
        }
        edit(data)?;
        // What was stored under a higher limit may stay, and shrink.
        if data.values.bytes() > before { self.check_size(data) } else { Ok(()) }
    }

    pub(crate) fn check_size(&self, data: &Data) -> Result<()> {
        if data.values.bytes() > self.policy.max_bytes {
            let message = format!(
                "the session would have more than {} bytes: store less in it, or raise `max_bytes`",
                self.policy.max_bytes
            );
            return Err(Error::new(ErrorKind::TooLarge, "core", message));
        }
        Ok(())
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

fn is_lapsed(rotation: &Rotation, now: Timestamp) -> bool {
    rotation.presented_at.is_some_and(|at| now >= at.saturating_add(Policy::GRACE))
}
