//! Writing what is pending against other writers.

use std::sync::PoisonError;

use super::{
    LoadedSession, ManagedSession,
    plan::{Draft, Edit, Purpose, Put, Step},
};
use crate::{
    Error, ErrorKind, Event, Outcome, Removal, Result, SessionId, Timestamp, Version,
    interface::Policy,
};

/// Tries at an unused sid: a collision is a broken generator, and more tries do not mend it.
const MAX_COLLISIONS: usize = 3;
/// Conflicts in a row, for managers that answer nothing else.
pub(crate) const MAX_CONFLICTS: usize = 10_000;

/// What became of a commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Committed {
    Unchanged,
    Stored,
    /// The application refused; what was pending still is.
    Refused,
}

/// How far one step has led.
enum Progress {
    Done(Committed),
    /// The handler changed its mind: plan again.
    Again,
    /// The store was asked for the session.
    Looked,
    /// What was to be ended is; the rest is done in a new session.
    Removed,
    /// Another writer was first.
    Conflict(SessionId),
}

/// What is pending, taken out for one try. Put back when the try ends without a result, also when
/// its future is dropped.
struct Try<'a> {
    session: &'a ManagedSession,
    draft: Draft,
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        self.session.lock().put_back();
    }
}

impl ManagedSession {
    /// Stores what is pending, with `edit` applied after it, in one put; again and again while
    /// other writers are faster.
    pub(super) async fn commit(
        &self,
        purpose: Purpose<'_>,
        mut edit: Option<Edit<'_>>,
    ) -> Result<Committed> {
        let shared = self.interface().shared();
        let give_up = shared.now().saturating_add(Policy::CONTENTION);
        let Some(_saving) = shared.store.within(self.saving().lock()).await else {
            return Err(busy());
        };
        // Taking turns saves conflicts within the process. Whoever waits too long, for a store that
        // does not answer another session perhaps, goes on without.
        let queued = self.lock().id();
        let _turn = match &queued {
            Some(id) => shared.store.within(shared.queue.enter(id)).await,
            None => None,
        };
        let (mut conflicts, mut collisions) = (0, 0);
        let mut is_fresh = false;
        let mut committed = Committed::Unchanged;
        loop {
            let attempt = self.try_once(is_fresh);
            // Not under the lock: the edit is the application's, and may ask the session things.
            let step = shared.plan(&attempt.draft, purpose, edit.as_mut())?;
            let again = match self.carry_out(step, attempt, purpose).await? {
                Progress::Done(Committed::Unchanged) => return Ok(committed),
                Progress::Done(committed) => return Ok(committed),
                Progress::Again => continue,
                Progress::Looked => {
                    is_fresh = true;
                    continue;
                }
                Progress::Removed => {
                    committed = Committed::Stored;
                    continue;
                }
                Progress::Conflict(id) => id,
            };
            conflicts += 1;
            shared.events.tell(Event::Conflict, Some(&again));
            if conflicts == MAX_CONFLICTS || shared.now() >= give_up {
                return Err(shared.failed(contended(), &again));
            }
            is_fresh = true;
            if !self.look_again(&again, purpose).await? {
                collisions += 1;
                if collisions == MAX_COLLISIONS {
                    return Err(shared.failed(contended(), &again));
                }
            }
        }
    }

    async fn carry_out(
        &self,
        step: Step,
        attempt: Try<'_>,
        purpose: Purpose<'_>,
    ) -> Result<Progress> {
        match step {
            Step::Rest => {
                self.lock().settle();
                Ok(Progress::Done(Committed::Unchanged))
            }
            Step::Refused => Ok(Progress::Done(Committed::Refused)),
            Step::Touch(expires_at) => {
                self.lock().settle();
                drop(attempt);
                self.write_activity(expires_at).await;
                Ok(Progress::Done(Committed::Unchanged))
            }
            Step::Lost => {
                drop(attempt);
                self.lock().lost(false);
                Err(self.lose(purpose))
            }
            Step::TooLate => {
                drop(attempt);
                let error = self.lose(purpose);
                self.lock().drop_changes();
                Err(error)
            }
            Step::Look(id) => {
                drop(attempt);
                self.look_again(&id, purpose).await?;
                Ok(Progress::Looked)
            }
            Step::Settle(claims) => {
                drop(attempt);
                self.settle_claims(claims, purpose).await?;
                Ok(Progress::Removed)
            }
            Step::Remove(id, version) => {
                drop(attempt);
                self.remove_record(id, version).await
            }
            Step::Put(put) => self.put_record(put, attempt, purpose).await,
        }
    }

    async fn remove_record(&self, id: SessionId, version: Version) -> Result<Progress> {
        let shared = self.interface().shared();
        let removal = match shared.store.remove(&id, Some(version)).await {
            Ok(Removal::Conflict) => return Ok(Progress::Conflict(id)),
            Ok(removal) => removal,
            Err(error) => return Err(shared.failed(error, &id)),
        };
        let is_ours = removal == Removal::Removed;
        if is_ours {
            shared.events.tell(Event::Destroyed, Some(&id));
        }
        let goes_on = self.lock().removed(is_ours);
        Ok(if goes_on { Progress::Removed } else { Progress::Done(Committed::Stored) })
    }

    async fn put_record(
        &self,
        put: Put,
        attempt: Try<'_>,
        purpose: Purpose<'_>,
    ) -> Result<Progress> {
        let shared = self.interface().shared();
        let id = *put.record.id();
        if !self.announce(&attempt.draft, &put)? {
            return Ok(Progress::Again);
        }
        match shared.store.put(&put.record, put.expect).await {
            Ok(Outcome::Stored) => {
                self.stored(put);
                Ok(Progress::Done(Committed::Stored))
            }
            Ok(Outcome::Gone) => {
                self.lock().refused();
                drop(attempt);
                self.lock().lost(false);
                Err(self.lose(purpose))
            }
            Ok(Outcome::Conflict) => Ok(Progress::Conflict(id)),
            Err(error) => Err(shared.failed(error, &id)),
        }
    }

    fn try_once(&self, is_fresh: bool) -> Try<'_> {
        let mut state = self.lock();
        let pending = state.take_pending();
        let draft = Draft { life: state.life().clone(), pending, phase: state.phase, is_fresh };
        drop(state);
        Try { session: self, draft }
    }

    /// Notes what `put` is about to do; `false` if the handler asked for the end of the session
    /// since it was planned.
    fn announce(&self, draft: &Draft, put: &Put) -> Result<bool> {
        let shared = self.interface().shared();
        if put.expect == crate::Expect::Absent
            && let Err(error) = shared.store.admit(shared.now())
        {
            shared.events.tell(Event::Limited, None);
            return Err(error);
        }
        let mut state = self.lock();
        if !state.agrees_with(&draft.life, &draft.pending) {
            return Ok(false);
        }
        if let Some(attempt) = &put.attempt {
            state.attempts(attempt);
        }
        Ok(true)
    }

    fn stored(&self, put: Put) {
        let id = *put.record.id();
        let renewed = put.attempt.is_some();
        let loaded = LoadedSession {
            record: put.record,
            contents: put.contents,
            token: put.token,
            presented: put.presented,
        };
        self.lock().stored_as(loaded, put.due, renewed);
        for event in put.events.into_iter().flatten() {
            self.interface().shared().events.tell(event, Some(&id));
        }
    }

    /// Activity is worth writing back, but no request is worth failing for it.
    async fn write_activity(&self, expires_at: Timestamp) {
        let shared = self.interface().shared();
        let Some((id, version)) =
            self.lock().loaded().map(|loaded| (*loaded.id(), loaded.version()))
        else {
            return;
        };
        match shared.store.touch(&id, version, expires_at).await {
            Ok(Outcome::Stored) => self.lock().touched(version, expires_at),
            Ok(Outcome::Conflict) => {}
            Ok(Outcome::Gone) => self.lock().lost(false),
            Err(error) => shared.events.failed(&error, Some(&id)),
        }
    }

    /// What was to be stored is dropped, if the session is over; else it is for a new one.
    fn lose(&self, purpose: Purpose<'_>) -> Error {
        let mut state = self.lock();
        let id = state.id();
        let is_news = state.has_changes() || !purpose.is_finish();
        if state.is_ended() {
            state.drop_changes();
        }
        drop(state);
        if is_news {
            self.interface().shared().events.tell(Event::Gone, id.as_ref());
        }
        Error::gone()
    }
}

pub(crate) fn contended() -> Error {
    Error::new(
        ErrorKind::Contended,
        "core",
        "other writers of the session were faster until the deadline: try again",
    )
}

fn busy() -> Error {
    Error::new(
        ErrorKind::Contended,
        "core",
        "another save of this request's session has not ended: await one before the next",
    )
}

/// A poisoned lock guards whole data: nothing panics while it is held.
pub(crate) fn unpoisoned<T>(result: Result<T, PoisonError<T>>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}
