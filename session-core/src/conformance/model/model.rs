//! What sessions are, without time-outs of stores, seals, cookies and concurrency: the smallest
//! thing that behaves the same.

use std::collections::BTreeMap;

use super::{
    request::{Base, Cookie, Due, Life, Purpose, Request, Saved, edit},
    stored::Stored,
};

pub(super) const IDLE: u64 = 600_000;
pub(super) const LIFETIME: u64 = 3_600_000;
pub(super) const RETRY: u64 = 60_000;
pub(super) const OVERTAKEN: u64 = 5_000;
pub(super) const EMPTY: u64 = 60_000;

pub(super) type Values = BTreeMap<u8, u32>;
/// Tokens are numbered in the order they are made.
pub(super) type Token = usize;

/// All there is.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) now: u64,
    pub(super) sessions: Vec<Stored>,
    tokens: usize,
}

impl Model {
    pub(super) fn at(now: u64) -> Self {
        Self { now, ..Self::default() }
    }

    /// Whether `token` logs anyone in, and to what.
    pub(super) fn alive(&self, token: Token) -> Option<&Values> {
        let mut sessions = self.sessions.iter();
        sessions
            .find(|session| session.token == token && session.is_live(self.now))
            .map(|session| &session.values)
    }

    /// `owner` is the session the token was made for.
    pub(super) fn open(&mut self, cookie: Option<(usize, Token)>) -> Request {
        let now = self.now;
        let mut is_overtaken = false;
        let mut claim = None;
        if let Some((owner, token)) = cookie {
            let session = &mut self.sessions[owner];
            if session.is_live(now) && session.token == token {
                // Opening is activity, written once half of the time is over.
                if session.expires_at - now < IDLE / 2
                    && let Some(fresh) = session.touch_due(now)
                {
                    session.expires_at = fresh;
                }
                let seen = session.clone();
                let came_with = Some(token);
                let base = Base { session: owner, seen, came_with, is_current: true };
                return Request::new(now, Life::Known(base));
            }
            if session.is_live(now) {
                is_overtaken = session.overtakes(now);
                claim = session.is_kept_by(token, now).map(|_| (owner, token, true));
            }
        }
        Request::new(now, Life::Unknown { is_overtaken, claim })
    }

    /// The session the newest token of which is `token`, live or not.
    pub(super) fn owner(&self, token: Token) -> Option<usize> {
        self.sessions.iter().position(|session| session.token == token)
    }

    pub(super) fn revoke(&mut self, principal: u8) -> u64 {
        let now = self.now;
        let mut revoked = 0;
        for session in &mut self.sessions {
            if session.is_live(now) && session.principal == Some(principal) {
                session.is_there = false;
                revoked += 1;
            }
        }
        revoked
    }

    pub(super) fn finish(&mut self, request: &mut Request) -> (Saved, Cookie) {
        let has_changes = request.has_changes();
        let is_ended = matches!(request.life, Life::Ended { .. });
        let saved = match self.commit_unless(request, is_ended && !has_changes) {
            Saved::Gone if !has_changes => Saved::Unchanged,
            saved => saved,
        };
        let due = std::mem::take(&mut request.due);
        let cookie = match (due, &request.life) {
            (Due::Remove, _) => Cookie::Remove,
            (Due::Begun, Life::Known(base)) => Cookie::Set(base.seen.token),
            // One that was replaced meanwhile is not sent.
            (Due::Changed, Life::Known(base))
                if saved == Saved::Stored || self.alive(base.seen.token).is_some() =>
            {
                Cookie::Set(base.seen.token)
            }
            _ => Cookie::Keep,
        };
        (saved, cookie)
    }

    fn commit_unless(&mut self, request: &mut Request, is_over: bool) -> Saved {
        if is_over { Saved::Unchanged } else { self.commit(request, Purpose::Finish).0 }
    }

    /// Returns what became of it, and the number an update made or a take got.
    pub(super) fn commit(
        &mut self,
        request: &mut Request,
        purpose: Purpose,
    ) -> (Saved, Option<u32>) {
        let mut saved = Saved::Unchanged;
        // Whether the store was asked since.
        let mut is_fresh = false;
        loop {
            match request.life.clone() {
                Life::Ended { .. } => {
                    request.drop_changes();
                    return (Saved::Gone, None);
                }
                Life::Ending(base) => {
                    if self.remove(request, &base, purpose) {
                        saved = Saved::Stored;
                    }
                }
                Life::Unknown { is_overtaken, claim } => {
                    if let Some(done) =
                        self.create(request, purpose, is_overtaken, claim, &mut saved)
                    {
                        return done;
                    }
                }
                Life::Known(base) => {
                    match self.change(request, purpose, &base, is_fresh) {
                        Next::Done(became, number) => {
                            let became = if became == Saved::Unchanged { saved } else { became };
                            return (became, number);
                        }
                        Next::Again => {}
                    }
                    is_fresh = true;
                }
            }
        }
    }

    fn change(
        &mut self,
        request: &mut Request,
        purpose: Purpose,
        base: &Base,
        is_fresh: bool,
    ) -> Next {
        let now = self.now;
        if !base.seen.is_live(now) {
            self.reload(request, base, purpose);
            return Next::Again;
        }
        let before = &base.seen;
        let mut next = before.clone();
        if let Purpose::Bind(principal) = purpose
            && before.principal.is_some_and(|before| before != principal)
        {
            next.values.clear();
        }
        request.changes.apply(&mut next.values);
        let (result, is_refused) = edit(&mut next.values, purpose);
        if is_refused {
            if is_fresh {
                return Next::Done(Saved::Refused, None);
            }
            self.reload(request, base, purpose);
            return Next::Again;
        }
        let is_finish = matches!(purpose, Purpose::Finish);
        if is_finish && next.is_empty() && base.came_with.is_none() {
            self.remove(request, base, purpose);
            let is_done = matches!(request.life, Life::Unknown { .. });
            return if is_done { Next::Done(Saved::Stored, None) } else { Next::Again };
        }
        let is_same = next.values == before.values;
        let renews = request.renew || matches!(purpose, Purpose::Bind(_) | Purpose::Unbind(_));
        let presents = is_finish && !renews && base.is_current && before.kept.is_some();
        // Atomic means looked at, also where nothing is to be written.
        let is_edit = matches!(
            purpose,
            Purpose::Update(_) | Purpose::UpdateUpTo(_) | Purpose::TryUpdate(_) | Purpose::Take(_)
        );
        if is_same && !renews && !presents {
            if (is_edit || request.changes.removes()) && !is_fresh {
                self.reload(request, base, purpose);
                return Next::Again;
            }
            request.drop_changes();
            if is_finish {
                self.touch(request, base);
            }
            return Next::Done(Saved::Unchanged, result);
        }
        let session = &self.sessions[base.session];
        if !session.is_live(now) {
            request.due = Due::Keep;
            request.drop_changes();
            request.life = Life::Ended { last: base.clone(), is_overtaken: false };
            return Next::Done(Saved::Gone, None);
        }
        if session.version != before.version {
            self.reload(request, base, purpose);
            return Next::Again;
        }
        let mut base = base.clone();
        if renews {
            self.renew(&mut next, &base, purpose);
            base.is_current = false;
            if request.due != Due::Begun {
                request.due = Due::Changed;
            }
        } else if presents {
            next.kept = None;
        }
        if now >= next.token_at + RETRY {
            next.kept = None;
        }
        next.version += 1;
        next.expires_at = next.used(now);
        self.sessions[base.session] = next.clone();
        base.seen = next;
        request.life = Life::Known(base);
        request.drop_changes();
        Next::Done(Saved::Stored, result)
    }

    fn renew(&mut self, next: &mut Stored, base: &Base, purpose: Purpose) {
        let before = next.principal;
        let mut is_login = false;
        match purpose {
            Purpose::Bind(principal) => {
                is_login = before != Some(principal);
                next.principal = Some(principal);
                next.began = self.now;
            }
            Purpose::Unbind(keep) => {
                next.principal = None;
                next.began = self.now;
                next.values.retain(|key, _| *key == keep);
            }
            _ => {}
        }
        let kept = next.kept.filter(|_| !base.is_current);
        next.kept = kept.or_else(|| base.came_with.map(|token| (token, is_login)));
        next.token = self.token();
        next.token_at = self.now;
        next.epoch += 1;
    }

    /// Sees what has become of the session.
    fn reload(&mut self, request: &mut Request, base: &Base, purpose: Purpose) {
        let session = &self.sessions[base.session];
        let mut base = base.clone();
        if !session.is_live(self.now) {
            request.due = Due::Keep;
            request.life = Life::Ended { last: base, is_overtaken: false };
            return;
        }
        if session.epoch == base.seen.epoch {
            base.seen = session.clone();
            request.life = Life::Known(base);
            return;
        }
        let kept = base.came_with.and_then(|token| session.is_kept_by(token, self.now));
        match (purpose, kept) {
            (Purpose::Bind(principal), Some(true)) if session.principal == Some(principal) => {
                base.seen = session.clone();
                base.is_current = false;
                request.life = Life::Known(base);
            }
            (Purpose::Bind(_), Some(_)) => {
                request.due = Due::Keep;
                let claim = base.came_with.map(|token| (base.session, token, true));
                request.life = Life::Unknown { is_overtaken: true, claim };
            }
            _ => {
                let is_overtaken = session.overtakes(request.arrived);
                request.due = Due::Keep;
                request.life = Life::Ended { last: base, is_overtaken };
            }
        }
    }

    /// Ends the session; `false` if it was not this request's any more.
    fn remove(&mut self, request: &mut Request, base: &Base, purpose: Purpose) -> bool {
        let mut claim = None;
        let session = &mut self.sessions[base.session];
        let mut is_overtaken = false;
        let mut is_done = true;
        if session.is_live(self.now) {
            if session.epoch == base.seen.epoch {
                session.is_there = false;
                let was_sent = request.due != Due::Begun;
                request.due = if was_sent { Due::Remove } else { Due::Keep };
            } else {
                let kept = base.came_with.filter(|_| matches!(purpose, Purpose::Bind(_)));
                let kept = kept.filter(|token| session.is_kept_by(*token, self.now).is_some());
                claim = kept.map(|token| (base.session, token, false));
                is_overtaken = claim.is_some() || session.overtakes(request.arrived);
                is_done = false;
                request.due = Due::Keep;
            }
        } else {
            request.due = Due::Keep;
        }
        if !matches!(request.life, Life::Ending(_)) {
            request.drop_changes();
        }
        request.life = Life::Unknown { is_overtaken, claim };
        is_done
    }

    fn touch(&mut self, request: &mut Request, base: &Base) {
        let Some(fresh) = base.seen.touch_due(self.now) else { return };
        let now = self.now;
        let session = &mut self.sessions[base.session];
        if !session.is_live(now) {
            request.due = Due::Keep;
            request.life = Life::Ended { last: base.clone(), is_overtaken: false };
        } else if session.version == base.seen.version {
            session.expires_at = fresh;
            if let Life::Known(base) = &mut request.life {
                base.seen.expires_at = fresh;
            }
        }
    }

    pub(super) fn token(&mut self) -> Token {
        self.tokens += 1;
        self.tokens
    }
}

enum Next {
    Done(Saved, Option<u32>),
    Again,
}
