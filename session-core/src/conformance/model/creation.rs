//! How sessions begin in the model, and what becomes of those that a login finds.

use super::{
    model::{Model, Token, Values},
    request::{Base, Due, Life, Purpose, Request, Saved, edit},
    stored::Stored,
};

impl Model {
    pub(super) fn create(
        &mut self,
        request: &mut Request,
        purpose: Purpose,
        is_overtaken: bool,
        claim: Option<(usize, Token, bool)>,
        saved: &mut Saved,
    ) -> Option<(Saved, Option<u32>)> {
        let mut values = Values::new();
        request.changes.apply(&mut values);
        let (result, is_refused) = edit(&mut values, purpose);
        if is_refused {
            return Some((Saved::Refused, None));
        }
        let principal = match purpose {
            Purpose::Bind(principal) => Some(principal),
            _ => None,
        };
        if values.is_empty() && principal.is_none() {
            request.drop_changes();
            return Some((*saved, result));
        }
        if let (Some(principal), Some(claim)) = (principal, claim) {
            *saved = Saved::Stored;
            self.settle(request, principal, claim, is_overtaken);
            return None;
        }
        if is_overtaken {
            request.drop_changes();
            return Some((Saved::Gone, None));
        }
        let token = self.token();
        let mut session = Stored {
            is_there: true,
            version: 1,
            token,
            token_at: self.now,
            epoch: 0,
            kept: None,
            values,
            principal,
            began: self.now,
            expires_at: 0,
        };
        session.expires_at = session.used(self.now);
        self.sessions.push(session.clone());
        let at = self.sessions.len() - 1;
        let base = Base { session: at, seen: session, came_with: None, is_current: false };
        request.life = Life::Known(base);
        request.due = Due::Begun;
        request.drop_changes();
        Some((Saved::Stored, result))
    }

    /// A login with a token that was replaced a moment ago.
    fn settle(
        &mut self,
        request: &mut Request,
        principal: u8,
        (owner, token, may_adopt): (usize, Token, bool),
        is_overtaken: bool,
    ) {
        let session = &mut self.sessions[owner];
        let kept = session.is_kept_by(token, self.now).filter(|_| session.is_live(self.now));
        let mut life = Life::Unknown { is_overtaken, claim: None };
        if may_adopt && kept == Some(true) && session.principal == Some(principal) {
            let (seen, came_with) = (session.clone(), Some(token));
            life = Life::Known(Base { session: owner, seen, came_with, is_current: false });
        } else if kept.is_some() {
            session.is_there = false;
            request.due = Due::Remove;
            life = Life::Unknown { is_overtaken: false, claim: None };
        }
        request.life = life;
    }
}
