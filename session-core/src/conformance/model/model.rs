//! What sessions are, without time-outs of stores, seals, cookies and concurrency: the smallest
//! thing that behaves the same.

use std::collections::BTreeMap;

use super::request::{Base, Cookie, Purpose, Request, apply, edit};
use crate::Saved;

pub(super) const IDLE: u64 = 600_000;
pub(super) const LIFETIME: u64 = 3_600_000;
const STALE: u64 = 60_000;

pub(super) type Values = BTreeMap<u8, u32>;
/// Tokens are numbered in the order they are made.
pub(super) type Token = usize;

/// All there is.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) now: u64,
    sessions: Vec<Stored>,
    tokens: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Stored {
    is_there: bool,
    version: u64,
    token: Token,
    pub(super) token_at: u64,
    pub(super) values: Values,
    principal: Option<u8>,
    /// When its lifetime began: at the last login, else at creation.
    began: u64,
    expires_at: u64,
}

impl Stored {
    pub(super) fn is_live(&self, now: u64) -> bool {
        self.is_there && now < self.expires_at && now < self.began + LIFETIME
    }

    fn used(&self, now: u64) -> u64 {
        (now + IDLE).min(self.began + LIFETIME)
    }
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
    pub(super) fn open(&self, cookie: Option<(usize, Token)>) -> Request {
        let mut request = Request::default();
        if let Some((owner, token)) = cookie {
            let session = &self.sessions[owner];
            if session.is_live(self.now) {
                if session.token == token {
                    request.base = Some(Base { session: owner, seen: session.clone() });
                } else {
                    request.stale = Some(session.token_at);
                }
            }
        }
        request
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
        let has_changes = !request.changes.is_empty() || request.renew || request.purge;
        let saved = if request.gone && !has_changes {
            Saved::Unchanged
        } else {
            match self.commit(request, Purpose::Finish).0 {
                Saved::Gone if !has_changes => Saved::Unchanged,
                saved => saved,
            }
        };
        (saved, std::mem::take(&mut request.cookie))
    }

    /// Returns what became of it, and the number an update made or a take got.
    pub(super) fn commit(
        &mut self,
        request: &mut Request,
        purpose: Purpose,
    ) -> (Saved, Option<u32>) {
        let mut saved = Saved::Unchanged;
        loop {
            if request.gone {
                if !request.purge {
                    return (request.end(), None);
                }
                request.gone = false;
                Self::removed(request, false);
                continue;
            }
            let Some(base) = request.base.clone() else {
                return self.create(request, purpose, saved);
            };
            let session = &self.sessions[base.session];
            let is_held = session.is_live(self.now) && session.token == base.seen.token;
            let is_newest = session.version == base.seen.version;
            // What a request has seen is taken for granted until it writes.
            let mut next = base.seen.clone();
            apply(&request.changes, &mut next.values);
            let result = edit(&mut next.values, purpose);
            let is_empty = next.values.is_empty() && next.principal.is_none();
            let removes = request.purge || (matches!(purpose, Purpose::Finish) && is_empty);
            let renews = request.renew || matches!(purpose, Purpose::Bind(_));
            let writes = renews || next.values != base.seen.values;
            if !request.purge && !base.seen.is_live(self.now) {
                if !is_held {
                    request.lose(session, self.now);
                    return (request.end(), None);
                }
                request.base = Some(Base { session: base.session, seen: session.clone() });
                continue;
            }
            if !removes && !writes {
                request.changes.clear();
                if matches!(purpose, Purpose::Finish) {
                    self.touch(request, &base);
                }
                return (saved, result);
            }
            if removes && !session.is_live(self.now) {
                saved = Saved::Stored;
                if Self::removed(request, false) {
                    continue;
                }
                return (saved, None);
            }
            if !is_newest {
                if is_held {
                    request.base = Some(Base { session: base.session, seen: session.clone() });
                } else {
                    request.lose(session, self.now);
                }
                continue;
            }
            if !session.is_live(self.now) {
                return (request.end(), None);
            }
            if removes {
                self.sessions[base.session].is_there = false;
                saved = Saved::Stored;
                if Self::removed(request, true) {
                    continue;
                }
                return (saved, None);
            }
            if let Purpose::Bind(principal) = purpose {
                if next.principal.is_some_and(|before| before != principal) {
                    next.values.clear();
                }
                next.principal = Some(principal);
                next.began = self.now;
            }
            if renews {
                next.token = self.token();
                next.token_at = self.now;
                request.cookie = Cookie::Set(next.token);
            }
            next.version += 1;
            next.expires_at = next.used(self.now);
            self.stored(request, base.session, next);
            return (Saved::Stored, result);
        }
    }

    fn create(
        &mut self,
        request: &mut Request,
        purpose: Purpose,
        saved: Saved,
    ) -> (Saved, Option<u32>) {
        let mut values = Values::new();
        apply(&request.changes, &mut values);
        let result = edit(&mut values, purpose);
        let principal = match purpose {
            Purpose::Bind(principal) => Some(principal),
            _ => None,
        };
        if values.is_empty() && principal.is_none() {
            request.changes.clear();
            return (saved, result);
        }
        if request.stale.is_some_and(|at| self.now < at + STALE) {
            return (request.end(), None);
        }
        let token = self.token();
        let mut session = Stored {
            is_there: true,
            version: 1,
            token,
            token_at: self.now,
            values,
            principal,
            began: self.now,
            expires_at: 0,
        };
        session.expires_at = session.used(self.now);
        request.cookie = Cookie::Set(token);
        self.sessions.push(session.clone());
        let at = self.sessions.len() - 1;
        self.stored(request, at, session);
        (Saved::Stored, result)
    }

    fn stored(&mut self, request: &mut Request, at: usize, session: Stored) {
        self.sessions[at] = session.clone();
        request.base = Some(Base { session: at, seen: session });
        request.changes.clear();
        request.renew = false;
        request.stale = None;
    }

    /// The request has no session any more; `true` if it asked for that, and may have another.
    fn removed(request: &mut Request, is_ours: bool) -> bool {
        request.cookie = if is_ours { Cookie::Remove } else { Cookie::Keep };
        request.base = None;
        request.renew = false;
        let was_asked = std::mem::take(&mut request.purge);
        if !was_asked {
            request.changes.clear();
        }
        was_asked
    }

    fn touch(&mut self, request: &mut Request, base: &Base) {
        let fresh = base.seen.used(self.now);
        if fresh.saturating_sub(base.seen.expires_at) < IDLE / 10 {
            return;
        }
        let now = self.now;
        let session = &mut self.sessions[base.session];
        if !session.is_live(now) {
            request.gone = true;
            request.cookie = Cookie::Keep;
        } else if session.version == base.seen.version {
            session.expires_at = fresh;
            if let Some(base) = &mut request.base {
                base.seen.expires_at = fresh;
            }
        }
    }

    fn token(&mut self) -> Token {
        self.tokens += 1;
        self.tokens
    }
}
