//! One session of the model.

use super::model::{EMPTY, IDLE, LIFETIME, OVERTAKEN, RETRY, Token, Values};

#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) is_there: bool,
    pub(super) version: u64,
    pub(super) token: Token,
    pub(super) token_at: u64,
    /// How often its privilege changed.
    pub(super) epoch: u64,
    /// The token from before the last change of privilege, until the new one comes back; and
    /// whether a login takes the session over by it.
    pub(super) kept: Option<(Token, bool)>,
    pub(super) values: Values,
    pub(super) principal: Option<u8>,
    /// When its lifetime began: at the last login, else at creation.
    pub(super) began: u64,
    pub(super) expires_at: u64,
}

impl Stored {
    pub(super) fn is_live(&self, now: u64) -> bool {
        self.is_there && now < self.expires_at && now < self.began + LIFETIME
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.principal.is_none()
    }

    pub(super) fn used(&self, now: u64) -> u64 {
        let idle = if self.is_empty() { EMPTY } else { IDLE };
        (now + idle).min(self.began + LIFETIME)
    }

    pub(super) fn touch_due(&self, now: u64) -> Option<u64> {
        let fresh = self.used(now);
        let is_due = !self.is_empty() && fresh.abs_diff(self.expires_at) >= IDLE / 10;
        is_due.then_some(fresh)
    }

    /// Whether a login finds this session by the token of a login whose answer was lost; and
    /// whether it takes it over.
    pub(super) fn is_kept_by(&self, token: Token, now: u64) -> Option<bool> {
        let (kept, adoptable) = self.kept?;
        (kept == token && now < self.token_at + RETRY).then_some(adoptable)
    }

    pub(super) fn overtakes(&self, arrived: u64) -> bool {
        arrived < self.token_at + OVERTAKEN
    }
}
