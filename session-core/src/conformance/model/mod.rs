//! Random operations on the whole stack, beside a model of it.

mod creation;
#[expect(clippy::module_inception, reason = "the model is what the module is about")]
mod model;
mod request;
mod stored;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use self::{
    model::{IDLE, LIFETIME, Model, Token, Values},
    request::{BOUND, Change, Cookie, Purpose, Request, Saved},
};
use super::Harness;
use crate::{
    Clock, CookieAction, ErrorKind, ManagedSession, ManualClock, SessionInterface, SessionManager,
    SigningKey,
};

/// What the stack does, the model does, for some hundred sequences of operations.
pub fn random_operations_agree_with_the_model<H: Harness>() {
    // Marsaglia's xorshift: the same sequences at every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..400 {
        let bytes: Vec<u8> = (0..160)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3]
            })
            .collect();
        check::<H>(&bytes);
    }
}

/// Carries out the operations that `bytes` stand for, on the stack over a fresh backend and on the
/// model, and panics where they differ.
///
/// Any bytes are a sequence of operations: for property tests and fuzzers, which find the bytes and
/// shrink them. Three browsers, up to four requests at a time, every operation a handler has,
/// revocations, sweeps, replayed cookies, and the clock.
pub fn check<H: Harness>(bytes: &[u8]) {
    let h = H::start();
    let mut run = Run::start(&h);
    let mut input = Input(bytes.iter());
    while let Some(operation) = input.next() {
        h.block_on(run.step(operation, &mut input));
    }
    h.block_on(run.end());
}

struct Input<'a>(std::slice::Iter<'a, u8>);

impl Input<'_> {
    fn next(&mut self) -> Option<u8> {
        self.0.next().copied()
    }

    /// A number below `below`; zero when the bytes have run out.
    fn below(&mut self, below: u8) -> u8 {
        self.next().unwrap_or(0) % below
    }
}

const BROWSERS: u8 = 3;
const REQUESTS: u8 = 4;
const KEYS: u8 = 4;
const PRINCIPALS: [&str; 2] = ["alice", "bob"];

struct Run<'a, H: Harness> {
    h: &'a H,
    interface: SessionInterface,
    clock: Arc<ManualClock>,
    model: Model,
    /// The cookie of each browser: token and session.
    browsers: [Option<Token>; BROWSERS as usize],
    requests: [Option<Open>; REQUESTS as usize],
    /// Every cookie that was ever sent, and the session it was made for.
    issued: BTreeMap<Token, (usize, String)>,
}

struct Open {
    browser: usize,
    session: ManagedSession,
    request: Request,
}

impl<'a, H: Harness> Run<'a, H> {
    fn start(h: &'a H) -> Self {
        let clock = Arc::new(ManualClock::at(h.now()));
        let secret: Vec<u8> = (0..32).collect();
        let key = SigningKey::hmac_sha256(secret).expect("a good secret");
        let interface = SessionInterface::builder(h.handle(), key)
            .idle_timeout(Duration::from_millis(IDLE))
            .lifetime(Duration::from_millis(LIFETIME))
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .build()
            .expect("the settings are right");
        let model = Model::at(clock.now().as_millis());
        Self {
            h,
            interface,
            clock,
            model,
            browsers: [None; BROWSERS as usize],
            requests: [const { None }; REQUESTS as usize],
            issued: BTreeMap::new(),
        }
    }

    async fn step(&mut self, operation: u8, input: &mut Input<'_>) {
        match operation % 25 {
            0..=2 => {
                let slot = usize::from(input.below(REQUESTS));
                self.finish(slot).await;
                self.open(slot, usize::from(input.below(BROWSERS))).await;
            }
            4 | 5 => {
                let slot = usize::from(input.below(REQUESTS));
                self.finish(slot).await;
            }
            20 | 21 => {
                let slot = usize::from(input.below(REQUESTS));
                self.finish_unheard(slot).await;
            }
            3 | 6 => {
                let steps =
                    [1_000, 30_000, IDLE / 20, IDLE / 3, IDLE / 3, IDLE / 2, IDLE, LIFETIME / 4];
                let step = steps[usize::from(input.below(8))];
                self.h.advance(Duration::from_millis(step));
                self.clock.set(self.h.now());
                self.model.now = self.clock.now().as_millis();
            }
            7 => {
                if let Some(sweeping) = self.interface.manager().sweeping() {
                    sweeping.sweep().await.expect("sweep");
                }
            }
            8 => self.revoke(input.below(2)).await,
            9 => self.replay().await,
            operation => {
                let slot = usize::from(input.below(REQUESTS));
                let Some(mut open) = self.requests[slot].take() else { return };
                self.handle(&mut open, operation, input).await;
                assert_eq!(values(&open.session), open.request.view(), "what the handler sees");
                self.requests[slot] = Some(open);
            }
        }
    }

    async fn end(&mut self) {
        for slot in 0..usize::from(REQUESTS) {
            self.finish(slot).await;
        }
        self.replay().await;
    }

    async fn open(&mut self, slot: usize, browser: usize) {
        let cookie = self.browsers[browser]
            .and_then(|token| self.issued.get(&token).map(|(owner, value)| (token, *owner, value)));
        let value = cookie.as_ref().map(|(_, _, value)| value.as_bytes());
        let session = self.interface.open(value).await.expect("open");
        let request = self.model.open(cookie.map(|(token, owner, _)| (owner, token)));
        assert_eq!(session.is_new(), request.is_new(), "whether the visitor is known");
        assert_eq!(values(&session), request.view(), "what was opened");
        self.requests[slot] = Some(Open { browser, session, request });
    }

    /// Ends a request whose answer is lost: the browser has the cookie it had.
    async fn finish_unheard(&mut self, slot: usize) {
        let browsers = self.browsers;
        self.finish(slot).await;
        self.browsers = browsers;
    }

    async fn finish(&mut self, slot: usize) {
        let Some(mut open) = self.requests[slot].take() else { return };
        let finished = open.session.finish().await;
        let (saved, cookie) = self.model.finish(&mut open.request);
        let (became, sent) = match finished {
            Ok(finished) => (saved_as(finished.saved), finished.cookie),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Gone, "{error}");
                (Saved::Gone, open.session.take_cookie())
            }
        };
        assert_eq!(became, saved, "what became of the changes");
        match (sent, cookie) {
            (CookieAction::Keep, Cookie::Keep) => {}
            (CookieAction::Remove, Cookie::Remove) => self.browsers[open.browser] = None,
            (CookieAction::Set(cookie), Cookie::Set(token)) => {
                let owner = self.model.owner(token);
                // A token that was replaced before it was sent is sent all the same, and is dead.
                let owner = owner.or_else(|| open.request.owner()).expect("a token has a session");
                self.issued.insert(token, (owner, cookie.value().to_owned()));
                self.browsers[open.browser] = Some(token);
            }
            (sent, expected) => panic!("{sent:?} was sent instead of {expected:?}"),
        }
    }

    async fn handle(&mut self, open: &mut Open, operation: u8, input: &mut Input<'_>) {
        let Open { session, request, .. } = open;
        let key = input.below(KEYS);
        let name = key.to_string();
        match operation {
            10 | 11 => {
                let value = u32::from(input.below(4));
                session.insert(&name, &value).expect("insert");
                request.change(Change::Set(key, value));
            }
            12 => {
                session.remove(&name).expect("remove");
                request.change(Change::Remove(key));
            }
            13 => {
                let change =
                    |before: Option<u32>| before.map_or(1, |before| before.wrapping_add(1));
                let made = settle(session.update(&name, change).await);
                let (saved, expected) = self.model.commit(request, Purpose::Update(key));
                assert_eq!(made, (saved != Saved::Gone).then_some(expected).flatten(), "an update");
            }
            24 => {
                let change = |before: Option<u32>| {
                    before.map_or(1, |before| before.wrapping_add(1)).min(BOUND)
                };
                let made = settle(session.update(&name, change).await);
                let (saved, expected) = self.model.commit(request, Purpose::UpdateUpTo(key));
                let expected = (saved != Saved::Gone).then_some(expected).flatten();
                assert_eq!(made, expected, "an update that may change nothing");
            }
            22 => {
                let change = |before: Option<u32>| {
                    let after = before.map_or(1, |before| before.wrapping_add(1));
                    if after > BOUND { Err(()) } else { Ok(after) }
                };
                let made = settle(session.try_update(&name, change).await);
                let (saved, expected) = self.model.commit(request, Purpose::TryUpdate(key));
                let expected = match saved {
                    Saved::Gone => None,
                    Saved::Refused => Some(Err(())),
                    _ => expected.map(Ok),
                };
                assert_eq!(made, expected, "an update that may refuse");
            }
            23 => {
                let done = settle(session.unbind(&[&name]).await);
                let is_new = matches!(request.life, request::Life::Unknown { .. });
                let saved = if is_new {
                    Saved::Unchanged
                } else {
                    self.model.commit(request, Purpose::Unbind(key)).0
                };
                assert_eq!(done.is_some(), saved != Saved::Gone, "a logout that keeps something");
            }
            14 => {
                let got = settle(session.take::<u32>(&name).await).flatten();
                let (saved, expected) = self.model.commit(request, Purpose::Take(key));
                assert_eq!(got, (saved != Saved::Gone).then_some(expected).flatten(), "a take");
            }
            15 => {
                session.clear().expect("clear");
                request.change(Change::Clear);
            }
            16 => {
                session.renew().expect("renew");
                request.renew();
            }
            17 => {
                let principal = key % 2;
                let bound = settle(session.bind(PRINCIPALS[usize::from(principal)]).await);
                let (saved, _) = self.model.commit(request, Purpose::Bind(principal));
                assert_eq!(bound.is_some(), saved != Saved::Gone, "a login");
            }
            18 => {
                if key.is_multiple_of(2) {
                    session.purge().expect("purge");
                    request.purge();
                } else {
                    session.destroy().await.expect("to end what has ended is no failure");
                    request.purge();
                    // Nobody is told whether there was anything to end.
                    let _ = self.model.commit(request, Purpose::Save);
                }
            }
            _ => {
                let saved = settle(session.save().await).map_or(Saved::Gone, saved_as);
                assert_eq!(saved, self.model.commit(request, Purpose::Save).0, "a save");
            }
        }
    }

    async fn revoke(&mut self, principal: u8) {
        if self.interface.manager().listing().is_none() {
            return;
        }
        let name = PRINCIPALS[usize::from(principal)];
        let revoked = self.interface.revoke_all(name, None).await.expect("revoke");
        assert_eq!(revoked, self.model.revoke(principal), "sessions revoked");
    }

    /// Sends every cookie there ever was again.
    async fn replay(&mut self) {
        for (token, (owner, value)) in &self.issued {
            let session = self.interface.open([value.as_bytes()]).await.expect("open");
            // Opening is a use.
            self.model.open(Some((*owner, *token)));
            let expected = self.model.alive(*token);
            assert_eq!(session.is_new(), expected.is_none(), "whether a cookie is alive");
            if let Some(expected) = expected {
                assert_eq!(values(&session), *expected, "what it leads to");
            }
        }
    }
}

fn values(session: &ManagedSession) -> Values {
    let entries = session.entries::<u32>().expect("numbers");
    entries.into_iter().map(|(key, value)| (key.parse().expect("a number"), value)).collect()
}

fn saved_as(saved: crate::Saved) -> Saved {
    match saved {
        crate::Saved::Unchanged => Saved::Unchanged,
        crate::Saved::Stored => Saved::Stored,
    }
}

/// `None` if the session was gone; nothing else may fail.
fn settle<T>(result: crate::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Gone, "{error}");
            None
        }
    }
}
