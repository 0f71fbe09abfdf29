//! What the newest record means to a request that saw an older one.

use std::sync::Arc;

use super::{
    Before, Claim, CookieDue, Known, Life, LoadedSession, MAX_CONFLICTS, ManagedSession, Presented,
    Standing, State, plan::Purpose,
};
use crate::{
    Event, Record, Removal, Result, SessionId, Timestamp,
    interface::{Look, TokenMatch},
    record::Contents,
    token::Token,
};

impl ManagedSession {
    /// Reads the newest record and keeps it, if this request may still change the session; else the
    /// session is lost to it. `false` if the record under the sid of a new session is not ours.
    pub(super) async fn look_again(&self, id: &SessionId, purpose: Purpose<'_>) -> Result<bool> {
        let shared = self.interface().shared();
        let found = match shared.look_past_caches(id).await? {
            Look::Live(record, contents) => Some((record, contents)),
            Look::Nothing => None,
            Look::Unreadable(_) => return Err(shared.unreadable(id)),
        };
        let now = shared.now();
        let mut state = self.lock();
        let (Life::Known(known) | Life::Ending(Before::Known(known))) = state.life().clone() else {
            return Ok(recognise_creation(&mut state, id, found, now));
        };
        let Some((record, contents)) = found else {
            state.refused();
            state.lost(false);
            return Ok(true);
        };
        let load = |token, presented| LoadedSession {
            record: Arc::clone(&record),
            contents: Arc::clone(&contents),
            token,
            presented,
        };
        if let Some(attempt) = &known.attempt
            && attempt.epoch == contents.epoch
            && matches!(TokenMatch::of(&attempt.token, id, &contents, now), TokenMatch::Current)
        {
            let loaded = load(attempt.token.clone(), known.loaded.replaced());
            state.recognised(loaded);
            return Ok(true);
        }
        let may_adopt = !state.is_ending();
        match follow(&known, &contents, purpose, may_adopt, now) {
            Some((token, presented, due)) => state.reloaded(load(token, presented), due),
            None => match replaced(&known, &contents, purpose, may_adopt, now) {
                Some(claim) => state.replaced(claim),
                None => state.lost(shared.overtakes(self.arrived(), &contents)),
            },
        }
        Ok(true)
    }

    /// Sees what has become of the sessions that the visitor has tokens for: a login takes over the
    /// one that an earlier try at it left, and ends all others.
    pub(super) async fn settle_claims(
        &self,
        claims: Vec<Claim>,
        purpose: Purpose<'_>,
    ) -> Result<()> {
        let shared = self.interface().shared();
        let mut has_ended = false;
        let mut adopted = None;
        for claim in claims {
            for _ in 0..MAX_CONFLICTS {
                let (record, contents) = match shared.look_past_caches(&claim.id).await? {
                    Look::Live(record, contents) => (record, contents),
                    Look::Nothing => break,
                    Look::Unreadable(_) => return Err(shared.unreadable(&claim.id)),
                };
                let now = shared.now();
                let ends = match TokenMatch::of(&claim.token, &claim.id, &contents, now) {
                    TokenMatch::Current | TokenMatch::Predecessor(_) => true,
                    TokenMatch::Kept { .. } => matches!(purpose, Purpose::Login(_)),
                    TokenMatch::Stale => false,
                };
                let may_adopt = claim.standing == Standing::Replaced { may_adopt: true };
                if may_adopt
                    && adopted.is_none()
                    && is_adopted(&claim.token, &claim.id, &contents, purpose, now)
                {
                    let token = claim.token.clone();
                    let presented = Presented::Earlier(token.clone());
                    adopted = Some(LoadedSession { record, contents, token, presented });
                    break;
                }
                if !ends {
                    break;
                }
                match shared.store.remove(&claim.id, Some(record.version())).await {
                    Ok(Removal::Removed) => {
                        shared.events.tell(Event::Destroyed, Some(&claim.id));
                        has_ended = true;
                        break;
                    }
                    Ok(Removal::Gone) => break,
                    Ok(Removal::Conflict) => {}
                    Err(error) => return Err(shared.failed(error, &claim.id)),
                }
            }
        }
        let mut state = self.lock();
        state.claims_settled(has_ended);
        if let Some(loaded) = adopted {
            state.reloaded(loaded, CookieDue::Keep);
        }
        Ok(())
    }
}

/// Whether what was found under the sid of a creation whose answer is missing is its work.
fn recognise_creation(
    state: &mut State,
    id: &SessionId,
    found: Option<(Arc<Record>, Arc<Contents>)>,
    now: Timestamp,
) -> bool {
    let attempt = match state.life() {
        Life::Unknown(unknown) | Life::Ending(Before::Unknown(unknown)) => unknown.attempt.clone(),
        Life::Known(_) | Life::Ended(_) | Life::Ending(Before::Known(_)) => None,
    };
    let ours = attempt.zip(found).filter(|(attempt, (_, contents))| {
        matches!(TokenMatch::of(&attempt.token, id, contents, now), TokenMatch::Current)
    });
    let Some((attempt, (record, contents))) = ours else {
        state.not_created();
        return false;
    };
    let (token, presented) = (attempt.token, Presented::Nothing);
    state.recognised(LoadedSession { record, contents, token, presented });
    true
}

/// How this request holds the session whose newest contents these are; `None` if it does not.
fn follow(
    known: &Known,
    contents: &Contents,
    purpose: Purpose<'_>,
    may_adopt: bool,
    now: Timestamp,
) -> Option<(Token, Presented, CookieDue)> {
    let loaded = &known.loaded;
    let id = loaded.id();
    let token = &loaded.token;
    let earlier = match &loaded.presented {
        Presented::Earlier(token) => Some(token),
        _ => None,
    };
    if contents.epoch == loaded.contents.epoch {
        for token in [Some(token), earlier].into_iter().flatten() {
            match TokenMatch::of(token, id, contents, now) {
                TokenMatch::Current => {
                    return Some((token.clone(), loaded.presented.clone(), CookieDue::Keep));
                }
                TokenMatch::Predecessor(successor) => {
                    let presented = Presented::Earlier(token.clone());
                    return Some((successor, presented, CookieDue::Reissued));
                }
                TokenMatch::Kept { .. } | TokenMatch::Stale => {}
            }
        }
    }
    if may_adopt
        && let Some(presented) = loaded.presented_token()
        && is_adopted(presented, id, contents, purpose, now)
    {
        let token = presented.clone();
        return Some((token.clone(), Presented::Earlier(token), CookieDue::Keep));
    }
    let may_store = contents.epoch == loaded.contents.epoch;
    may_store.then(|| (token.clone(), Presented::Outdated, CookieDue::Keep))
}

/// The session as a login ends it: another request changed its token meanwhile, and the answer may
/// be lost.
fn replaced(
    known: &Known,
    contents: &Contents,
    purpose: Purpose<'_>,
    may_adopt: bool,
    now: Timestamp,
) -> Option<Claim> {
    let (Purpose::Login(_), Some(token)) = (purpose, known.loaded.presented_token()) else {
        return None;
    };
    let id = *known.loaded.id();
    let found = TokenMatch::of(token, &id, contents, now);
    let (token, standing) = (token.clone(), Standing::Replaced { may_adopt });
    matches!(found, TokenMatch::Kept { .. }).then_some(Claim { id, token, standing })
}

/// Whether a login takes over the session that an earlier try at it left: its answer was lost.
fn is_adopted(
    token: &Token,
    id: &SessionId,
    contents: &Contents,
    purpose: Purpose<'_>,
    now: Timestamp,
) -> bool {
    let Purpose::Login(principal) = purpose else { return false };
    contents.principal.as_deref() == Some(principal)
        && matches!(TokenMatch::of(token, id, contents, now), TokenMatch::Kept { adoptable: true })
}
