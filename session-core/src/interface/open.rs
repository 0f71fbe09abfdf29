//! From cookie values to a session.

use std::sync::Arc;

use super::{Policy, SessionInterface, Shared};
use crate::{
    Error, ErrorKind, Event, ManagedSession, Reason, Record, Result, SessionId, Timestamp,
    cookie::{self, Presented, Refused},
    keys::Standing,
    record::{Contents, Unopened},
    token::Token,
};

/// Cookies of our name that are looked at; a browser sends one.
const MAX_COOKIES: usize = 8;

/// A session as it was found in the store.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    /// The token the session is held by, and that its cookie should carry.
    pub(crate) token: Token,
    pub(crate) record: Arc<Record>,
    pub(crate) contents: Arc<Contents>,
    /// The request came with the predecessor of the token.
    pub(crate) graced: bool,
}

impl Base {
    pub(crate) fn id(&self) -> &SessionId {
        self.record.id()
    }
}

/// A live record and what is in it.
pub(crate) type Opened = (Arc<Record>, Arc<Contents>);

/// What a token is to a record.
pub(crate) enum Held {
    /// Its token.
    Current,
    /// Its token's predecessor, in the time of grace; the token itself comes with it.
    Predecessor(Token),
    /// A token it had once, or never had.
    Stale,
}

impl Held {
    pub(crate) fn by(token: &Token, id: &SessionId, contents: &Contents, now: Timestamp) -> Self {
        let verifier = token.verifier(id);
        if contents.verifier.matches(&verifier) {
            return Self::Current;
        }
        let Some(rotation) = &contents.rotation else { return Self::Stale };
        let in_grace =
            rotation.presented_at.is_none_or(|at| now < at.saturating_add(Policy::GRACE));
        if !in_grace || !rotation.verifier.matches(&verifier) {
            return Self::Stale;
        }
        let successor = token.successor(id, &rotation.salt);
        if contents.verifier.matches(&successor.verifier(id)) {
            Self::Predecessor(successor)
        } else {
            Self::Stale
        }
    }
}

/// The cookies that one of our keys signed, in the order received.
#[derive(Default)]
struct Genuine {
    /// Beside the others, so that the one a browser sends needs no memory of its own.
    first: Option<Presented>,
    others: Vec<Presented>,
}

impl Genuine {
    fn push(&mut self, cookie: Presented) {
        match self.first {
            None => self.first = Some(cookie),
            Some(_) => self.others.push(cookie),
        }
    }
}

/// What the store has under the sid of a cookie.
enum Found {
    Session(Base),
    /// The token was replaced at this time.
    Stale(Timestamp),
    Nothing,
}

impl SessionInterface {
    /// Opens the session that one of `cookies` names, or a new one.
    ///
    /// `cookies` are the values of all cookies of [our name](Self::cookie_name), as raw bytes, in
    /// the order received. Each is verified before the store is asked for anything; without a
    /// genuine one the store is not asked. At most 8 are looked at. If two of them name different
    /// live sessions, none is taken: one of them was planted.
    ///
    /// A visitor without a cookie, with a forged, stale or expired one, or with one whose record is
    /// damaged gets a new session, of which nothing is stored until something is put in. That is
    /// not an error, and the handler cannot tell these cases apart; the [`Event`]s do.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`]: the store could not be asked. It is not known whether the
    /// visitor has a session: answer with an error, never as if they had none.
    ///
    /// # Cancellation
    ///
    /// Opening changes nothing.
    pub async fn open<'a>(
        &self,
        cookies: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<ManagedSession> {
        let genuine = self.verify(cookies);
        self.clone().open_presented(genuine).await
    }

    fn verify<'a>(&self, cookies: impl IntoIterator<Item = &'a [u8]>) -> Genuine {
        let mut genuine = Genuine::default();
        let shared = self.shared();
        let keys = shared.keys.load();
        for (at, value) in cookies.into_iter().enumerate() {
            if at == MAX_COOKIES {
                shared.events.tell(Event::Rejected(Reason::TooMany), None);
                break;
            }
            match cookie::verify(&keys, value) {
                Ok(cookie) => genuine.push(cookie),
                Err(Refused::Malformed) => {
                    shared.events.tell(Event::Rejected(Reason::Malformed), None);
                }
                Err(Refused::Forged) => {
                    shared.events.tell(Event::Rejected(Reason::Forged), None);
                }
            }
        }
        genuine
    }

    async fn open_presented(self, genuine: Genuine) -> Result<ManagedSession> {
        let shared = self.shared();
        let mut session: Option<(Base, Standing)> = None;
        let mut stale = None;
        let mut ambiguous = false;
        for cookie in genuine.first.into_iter().chain(genuine.others) {
            match shared.find(&cookie).await? {
                Found::Session(base) => match &session {
                    Some((first, _)) if first.id() == base.id() => {}
                    Some(_) => ambiguous = true,
                    None => session = Some((base, cookie.standing)),
                },
                Found::Stale(at) => stale = stale.max(Some(at)),
                Found::Nothing => {}
            }
        }
        if ambiguous {
            shared.events.tell(Event::Rejected(Reason::Ambiguous), None);
            // A session of its own would be one more cookie beside those, and be taken no more than
            // they.
            let now = shared.now();
            return Ok(ManagedSession::unknown(self, Some(now)));
        }
        let Some((base, standing)) = session else {
            return Ok(ManagedSession::unknown(self, stale));
        };
        let reissue = base.graced || Shared::is_retired(Some(standing));
        let cookie =
            if reissue { shared.issue(&base, &base.token) } else { super::CookieAction::Keep };
        Ok(ManagedSession::known(self, base, cookie))
    }
}

impl Shared {
    async fn find(&self, cookie: &Presented) -> Result<Found> {
        let id = &cookie.id;
        let record = match self.fetch(id).await? {
            Ok(record) => record,
            Err(reason) => {
                self.events.tell(Event::Rejected(reason), Some(id));
                return Ok(Found::Nothing);
            }
        };
        let now = self.now();
        let Some((record, contents)) = self.examine(id, record, now) else {
            return Ok(Found::Nothing);
        };
        Ok(match Held::by(&cookie.token, id, &contents, now) {
            Held::Current => {
                let token = cookie.token.clone();
                Found::Session(Base { token, record, contents, graced: false })
            }
            Held::Predecessor(token) => {
                Found::Session(Base { token, record, contents, graced: true })
            }
            Held::Stale => {
                self.events.tell(Event::Rejected(Reason::Stale), Some(id));
                Found::Stale(contents.token_at)
            }
        })
    }

    /// The live record under `id`, opened. What cannot be opened is told and is nothing.
    pub(crate) async fn look(&self, id: &SessionId) -> Result<Option<Opened>> {
        match self.fetch(id).await? {
            Ok(record) => Ok(self.examine(id, record, self.now())),
            Err(Reason::Absent) => Ok(None),
            Err(reason) => {
                self.events.tell(Event::Rejected(reason), Some(id));
                Ok(None)
            }
        }
    }

    /// What the manager has under `id`, or why it has nothing that can be read.
    async fn fetch(&self, id: &SessionId) -> Result<Result<Arc<Record>, Reason>> {
        match self.manager.get(id).await {
            Ok(found) => Ok(found.ok_or(Reason::Absent)),
            Err(error) => match error.kind() {
                ErrorKind::Corrupt => Ok(Err(Reason::Corrupt)),
                ErrorKind::Unsupported => Ok(Err(Reason::Unsupported)),
                _ => Err(self.failed(error, id)),
            },
        }
    }

    fn examine(&self, id: &SessionId, record: Arc<Record>, now: Timestamp) -> Option<Opened> {
        // A manager that mixes up its records must not log anyone in as someone else.
        let opened = if record.id() == id {
            record.open(&self.keys.load()).map(Arc::clone)
        } else {
            Err(Unopened::NotGenuine)
        };
        let contents = match opened {
            Ok(contents) => contents,
            Err(why) => {
                let reason = match why {
                    Unopened::UnknownKey => Reason::UnknownKey,
                    Unopened::NotGenuine => Reason::Corrupt,
                };
                self.events.tell(Event::Rejected(reason), Some(id));
                return None;
            }
        };
        if self.policy.is_over(&record, &contents, now) {
            self.events.tell(Event::Expired, Some(id));
            return None;
        }
        Some((record, contents))
    }

    pub(crate) fn failed(&self, error: Error, id: &SessionId) -> Error {
        self.events.failed(&error, Some(id));
        error
    }
}
