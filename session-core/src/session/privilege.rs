//! What changes beside the values: tokens, principals, and what the end of a request does by
//! itself.

use super::{LoadedSession, Pending, Presented, plan::Purpose};
use crate::{
    Event, Reason, Result, Timestamp,
    interface::{Policy, Shared},
    random,
    record::{Contents, Kept, Rotation},
    token::Token,
};

impl Shared {
    /// What the end of a request changes in the session by itself.
    pub(super) fn keep_house(
        &self,
        next: &mut Contents,
        loaded: &LoadedSession,
        now: Timestamp,
    ) -> Result<Housekeeping> {
        let mut work = Housekeeping {
            is_presented: note_presented(next, loaded, now),
            successor: self.rotate(next, loaded, now)?,
            events: [None, None],
        };
        if work.successor.is_some() {
            work.events[0] = Some(Event::Rotated);
        } else if Self::is_retired(self.keys.load().standing(loaded.record.key_id())) {
            work.events[0] = Some(Event::Reissued);
        }
        if Policy::is_skewed(&loaded.contents, now) && self.clock.is_settled() {
            next.cut_to(now);
            work.events[1] = Some(Event::Rejected(Reason::Skewed));
        }
        Ok(work)
    }

    /// Makes a successor of the token if it is time; returns it.
    fn rotate(
        &self,
        next: &mut Contents,
        loaded: &LoadedSession,
        now: Timestamp,
    ) -> Result<Option<Token>> {
        let is_due = self
            .policy
            .rotate_every
            .is_some_and(|interval| now >= next.token_at.saturating_add(interval));
        let in_grace = next.rotation.is_some_and(|rotation| !rotation.is_lapsed(now));
        if !is_due || in_grace || !matches!(loaded.presented, Presented::Current) {
            return Ok(None);
        }
        let salt = random::bytes()?;
        let successor = loaded.token.successor(loaded.id(), &salt);
        next.rotation = Some(Rotation { verifier: next.verifier, salt, presented_at: None });
        next.verifier = successor.verifier(loaded.id());
        next.token_at = now;
        next.kept = None;
        Ok(Some(successor))
    }
}

/// What was changed that the handler did not ask for.
#[derive(Default)]
pub(super) struct Housekeeping {
    /// The token was presented for the first time.
    is_presented: bool,
    /// The token it was rotated to.
    pub(super) successor: Option<Token>,
    pub(super) events: [Option<Event>; 2],
}

impl Housekeeping {
    pub(super) fn is_none(&self) -> bool {
        !self.is_presented && self.events.iter().all(Option::is_none)
    }
}

/// What a change of privilege changes beside token and epoch; returns what to call it.
pub(super) fn renew(
    next: &mut Contents,
    loaded: &LoadedSession,
    purpose: Purpose<'_>,
    pending: &Pending,
    now: Timestamp,
) -> Event {
    let before = next.principal.take();
    let (event, is_login) = match purpose {
        Purpose::Login(principal) => {
            next.principal = Some(principal.into());
            next.authenticated_at = Some(now);
            if !pending.has_end() {
                next.data.ends_at = None;
            }
            match before.as_deref() {
                None => (Event::LoggedIn, true),
                Some(before) if before == principal => (Event::SteppedUp, false),
                Some(_) => (Event::HandedOver, true),
            }
        }
        Purpose::Logout(keep) => {
            next.authenticated_at = None;
            next.created_at = now;
            let values = std::mem::take(&mut next.data).values;
            for key in keep {
                if let Some(value) = values.get(key) {
                    next.data.values.set(key, value);
                }
            }
            (Event::LoggedOut, false)
        }
        Purpose::Save | Purpose::Finish => {
            next.principal = before;
            (Event::Renewed, false)
        }
    };
    // One that was kept already, and not presented since, is of the token the browser still has.
    let was_kept = next.kept.filter(|_| !matches!(loaded.presented, Presented::Current));
    next.kept = was_kept.or_else(|| {
        let verifier = match &loaded.presented {
            Presented::Current => next.verifier,
            Presented::Earlier(token) => token.verifier(loaded.id()),
            Presented::Nothing | Presented::Outdated => return None,
        };
        Some(Kept { verifier, adoptable: is_login })
    });
    next.token_at = now;
    next.rotation = None;
    event
}

/// Notes that the token was presented: the grace of its predecessor runs from there, and a login
/// whose answer arrived is not made again. Returns whether that is news.
fn note_presented(next: &mut Contents, loaded: &LoadedSession, now: Timestamp) -> bool {
    if !matches!(loaded.presented, Presented::Current) {
        return false;
    }
    let mut is_news = next.kept.take().is_some();
    if let Some(rotation) = &mut next.rotation
        && rotation.presented_at.is_none()
    {
        rotation.presented_at = Some(now);
        is_news = true;
    }
    is_news
}

impl Contents {
    /// Drops what is kept of earlier tokens and is of no use any more.
    pub(super) fn forget_lapsed(&mut self, now: Timestamp) {
        if self.rotation.is_some_and(|rotation| rotation.is_lapsed(now)) {
            self.rotation = None;
        }
        if now >= self.token_at.saturating_add(Policy::RETRY) {
            self.kept = None;
        }
    }

    /// Moves times that a clock wrote which was ahead.
    fn cut_to(&mut self, now: Timestamp) {
        self.created_at = self.created_at.min(now);
        self.authenticated_at = self.authenticated_at.map(|at| at.min(now));
        self.token_at = self.token_at.min(now);
        if let Some(rotation) = &mut self.rotation {
            rotation.presented_at = rotation.presented_at.map(|at| at.min(now));
        }
    }
}

impl Rotation {
    fn is_lapsed(&self, now: Timestamp) -> bool {
        self.presented_at.is_some_and(|at| now >= at.saturating_add(Policy::GRACE))
    }
}
