//! Writing changes against other writers.

use std::sync::{Arc, PoisonError};

use super::{
    Base, CookieAction, Held, Policy, Shared,
    plan::{Put, Step},
};
use crate::{
    Error, ErrorKind, Event, ManagedSession, Outcome, Removal, Result, Saved, SessionId,
    record::Data, session::State,
};

/// What a commit is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose<'a> {
    /// The handler wants its changes stored.
    Save,
    /// The request is over: housekeeping is done too.
    Finish,
    /// The session is given to a principal.
    Bind(&'a str),
}

impl<'a> Purpose<'a> {
    pub(crate) fn principal(self) -> Option<&'a str> {
        match self {
            Self::Bind(principal) => Some(principal),
            Self::Save | Self::Finish => None,
        }
    }
}

/// Tries at an unused sid: a collision is a broken generator, and more tries do not mend it.
const MAX_COLLISIONS: usize = 3;
/// Conflicts in a row, for managers that answer nothing else.
const MAX_CONFLICTS: usize = 10_000;

impl ManagedSession {
    /// Stores what is pending, with `edit` applied after it, in one put; again and again while
    /// other writers are faster.
    pub(crate) async fn commit(
        &self,
        purpose: Purpose<'_>,
        edit: &mut (dyn FnMut(&mut Data) -> Result<()> + Send),
    ) -> Result<Saved> {
        let shared = self.interface().shared();
        let give_up = shared.now().saturating_add(Policy::CONTENTION);
        let _saving = self.saving().lock().await;
        let queued = self.lock().base.as_ref().map(|base| *base.id());
        let _turn = match &queued {
            Some(id) => Some(shared.queue.enter(id).await),
            None => None,
        };
        if let Some(id) = queued.filter(|_| shared.now() >= give_up) {
            // Those before it in the queue wait for a store that does not answer.
            return Err(shared.failed(contended(), &id));
        }
        let (mut conflicts, mut collisions) = (0, 0);
        let mut saved = Saved::Unchanged;
        loop {
            let mut draft = {
                let mut state = self.lock();
                if state.gone {
                    // To end what has ended already is no failure.
                    if state.purge {
                        state.removed(false);
                        continue;
                    }
                    return Ok(self.end_as_gone(&mut state));
                }
                state.draft()
            };
            // Not under the lock: the edit is the application's, and may ask the session things.
            let step = shared.plan(&mut draft, purpose, edit)?;
            self.lock().planned(&draft, &step);
            let again = match step {
                Step::Rest => return Ok(saved),
                Step::Gone => return Ok(self.end_as_gone(&mut self.lock())),
                Step::Look(id) => {
                    self.reload(&id).await?;
                    continue;
                }
                Step::Touch(expires_at) => {
                    self.touch(expires_at).await;
                    return Ok(saved);
                }
                Step::Remove(id, version) => {
                    match shared.manager.remove(&id, Some(version)).await {
                        Ok(Removal::Conflict) => id,
                        Ok(removal) => {
                            let is_ours = removal == Removal::Removed;
                            if is_ours {
                                shared.events.tell(Event::Destroyed, Some(&id));
                            }
                            saved = Saved::Stored;
                            if self.lock().removed(is_ours) {
                                continue;
                            }
                            return Ok(saved);
                        }
                        Err(error) => return Err(shared.failed(error, &id)),
                    }
                }
                Step::Put(put) => {
                    let id = *put.record.id();
                    let answer = shared.manager.put(&put.record, put.expect).await;
                    if matches!(answer, Ok(Outcome::Stored | Outcome::Gone)) {
                        self.lock().unsure = false;
                    }
                    match answer {
                        Ok(Outcome::Stored) => {
                            self.stored(put);
                            return Ok(Saved::Stored);
                        }
                        Ok(Outcome::Gone) => return Ok(self.end_as_gone(&mut self.lock())),
                        Ok(Outcome::Conflict) => id,
                        Err(error) => return Err(shared.failed(error, &id)),
                    }
                }
            };
            conflicts += 1;
            shared.events.tell(Event::Conflict, Some(&again));
            if conflicts == MAX_CONFLICTS || shared.now() >= give_up {
                return Err(shared.failed(contended(), &again));
            }
            if !self.reload(&again).await? {
                collisions += 1;
                if collisions == MAX_COLLISIONS {
                    return Err(shared.failed(contended(), &again));
                }
            }
        }
    }

    /// Takes the newest record for the base, if this session still holds it; else the session is
    /// gone. `false` if the record under the sid of a new session is someone else's.
    async fn reload(&self, id: &SessionId) -> Result<bool> {
        let shared = self.interface().shared();
        let found = shared.look(id).await?;
        let mut state = self.lock();
        state.unsure = false;
        let is_new = state.base.is_none();
        let replaced_at = found.as_ref().map(|(_, contents)| contents.token_at);
        let held = found.and_then(|(record, contents)| {
            let now = shared.now();
            state.tokens().find_map(|token| {
                let (token, graced) = match Held::by(&token, id, &contents, now) {
                    Held::Current => {
                        // It came with the predecessor, and still does.
                        let graced = state
                            .base
                            .as_ref()
                            .is_some_and(|base| base.graced && base.token.is(&token));
                        (token, graced)
                    }
                    Held::Predecessor(token) => (token, true),
                    Held::Stale => return None,
                };
                let (record, contents) = (Arc::clone(&record), Arc::clone(&contents));
                Some(Base { token, record, contents, graced })
            })
        });
        match held {
            Some(base) => {
                let issue = base.graced || is_new || state.is_successor(&base.token);
                if issue {
                    state.cookie = shared.issue(&base, &base.token);
                }
                state.rebase(base);
                Ok(true)
            }
            None if is_new => {
                state.fresh = None;
                // There is nothing to end.
                state.purge = false;
                Ok(false)
            }
            None => {
                state.gone = true;
                // What it puts in after a purge must not take the place of the newer token's
                // cookie.
                state.stale = state.stale.max(replaced_at);
                Ok(true)
            }
        }
    }

    fn stored(&self, put: Put) {
        let shared = self.interface().shared();
        if let Some(event) = put.event {
            shared.events.tell(event, Some(put.record.id()));
        }
        let mut state = self.lock();
        let graced = state.base.as_ref().is_some_and(|base| base.graced);
        let base = Base { token: put.token, record: put.record, contents: put.contents, graced };
        if put.issue {
            state.cookie = shared.issue(&base, &base.token);
        }
        // A put that replaced no token answers no renewal that was asked for meanwhile.
        state.committed(base, put.mark, put.event == Some(Event::Renewed));
    }

    /// Activity is worth writing back, but no request is worth failing for it.
    async fn touch(&self, expires_at: crate::Timestamp) {
        let shared = self.interface().shared();
        let Some(base) = self.lock().base.clone() else { return };
        match shared.manager.touch(base.id(), base.record.version(), expires_at).await {
            Ok(Outcome::Stored) => {
                if let Some(base) = &mut self.lock().base {
                    base.record = Arc::new(base.record.with_expires_at(expires_at));
                }
            }
            Ok(Outcome::Conflict) => {}
            Ok(Outcome::Gone) => self.lock().gone_unnoticed(),
            Err(error) => shared.events.failed(&error, Some(base.id())),
        }
    }

    fn end_as_gone(&self, state: &mut State) -> Saved {
        let lost = state.has_changes();
        if state.purge {
            // Asked for while a put was under way: what was put in since is for a new session.
            state.gone_unnoticed();
        } else {
            state.end();
        }
        if lost {
            let id = state.base.as_ref().map(Base::id);
            self.interface().shared().events.tell(Event::Gone, id);
        }
        Saved::Gone
    }
}

impl State {
    /// The session was removed. `true` if that was asked for: what is to be done beyond it, if only
    /// a login, is done in a new session.
    fn removed(&mut self, is_ours: bool) -> bool {
        self.cookie = if is_ours { CookieAction::Remove } else { CookieAction::Keep };
        self.base = None;
        self.gone = false;
        self.renew = false;
        self.successor = None;
        let was_asked = std::mem::take(&mut self.purge);
        if !was_asked {
            // It ended the request empty: the changes that led there are done.
            self.changes.clear();
            self.view = None;
        }
        was_asked
    }
}

impl Shared {
    /// Removes the session under `id` as long as `is_meant` says so of its newest contents.
    pub(crate) async fn remove_if(
        &self,
        id: &SessionId,
        is_meant: impl Fn(&crate::record::Contents) -> bool,
    ) -> Result<bool> {
        for _ in 0..MAX_CONFLICTS {
            let Some((record, contents)) = self.look(id).await? else { return Ok(false) };
            if !is_meant(&contents) {
                return Ok(false);
            }
            match self.manager.remove(id, Some(record.version())).await {
                Ok(Removal::Removed) => return Ok(true),
                Ok(Removal::Gone) => return Ok(false),
                Ok(Removal::Conflict) => {}
                Err(error) => return Err(self.failed(error, id)),
            }
        }
        Err(self.failed(contended(), id))
    }
}

fn contended() -> Error {
    Error::new(
        ErrorKind::Contended,
        "core",
        "other writers of the session were faster until the deadline: try again",
    )
}

/// A poisoned lock guards whole data: nothing panics while it is held but user code in `update`,
/// which changes a copy.
pub(crate) fn unpoisoned<T>(result: Result<T, PoisonError<T>>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}
