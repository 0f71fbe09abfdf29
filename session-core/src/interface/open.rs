//! From cookie values to a session.

use std::sync::Arc;

use super::{Policy, SessionInterface, Shared};
use crate::{
    Error, ErrorKind, Event, ManagedSession, Reason, Record, Result, SessionId, Timestamp,
    cookie::Presented,
    record::{Contents, Unopened},
    token::Token,
};

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

/// What the store has under the sid of a cookie.
pub(super) enum Found {
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
        let verified = self.verify(cookies);
        match verified.recall() {
            Some(session) => Ok(session),
            None => verified.open().await,
        }
    }
}

impl Shared {
    pub(super) async fn find(&self, cookie: &Presented) -> Result<Found> {
        match self.fetch(&cookie.id).await? {
            Ok(record) => Ok(self.judge(cookie, record)),
            Err(reason) => {
                self.events.tell(Event::Rejected(reason), Some(&cookie.id));
                Ok(Found::Nothing)
            }
        }
    }

    /// What `record`, which the manager has under the sid of `cookie`, is to who sent it.
    pub(super) fn judge(&self, cookie: &Presented, record: Arc<Record>) -> Found {
        let (id, now) = (&cookie.id, self.now());
        let Some((record, contents)) = self.examine(id, record, now) else {
            return Found::Nothing;
        };
        match Held::by(&cookie.token, id, &contents, now) {
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
        }
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
