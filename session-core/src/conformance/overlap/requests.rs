//! What one request does, and what is there before and after.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{Stage, stage::Parked};
use crate::{
    Clock, CookieAction, ErrorKind, KeyRing, ManagedSession, ManualClock, Result, SessionId,
    SessionInterface, SessionManager, SigningKey, conformance::Harness, cookie, interface::Look,
    session,
};

/// All a request can do to a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Read,
    Touch,
    Set,
    SetSame,
    Update,
    TryUpdate,
    Take,
    Renew,
    Rotate,
    Reissue,
    Bind,
    Unbind,
    Destroy,
}

impl Kind {
    pub(super) const ALL: [Self; 13] = [
        Self::Read,
        Self::Touch,
        Self::Set,
        Self::SetSame,
        Self::Update,
        Self::TryUpdate,
        Self::Take,
        Self::Renew,
        Self::Rotate,
        Self::Reissue,
        Self::Bind,
        Self::Unbind,
        Self::Destroy,
    ];

    /// Whether it changes the token with no grace for the old one.
    pub(super) fn renews(self) -> bool {
        matches!(self, Self::Renew | Self::Bind | Self::Unbind)
    }
}

/// The value that may be taken once.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Ticket;

/// What a request saw.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) was_known: bool,
    pub(super) number: Option<u32>,
    pub(super) ticket: Option<Ticket>,
    pub(super) failed: Option<ErrorKind>,
    /// Its changes were refused at its end.
    pub(super) is_refused: bool,
    pub(super) cookie: CookieAction,
}

/// What is there when both have ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) id: SessionId,
    pub(super) values: Option<BTreeMap<String, String>>,
    pub(super) original_is_alive: bool,
    pub(super) issued: [Option<String>; 2],
    pub(super) issued_is_alive: [Option<bool>; 2],
}

const HOUR: Duration = Duration::from_secs(3600);

/// The servers the requests are sent to.
pub(super) struct World {
    kinds: [Kind; 2],
    /// One for each request, and one that only looks.
    servers: [SessionInterface; 2],
    looker: SessionInterface,
    manager: Parked,
    clock: Arc<ManualClock>,
    issued: Mutex<[Option<String>; 2]>,
}

impl World {
    pub(super) fn build<H: Harness>(
        h: &H,
        stage: &Stage,
        managers: &[Arc<dyn SessionManager>; 2],
        kinds: [Kind; 2],
        in_one_process: bool,
    ) -> Self {
        let clock = Arc::new(ManualClock::at(h.now()));
        let parked = [0, 1].map(|at| stage.park(Arc::clone(&managers[at])));
        let server = |manager: &Parked, kinds: &[Kind]| {
            let keys = if kinds.contains(&Kind::Reissue) { ring(b'n', b'o') } else { behind() };
            let builder = SessionInterface::builder(manager.clone(), keys)
                .clock(Arc::clone(&clock) as Arc<dyn Clock>)
                .idle_timeout(HOUR)
                .lifetime(24 * HOUR);
            let builder = if kinds.contains(&Kind::Rotate) {
                builder.rotate_every(Duration::from_secs(60))
            } else {
                builder
            };
            builder.build().expect("the settings are right")
        };
        let servers = if in_one_process {
            let server = server(&parked[0], &kinds);
            [server.clone(), server]
        } else {
            [0, 1].map(|at| server(&parked[at], &kinds[at..=at]))
        };
        let looker = server(&parked[0], &[]);
        let [manager, _] = parked;
        Self { kinds, servers, looker, manager, clock, issued: Mutex::default() }
    }

    /// A session with the values the requests work on; returns its cookie.
    pub(super) async fn start<H: Harness>(&self, h: &H) -> String {
        let session = self.looker.open([]).await.expect("open");
        for (key, value) in [("number", "0"), ("ticket", "1"), ("same", "1")] {
            session.insert(key, value).expect("insert");
        }
        let CookieAction::Set(cookie) = session.finish().await.expect("finish").cookie else {
            panic!("a new session has a cookie")
        };
        // Old enough to be touched and rotated.
        let old = self.kinds.contains(&Kind::Touch) || self.kinds.contains(&Kind::Rotate);
        if old {
            h.advance(HOUR / 5);
            self.clock.set(h.now());
        }
        cookie.value().to_owned()
    }

    pub(super) async fn request(&self, who: usize, cookie: &str) -> Report {
        let session = self.servers[who].open([cookie.as_bytes()]).await.expect("open");
        let mut report = Report {
            was_known: !session.is_new(),
            number: None,
            ticket: None,
            failed: None,
            is_refused: false,
            cookie: CookieAction::Keep,
        };
        let handled = self.handle(who, &session, &mut report).await;
        report.failed = handled.err().map(|error| error.kind());
        report.cookie = match session.finish().await {
            Ok(finished) => finished.cookie,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Gone, "{error}");
                report.is_refused = true;
                session.take_cookie()
            }
        };
        if let CookieAction::Set(cookie) = &report.cookie {
            let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
            issued[who] = Some(cookie.value().to_owned());
        }
        report
    }

    async fn handle(
        &self,
        who: usize,
        session: &ManagedSession,
        report: &mut Report,
    ) -> Result<()> {
        match self.kinds[who] {
            Kind::Read | Kind::Touch | Kind::Rotate | Kind::Reissue => {
                session.get::<String>("same")?;
            }
            Kind::Set => session.insert(["a", "b"][who], "set")?,
            Kind::SetSame => session.insert("same", "1")?,
            Kind::Update => {
                let change = |before: Option<String>| {
                    let before = before.and_then(|number| number.parse().ok());
                    (before.unwrap_or(0_u32) + 1).to_string()
                };
                let after = session.update("number", change).await?;
                report.number = after.parse().ok();
            }
            Kind::TryUpdate => {
                let change = |before: Option<String>| {
                    let before = before.and_then(|number| number.parse::<u32>().ok());
                    before.map(|before| (before + 1).to_string()).ok_or(())
                };
                let after = session.try_update("number", change).await?;
                report.number = after.ok().and_then(|after| after.parse().ok());
            }
            Kind::Take => report.ticket = session.take::<String>("ticket").await?.map(|_| Ticket),
            Kind::Renew => session.renew()?,
            Kind::Bind => session.bind("alice").await?,
            Kind::Unbind => session.unbind(&["same"]).await?,
            Kind::Destroy => session.destroy().await?,
        }
        Ok(())
    }

    pub(super) async fn end(&self, cookie: &str) -> End {
        let keys = self.looker.shared().keys.load();
        let id = cookie::verify(&keys, cookie.as_bytes()).expect("our own cookie").id;
        let found = self.looker.shared().look(&id).await.expect("look");
        let found = match found {
            Look::Live(_, contents) => Some(contents),
            Look::Nothing | Look::Unreadable(_) => None,
        };
        let values = found.map(|contents| {
            let text = |(key, value): (&str, &[u8])| {
                (key.to_owned(), session::decode(key, value).expect("text"))
            };
            contents.data.values.iter().map(text).collect()
        });
        let issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut issued_is_alive = [None, None];
        for (alive, issued) in issued_is_alive.iter_mut().zip(&issued) {
            if let Some(issued) = issued {
                *alive = Some(self.is_alive(issued).await);
            }
        }
        let original_is_alive = self.is_alive(cookie).await;
        End { id, values, original_is_alive, issued, issued_is_alive }
    }

    async fn is_alive(&self, cookie: &str) -> bool {
        !self.looker.open([cookie.as_bytes()]).await.expect("open").is_new()
    }

    /// Makes room for the next play: stores that keep everything in sight would slow down.
    pub(super) async fn clear(&self, ids: impl Iterator<Item = SessionId>) {
        for id in ids {
            self.manager.remove(&id, None).await.expect("remove");
        }
    }
}

fn key(byte: u8) -> SigningKey {
    let secret: Vec<u8> = (0..32).map(|at| byte ^ at).collect();
    SigningKey::hmac_sha256(secret).expect("a good secret")
}

fn ring(current: u8, retired: u8) -> KeyRing {
    KeyRing::new(key(current)).retired(key(retired))
}

/// The ring of a server that is one step behind the rotation.
fn behind() -> KeyRing {
    KeyRing::new(key(b'o')).upcoming(key(b'n'))
}
