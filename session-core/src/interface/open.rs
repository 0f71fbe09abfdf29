//! From cookie values to a session.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
};

use super::{SessionInterface, Shared, look::Found};
use crate::{
    Event, ManagedSession, Reason, Result, Timestamp,
    cookie::{self, Presented as Cookie, Refused},
    session::{Claim, LoadedSession, Presented, Standing, Unknown},
};

/// Cookies of our name that are looked at; a browser sends one.
const MAX_COOKIES: usize = 8;

/// The genuine cookies of a request, and the way on to its session.
///
/// For middleware: verifying asks no store, and [`open`](Self::open) answers at once where it needs
/// not wait. Belongs to one request: it notes when it was made as the arrival of the request, and a
/// key that is taken out of the ring later is not looked at again.
///
/// # Examples
///
/// ```
/// use session_core::{ManagedSession, Opening, Result, SessionInterface};
///
/// async fn open(interface: &SessionInterface, cookie: &[u8]) -> Result<ManagedSession> {
///     let verified = interface.verify([cookie]);
///     match verified.open() {
///         Opening::Ready(session) => Ok(session),
///         waits => waits.await,
///     }
/// }
/// ```
#[must_use = "nothing was opened yet"]
pub struct Verified {
    interface: SessionInterface,
    arrived: Timestamp,
    /// Beside the others, so that the one a browser sends needs no memory of its own.
    first: Option<Cookie>,
    others: Vec<Cookie>,
}

/// What [`Verified::open`] returns: a session, or a future of one.
#[must_use = "await it, if it is not ready"]
#[expect(clippy::exhaustive_enums, reason = "an adapter must handle both")]
pub enum Opening<'a> {
    /// No cookie is genuine, or the one that is belongs to a session that is in memory.
    Ready(ManagedSession),
    /// The store has to be asked: await this.
    Waits(&'a Verified),
}

impl SessionInterface {
    /// Opens the session that one of `cookies` names, or a new one.
    ///
    /// `cookies` are the values of all cookies of [our name](Self::cookie_name), as raw bytes, in
    /// the order received. Each is verified before the store is asked for anything; without a
    /// genuine one the store is not asked. At most 8 are looked at. If two of them name different
    /// live sessions, none is opened: one of them was planted. A login or a logout then ends them
    /// all.
    ///
    /// A visitor without a cookie, with a forged, stale or expired one, or with one whose record
    /// cannot be read gets a new session, of which nothing is stored until something is put in.
    /// That is not an error; the [`Event`]s tell these cases apart.
    ///
    /// Opening counts as activity: where less than half of the idle timeout is left, the new end is
    /// written at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable): the store could not be asked. It
    /// is not known whether the visitor has a session: answer with an error, never as if they had
    /// none.
    ///
    /// # Cancellation
    ///
    /// Opening changes nothing but the idle deadline.
    pub async fn open<'a>(
        &self,
        cookies: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<ManagedSession> {
        let verified = self.verify(cookies);
        match verified.open() {
            Opening::Ready(session) => Ok(session),
            waits @ Opening::Waits(_) => waits.await,
        }
    }

    /// Verifies the MACs of `cookies`, as [`open`](Self::open) takes them. Asks no store.
    ///
    /// Call it when the head of the request has arrived: whether a change of token overtook the
    /// request is decided by this moment.
    pub fn verify<'a>(&self, cookies: impl IntoIterator<Item = &'a [u8]>) -> Verified {
        let shared = self.shared();
        let mut verified = Verified {
            interface: self.clone(),
            arrived: Timestamp::EPOCH,
            first: None,
            others: Vec::new(),
        };
        let keys = shared.keys.load();
        for (at, value) in cookies.into_iter().enumerate() {
            if at == MAX_COOKIES {
                shared.events.tell(Event::Rejected(Reason::TooMany), None);
                break;
            }
            match cookie::verify(&keys, value) {
                Ok(cookie) if verified.first.is_none() => {
                    // Of use to whoever has a token only.
                    verified.arrived = shared.now();
                    verified.first = Some(cookie);
                }
                Ok(cookie) => verified.others.push(cookie),
                Err(Refused::Malformed) => {
                    shared.events.tell(Event::Rejected(Reason::Malformed), None);
                }
                Err(Refused::Forged) => {
                    shared.hints.forged(&shared.cookie_name);
                    shared.events.tell(Event::Rejected(Reason::Forged), None);
                }
            }
        }
        verified
    }
}

impl Verified {
    /// Says that the head of the request was here at `arrived`, where cookies are verified later
    /// than that: when a handler first asks for its session, say.
    pub fn arrived_at(mut self, arrived: Timestamp) -> Self {
        self.arrived = arrived;
        self
    }

    /// Opens the session: at once if no cookie is genuine or the session is [in
    /// memory](crate::RecallSessions), else by a future that asks the store.
    ///
    /// May be called again where the future failed. See [`SessionInterface::open`].
    pub fn open(&self) -> Opening<'_> {
        self.ready().map_or(Opening::Waits(self), Opening::Ready)
    }

    /// How many of the cookies were genuine.
    pub fn genuine(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    fn ready(&self) -> Option<ManagedSession> {
        let shared = self.interface.shared();
        let Some(cookie) = &self.first else {
            return Some(self.session(Choice::default()));
        };
        if !self.others.is_empty() {
            return None;
        }
        let record = shared.store.manager.recalling()?.recall(&cookie.id)?;
        // What is in memory may be older than the cookie: only the store can say that it is stale.
        let now = shared.now();
        let found = shared.judge(cookie, self.arrived, record, false, now);
        let Ok(Found::Session(loaded)) = found else { return None };
        if shared.activity_due(&loaded, now).is_some() {
            return None;
        }
        let is_retired = Shared::is_retired(Some(cookie.standing));
        Some(self.session(Choice { session: Some(loaded), is_retired, ..Choice::default() }))
    }

    async fn ask(&self) -> Result<ManagedSession> {
        let shared = self.interface.shared();
        let mut choice = Choice::default();
        for cookie in self.first.iter().chain(&self.others) {
            choice.add(shared.find(cookie, self.arrived).await?, cookie);
        }
        if choice.rivals.is_empty()
            && let Some(loaded) = &mut choice.session
        {
            shared.write_activity(loaded).await;
        }
        Ok(self.session(choice))
    }

    fn session(&self, choice: Choice) -> ManagedSession {
        let interface = self.interface.clone();
        match choice.session {
            Some(loaded) if choice.rivals.is_empty() => {
                let graced = matches!(loaded.presented, Presented::Earlier(_));
                let reissue = graced || choice.is_retired;
                ManagedSession::known(interface, self.arrived, loaded, reissue)
            }
            session => {
                let mut unknown = choice.unknown;
                unknown.was_known = self.first.is_some();
                if !choice.rivals.is_empty() {
                    let shared = interface.shared();
                    shared.hints.ambiguous(&shared.cookie_name);
                    shared.events.tell(Event::Rejected(Reason::Ambiguous), None);
                    unknown.claims.extend(session.into_iter().chain(choice.rivals).map(claim));
                }
                ManagedSession::unknown(interface, self.arrived, unknown)
            }
        }
    }
}

impl<'a> IntoFuture for Opening<'a> {
    type Output = Result<ManagedSession>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<ManagedSession>> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        match self {
            Self::Ready(session) => Box::pin(std::future::ready(Ok(session))),
            Self::Waits(verified) => Box::pin(verified.ask()),
        }
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("genuine", &self.genuine()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Opening<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready(_) => "Ready(..)",
            Self::Waits(_) => "Waits(..)",
        })
    }
}

/// What the store had under the sids of the cookies so far.
#[derive(Default)]
struct Choice {
    session: Option<LoadedSession>,
    /// Other live sessions.
    rivals: Vec<LoadedSession>,
    /// The session's cookie is signed by a retired key.
    is_retired: bool,
    unknown: Unknown,
}

impl Choice {
    fn add(&mut self, found: Found, cookie: &Cookie) {
        match found {
            Found::Session(loaded) => match &self.session {
                Some(first) if first.id() == loaded.id() => {}
                Some(_) => self.rivals.push(loaded),
                None => {
                    self.session = Some(loaded);
                    self.is_retired = Shared::is_retired(Some(cookie.standing));
                }
            },
            Found::Stale { is_overtaken, is_kept } => {
                self.unknown.is_overtaken |= is_overtaken;
                if is_kept {
                    self.unknown.claims.push(Claim {
                        id: cookie.id,
                        token: cookie.token.clone(),
                        standing: Standing::Replaced { may_adopt: true },
                    });
                }
            }
            Found::Over => self.unknown.was_ended = true,
            Found::Unreadable(reason) => self.unknown.unreadable = Some(reason),
        }
    }
}

fn claim(loaded: LoadedSession) -> Claim {
    Claim {
        id: *loaded.id(),
        standing: Standing::Rival { has_principal: loaded.contents.principal.is_some() },
        token: loaded.token,
    }
}
