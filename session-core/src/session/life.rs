//! The life of a session in one request.
//!
//! ```text
//!            a value, a login                    ends, or its token is replaced
//!  Unknown ------------------> Known ---------------------------------------------> Ended
//!     ^                          | the handler ends it                                |
//!     |        removed           v                                                    |
//!     +---------------------- Ending <--------------- the handler ends it ------------+
//! ```

use std::sync::Arc;

use crate::{
    Reason, Record, SessionId, Version,
    record::{Contents, Epoch},
    token::Token,
};

#[derive(Clone, Debug)]
pub(crate) enum Life {
    /// Nothing is stored that this request may change.
    Unknown(Unknown),
    /// A stored session that this request holds.
    Known(Known),
    /// The session ended, or was taken from this request.
    Ended(Ended),
    /// The handler asked for the end of what is in here; what it wants since is for a new session.
    Ending(Before),
}

/// A visitor for whom nothing is open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unknown {
    /// A genuine cookie came, and its session is over.
    pub(crate) was_ended: bool,
    /// A genuine cookie came.
    pub(crate) was_known: bool,
    /// The request arrived before, or right after, its token was replaced.
    pub(crate) is_overtaken: bool,
    /// The record of the visitor is there and cannot be opened.
    pub(crate) unreadable: Option<Reason>,
    /// Sessions that a login may adopt or must end.
    pub(crate) claims: Vec<Claim>,
    /// The creation that was asked for and may have taken place.
    pub(super) attempt: Option<Attempt>,
}

/// A session that the visitor has a token for and that was not opened.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) id: SessionId,
    pub(crate) token: Token,
    pub(crate) standing: Standing,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    /// One of several live sessions of this visitor.
    Rival { has_principal: bool },
    /// Its token was replaced a moment ago, and the successor was not presented yet. A login may
    /// take it over, unless the handler asked for the end of the session.
    Replaced { may_adopt: bool },
}

#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) loaded: LoadedSession,
    /// The change of token that was asked for and may have taken place.
    pub(super) attempt: Option<Attempt>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Ended {
    /// As it was last seen.
    pub(super) last: Option<LoadedSession>,
    pub(super) is_overtaken: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Before {
    Unknown(Unknown),
    Known(Known),
}

/// A session as it was last seen in the store.
#[derive(Clone, Debug)]
pub(crate) struct LoadedSession {
    pub(crate) record: Arc<Record>,
    pub(crate) contents: Arc<Contents>,
    /// The newest token this request knows: the one its cookie should carry.
    pub(crate) token: Token,
    pub(crate) presented: Presented,
}

/// How the cookie the request came with relates to the session's token.
#[derive(Clone, Debug)]
pub(crate) enum Presented {
    /// It carries the token.
    Current,
    /// It carries this one, which leads to the token, or which this request replaced.
    Earlier(Token),
    /// It names no session: this one began in this request.
    Nothing,
    /// The token was rotated on without this request, which may still store values.
    Outdated,
}

/// Under which id, token and epoch a put was to make or renew a session. Kept while the answer is
/// missing, so that the next try recognises its own work.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) id: SessionId,
    pub(super) token: Token,
    pub(super) epoch: Epoch,
    /// It may have taken place.
    pub(super) is_unsure: bool,
}

impl LoadedSession {
    pub(crate) fn id(&self) -> &SessionId {
        self.record.id()
    }

    pub(super) fn version(&self) -> Version {
        self.record.version()
    }

    /// The token the request's cookie carried.
    pub(super) fn presented_token(&self) -> Option<&Token> {
        match &self.presented {
            Presented::Current => Some(&self.token),
            Presented::Earlier(token) => Some(token),
            Presented::Nothing | Presented::Outdated => None,
        }
    }

    /// How the request's cookie relates to the token once this request has replaced it.
    pub(super) fn replaced(&self) -> Presented {
        match &self.presented {
            Presented::Current => Presented::Earlier(self.token.clone()),
            presented => presented.clone(),
        }
    }
}

impl Unknown {
    /// A login is to begin a clean session.
    pub(super) fn disown(&mut self) {
        for claim in &mut self.claims {
            if let Standing::Replaced { may_adopt } = &mut claim.standing {
                *may_adopt = false;
            }
        }
    }

    pub(super) fn has_something_to_end(&self) -> bool {
        self.attempt.is_some() || self.claims.iter().any(Claim::is_rival)
    }
}

impl Claim {
    pub(super) fn is_rival(&self) -> bool {
        matches!(self.standing, Standing::Rival { .. })
    }
}
