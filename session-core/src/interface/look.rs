//! What the store has under a sid, and what a token is to it.

use std::sync::Arc;

use super::{Policy, Shared};
use crate::{
    Error, ErrorKind, Event, Outcome, Reason, Record, Result, SessionId, Timestamp,
    cookie::Presented as Cookie,
    record::{Contents, Unopened},
    session::{LoadedSession, Presented},
    token::Token,
};

/// What a token is to a record.
pub(crate) enum TokenMatch {
    /// Its token.
    Current,
    /// Its token's predecessor, in the time of grace; the token itself comes with it.
    Predecessor(Token),
    /// The token from before its last change of privilege, whose answer may be lost.
    Kept { adoptable: bool },
    /// A token it had once, or never had.
    Stale,
}

impl TokenMatch {
    pub(crate) fn of(token: &Token, id: &SessionId, contents: &Contents, now: Timestamp) -> Self {
        let verifier = token.verifier(id);
        if contents.verifier.matches(&verifier) {
            return Self::Current;
        }
        if let Some(rotation) = &contents.rotation
            && rotation.presented_at.is_none_or(|at| now < at.saturating_add(Policy::GRACE))
            && rotation.verifier.matches(&verifier)
        {
            let successor = token.successor(id, &rotation.salt);
            if contents.verifier.matches(&successor.verifier(id)) {
                return Self::Predecessor(successor);
            }
        }
        if let Some(kept) = &contents.kept
            && Policy::is_within(contents.token_at, Policy::RETRY, now)
            && kept.verifier.matches(&verifier)
        {
            return Self::Kept { adoptable: kept.adoptable };
        }
        Self::Stale
    }
}

/// What the store has under a sid.
pub(crate) enum Look {
    Live(Arc<Record>, Arc<Contents>),
    /// No record, or one that is over.
    Nothing,
    /// A record that this server cannot open.
    Unreadable(Reason),
}

/// What the store has under the sid of a cookie.
pub(super) enum Found {
    Session(LoadedSession),
    /// The token was replaced.
    Stale {
        is_overtaken: bool,
        is_kept: bool,
    },
    /// The session is over.
    Over,
    Unreadable(Reason),
}

impl Shared {
    pub(super) async fn find(&self, cookie: &Cookie, arrived: Timestamp) -> Result<Found> {
        let id = &cookie.id;
        let is_cached = self.store.manager.forgetting().is_some();
        match self.fetch(self.store.get(id).await, id)? {
            Ok(record) => {
                if let Ok(found) = self.judge(cookie, arrived, record, !is_cached, self.now()) {
                    return Ok(found);
                }
            }
            Err(reason) => return Ok(self.rejected(reason, id)),
        }
        // The cached record may be from before the token.
        match self.fetch(self.store.get_past_caches(id).await, id)? {
            Ok(record) => {
                let found = self.judge(cookie, arrived, record, true, self.now());
                Ok(found.unwrap_or(Found::Over))
            }
            Err(reason) => Ok(self.rejected(reason, id)),
        }
    }

    fn rejected(&self, reason: Reason, id: &SessionId) -> Found {
        self.events.tell(Event::Rejected(reason), Some(id));
        match reason {
            Reason::Absent => Found::Over,
            reason => Found::Unreadable(reason),
        }
    }

    /// What `record`, which the manager has under the sid of `cookie`, is to the visitor. An error
    /// if that is for the store to say: the record `is_newest` only if it is from there.
    pub(super) fn judge(
        &self,
        cookie: &Cookie,
        arrived: Timestamp,
        record: Arc<Record>,
        is_newest: bool,
        now: Timestamp,
    ) -> Result<Found, NotNewest> {
        let id = &cookie.id;
        let (record, contents) = match self.examine(id, record, now) {
            Look::Live(record, contents) => (record, contents),
            _ if !is_newest => return Err(NotNewest),
            Look::Nothing => {
                self.events.tell(Event::Expired, Some(id));
                return Ok(Found::Over);
            }
            Look::Unreadable(reason) => return Ok(self.rejected(reason, id)),
        };
        let (token, presented) = match TokenMatch::of(&cookie.token, id, &contents, now) {
            TokenMatch::Current => (cookie.token.clone(), Presented::Current),
            TokenMatch::Predecessor(token) => (token, Presented::Earlier(cookie.token.clone())),
            _ if !is_newest => return Err(NotNewest),
            stale @ (TokenMatch::Kept { .. } | TokenMatch::Stale) => {
                self.events.tell(Event::Rejected(Reason::Stale), Some(id));
                return Ok(Found::Stale {
                    is_overtaken: self.overtakes(arrived, &contents),
                    is_kept: matches!(stale, TokenMatch::Kept { .. }),
                });
            }
        };
        Ok(Found::Session(LoadedSession { record, contents, token, presented }))
    }

    /// Whether the last change of token overtook a request that arrived then: another request of
    /// the same browser has the newer cookie on its way.
    pub(crate) fn overtakes(&self, arrived: Timestamp, contents: &Contents) -> bool {
        let is_plausible = contents.token_at <= self.now().saturating_add(Policy::SKEW);
        is_plausible && arrived < contents.token_at.saturating_add(Policy::OVERTAKEN)
    }

    /// What the manager has under `id`; a cached record may be as old as the cache allows.
    pub(crate) async fn look(&self, id: &SessionId) -> Result<Look> {
        let got = self.store.get(id).await;
        self.looked(got, id)
    }

    /// What the store itself has under `id`.
    pub(crate) async fn look_past_caches(&self, id: &SessionId) -> Result<Look> {
        let got = self.store.get_past_caches(id).await;
        self.looked(got, id)
    }

    fn looked(&self, got: Result<Option<Arc<Record>>>, id: &SessionId) -> Result<Look> {
        let look = match self.fetch(got, id)? {
            Ok(record) => self.examine(id, record, self.now()),
            Err(Reason::Absent) => Look::Nothing,
            Err(reason) => Look::Unreadable(reason),
        };
        if let Look::Unreadable(reason) = look {
            self.events.tell(Event::Rejected(reason), Some(id));
        }
        Ok(look)
    }

    /// What the manager has under `id`, or why it has nothing that can be read.
    fn fetch(
        &self,
        got: Result<Option<Arc<Record>>>,
        id: &SessionId,
    ) -> Result<Result<Arc<Record>, Reason>> {
        match got {
            Ok(found) => Ok(found.ok_or(Reason::Absent)),
            Err(error) => match error.kind() {
                ErrorKind::Corrupt => Ok(Err(Reason::Corrupt)),
                ErrorKind::Unsupported => Ok(Err(Reason::Unsupported)),
                _ => Err(self.failed(error, id)),
            },
        }
    }

    fn examine(&self, id: &SessionId, record: Arc<Record>, now: Timestamp) -> Look {
        // A manager that mixes up its records must not log anyone in as someone else.
        let opened = if record.id() == id {
            record.open(&self.keys.load()).map(Arc::clone)
        } else {
            Err(Unopened::NotGenuine)
        };
        match opened {
            Ok(contents) if self.policy.is_over(&record, &contents, now) => Look::Nothing,
            Ok(contents) => Look::Live(record, contents),
            Err(Unopened::UnknownKey) => Look::Unreadable(Reason::UnknownKey),
            Err(Unopened::NotGenuine) => Look::Unreadable(Reason::Corrupt),
        }
    }

    /// The idle deadline to write when the session is opened: not each time, as at the end of a
    /// request, but so early that the request does not outlast the session.
    pub(super) fn activity_due(&self, loaded: &LoadedSession, now: Timestamp) -> Option<Timestamp> {
        let half = self.policy.idle_of(loaded.contents.data.permanent) / 2;
        let left = loaded.record.expires_at().saturating_since(now);
        self.policy
            .touch_due(&loaded.record, &loaded.contents, now)
            .filter(|_| left < half && self.policy.touch_on_open)
    }

    pub(super) async fn write_activity(&self, loaded: &mut LoadedSession) {
        let Some(expires_at) = self.activity_due(loaded, self.now()) else { return };
        let id = *loaded.id();
        match self.store.touch(&id, loaded.record.version(), expires_at).await {
            Ok(Outcome::Stored) => {
                loaded.record = Arc::new(loaded.record.with_expires_at(expires_at));
            }
            // Another request wrote, which counts too, or ended the session: a write will see.
            Ok(Outcome::Conflict | Outcome::Gone) => {}
            Err(error) => self.events.failed(&error, Some(&id)),
        }
    }

    /// For what this server cannot open and therefore not change.
    pub(crate) fn unreadable(&self, id: &SessionId) -> Error {
        self.failed(crate::session::unreadable(), id)
    }

    pub(crate) fn failed(&self, error: Error, id: &SessionId) -> Error {
        self.events.failed(&error, Some(id));
        error
    }
}

/// What was judged may be older than the store.
pub(super) struct NotNewest;
