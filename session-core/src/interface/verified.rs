//! The cookies of a request whose MAC is right, and the session that one of them names.

use std::fmt;

use super::{CookieAction, SessionInterface, Shared, open::Found};
use crate::{
    Event, ManagedSession, Reason, Result, Timestamp,
    cookie::{self, Presented, Refused},
    interface::Base,
    keys::Standing,
};

/// Cookies of our name that are looked at; a browser sends one.
const MAX_COOKIES: usize = 8;

/// The genuine cookies of a request, and the way on to its session:
/// [`SessionInterface::open`] in two steps, of which only the second may wait.
///
/// For middleware that would rather not box a future for a session that is in memory. For the one
/// request: a key that is taken out of the ring later is not looked at again. What is told of the
/// record, that it is stale or expired for example, is told at every try.
///
/// # Examples
///
/// ```
/// use session_core::{ManagedSession, Result, SessionInterface};
///
/// async fn open(interface: &SessionInterface, cookie: &[u8]) -> Result<ManagedSession> {
///     let verified = interface.verify([cookie]);
///     match verified.recall() {
///         Some(session) => Ok(session),
///         None => verified.open().await,
///     }
/// }
/// ```
#[must_use = "nothing was opened yet"]
pub struct Verified {
    interface: SessionInterface,
    /// Beside the others, so that the one a browser sends needs no memory of its own.
    first: Option<Presented>,
    others: Vec<Presented>,
}

impl SessionInterface {
    /// Verifies the MACs of `cookies`, as [`open`](Self::open) takes them. Asks no store.
    pub fn verify<'a>(&self, cookies: impl IntoIterator<Item = &'a [u8]>) -> Verified {
        let mut verified = Verified { interface: self.clone(), first: None, others: Vec::new() };
        let shared = self.shared();
        let keys = shared.keys.load();
        for (at, value) in cookies.into_iter().enumerate() {
            if at == MAX_COOKIES {
                shared.events.tell(Event::Rejected(Reason::TooMany), None);
                break;
            }
            match cookie::verify(&keys, value) {
                Ok(cookie) if verified.first.is_none() => verified.first = Some(cookie),
                Ok(cookie) => verified.others.push(cookie),
                Err(Refused::Malformed) => {
                    shared.events.tell(Event::Rejected(Reason::Malformed), None);
                }
                Err(Refused::Forged) => {
                    shared.events.tell(Event::Rejected(Reason::Forged), None);
                }
            }
        }
        verified
    }
}

impl Verified {
    /// Opens the session if nobody has to be waited for: no cookie is genuine, or one is and its
    /// record is [at hand](crate::RecallSessions). `None` says that it takes [`open`](Self::open).
    pub fn recall(&self) -> Option<ManagedSession> {
        let mut choice = Choice::default();
        if let Some(cookie) = &self.first {
            let shared = self.interface.shared();
            if !self.others.is_empty() {
                return None;
            }
            let record = shared.manager.recalling()?.recall(&cookie.id)?;
            choice.add(shared.judge(cookie, record), cookie.standing);
        }
        Some(choice.open(&self.interface))
    }

    /// Opens the session, asking the store: see [`SessionInterface::open`].
    ///
    /// # Errors
    ///
    /// As there; it may be tried again.
    pub async fn open(&self) -> Result<ManagedSession> {
        let shared = self.interface.shared();
        let mut choice = Choice::default();
        for cookie in self.first.iter().chain(&self.others) {
            choice.add(shared.find(cookie).await?, cookie.standing);
        }
        Ok(choice.open(&self.interface))
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cookies = usize::from(self.first.is_some()) + self.others.len();
        f.debug_struct("Verified").field("cookies", &cookies).finish_non_exhaustive()
    }
}

/// What the store had under the sids of the cookies so far.
#[derive(Default)]
struct Choice {
    session: Option<(Base, Standing)>,
    stale: Option<Timestamp>,
    ambiguous: bool,
}

impl Choice {
    fn add(&mut self, found: Found, standing: Standing) {
        match found {
            Found::Session(base) => match &self.session {
                Some((first, _)) if first.id() == base.id() => {}
                Some(_) => self.ambiguous = true,
                None => self.session = Some((base, standing)),
            },
            Found::Stale(at) => self.stale = self.stale.max(Some(at)),
            Found::Nothing => {}
        }
    }

    fn open(self, interface: &SessionInterface) -> ManagedSession {
        let shared = interface.shared();
        if self.ambiguous {
            shared.events.tell(Event::Rejected(Reason::Ambiguous), None);
            // A session of its own would be one more cookie beside those, and be taken no more than
            // they.
            return ManagedSession::unknown(interface.clone(), Some(shared.now()));
        }
        let Some((base, standing)) = self.session else {
            return ManagedSession::unknown(interface.clone(), self.stale);
        };
        let reissue = base.graced || Shared::is_retired(Some(standing));
        let cookie = if reissue { shared.issue(&base, &base.token) } else { CookieAction::Keep };
        ManagedSession::known(interface.clone(), base, cookie)
    }
}
