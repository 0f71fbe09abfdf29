//! What happens to sessions, told to logs and to whoever wants to count.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use crate::{
    Error, ErrorKind, SessionId,
    keys::{Algorithm, Mac},
    random,
};

/// Something that happened to a session.
///
/// Each is also a [`tracing`] event with the target `session` and the fields `event` (the name in
/// brackets below), `session` (a [`Fingerprint`], where one session is meant), and `reason` or
/// `kind` where the variant has one. Names and fields are part of this crate's promises. No event
/// carries a sid, token, secret, value or principal, at any level.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A session was stored for the first time (`created`).
    Created,
    /// A session without a principal was given one (`logged_in`). The token was replaced, here and
    /// in the next four; the old one is dead.
    LoggedIn,
    /// The principal of the session logged in again (`stepped_up`).
    SteppedUp,
    /// The session was given to another principal, without the values of the one before
    /// (`handed_over`).
    HandedOver,
    /// The session was taken from its principal and goes on (`logged_out`).
    LoggedOut,
    /// The application asked for a new token (`renewed`).
    Renewed,
    /// The token was replaced by policy; the old one has its grace (`rotated`).
    Rotated,
    /// The record was sealed again at the end of a request, since its key is retired (`reissued`).
    /// Not told of a write that replaced the token too, nor of a cookie that is signed again.
    Reissued,
    /// The session was ended by a request that had it (`destroyed`).
    Destroyed,
    /// A session was found to be past its lifetime by the current policy (`expired`).
    Expired,
    /// The session was ended by its owner's list, an administrator, or the limit on sessions
    /// (`revoked`).
    Revoked,
    /// A cookie or record was not accepted; the visitor is unknown (`rejected`).
    Rejected(Reason),
    /// Another writer was first; the changes were applied again (`conflict`).
    Conflict,
    /// Changes were dropped because the session had ended meanwhile (`gone`).
    Gone,
    /// A request ended before its changes were stored: its client left, say (`abandoned`).
    Abandoned,
    /// Changes were made after the head of the response, or their save failed, and they were never
    /// stored (`lost`).
    Lost,
    /// A new session was refused by the limit on new sessions (`limited`).
    Limited,
    /// The store failed (`store_error`).
    StoreError(ErrorKind),
}

impl Event {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::LoggedIn => "logged_in",
            Self::SteppedUp => "stepped_up",
            Self::HandedOver => "handed_over",
            Self::LoggedOut => "logged_out",
            Self::Renewed => "renewed",
            Self::Rotated => "rotated",
            Self::Reissued => "reissued",
            Self::Destroyed => "destroyed",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Rejected(_) => "rejected",
            Self::Conflict => "conflict",
            Self::Gone => "gone",
            Self::Abandoned => "abandoned",
            Self::Lost => "lost",
            Self::Limited => "limited",
            Self::StoreError(_) => "store_error",
        }
    }
}

/// Why a cookie or a record was not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// No live record is stored under the sid.
    Absent,
    /// Several cookies name different live sessions; none is taken.
    Ambiguous,
    /// The record is damaged, or was moved here from another session.
    Corrupt,
    /// The cookie is signed by no key of the ring, or for another cookie name or realm.
    Forged,
    /// The cookie is not of the one form there is.
    Malformed,
    /// Times in the record are ahead of the clock that reads it; they were moved to now.
    Skewed,
    /// The token was replaced: by a renewal, or by a rotation whose grace is over.
    Stale,
    /// More cookies of our name than are looked at.
    TooMany,
    /// The record is sealed by a key that is not in the ring.
    UnknownKey,
    /// The record has a format of a later release.
    Unsupported,
}

impl Reason {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Ambiguous => "ambiguous",
            Self::Corrupt => "corrupt",
            Self::Forged => "forged",
            Self::Malformed => "malformed",
            Self::Skewed => "skewed",
            Self::Stale => "stale",
            Self::TooMany => "too_many",
            Self::UnknownKey => "unknown_key",
            Self::Unsupported => "unsupported",
        }
    }
}

/// Tells log lines about one session from those about others, within one run of the process.
///
/// A keyed hash of the sid under a key that is made anew at each start and never shown: it leads
/// neither to the session nor from one run's logs to another's.
///
/// # Form and units
///
/// `Display` writes 16 hexadecimal digits.
///
/// # Source
///
/// OWASP Logging Cheat Sheet: log a hash of a session identifier where tracking is needed, never
/// the identifier.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    pub(crate) fn of(id: &SessionId) -> Self {
        static KEY: OnceLock<Option<Mac>> = OnceLock::new();
        let key = KEY.get_or_init(|| {
            random::bytes::<32>().ok().map(|key| Mac::new(Algorithm::HmacSha256, &key))
        });
        // Without randomness there is no key to hide the sid behind, so nothing is told.
        let Some(mut mac) = key.clone() else { return Self([0; 8]) };
        mac.update(id.as_bytes());
        let mut digest = Vec::with_capacity(32);
        mac.finish_into(&mut digest);
        digest.first_chunk().copied().map_or(Self([0; 8]), Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Is told of every [`Event`], for metrics and audit trails. Called in the middle of requests: it
/// must be quick and never block.
///
/// # Examples
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use session_core::{Event, Fingerprint, Observer};
///
/// #[derive(Debug, Default)]
/// struct Rejections(AtomicU64);
///
/// impl Observer for Rejections {
///     fn event(&self, event: Event, _session: Option<Fingerprint>) {
///         if let Event::Rejected(_) = event {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
/// ```
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// `event` happened, to the session with this fingerprint if it happened to one.
    fn event(&self, event: Event, session: Option<Fingerprint>);

    /// The store failed with `error`, after [`Event::StoreError`] was reported. The error carries
    /// the cause and no secret.
    fn failed(&self, error: &Error, session: Option<Fingerprint>) {
        let _ = (error, session);
    }
}

/// Sends events to the log and to the observer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events(pub(crate) Option<Arc<dyn Observer>>);

impl Events {
    pub(crate) fn tell(&self, event: Event, id: Option<&SessionId>) {
        let logged = tracing::enabled!(target: "session", tracing::Level::DEBUG) || is_grave(event);
        if self.0.is_none() && !logged {
            return;
        }
        let session = id.map(Fingerprint::of);
        let name = event.name();
        let shown = session.as_ref().map(tracing::field::display);
        match event {
            Event::Rejected(reason) if is_grave(event) => {
                tracing::warn!(target: "session", event = name, reason = reason.name(), session = shown);
            }
            Event::Rejected(reason) => {
                tracing::debug!(target: "session", event = name, reason = reason.name(), session = shown);
            }
            // Logged with its cause.
            Event::StoreError(_) => {}
            Event::Lost => tracing::warn!(target: "session", event = name, session = shown),
            _ => tracing::debug!(target: "session", event = name, session = shown),
        }
        if let Some(observer) = &self.0 {
            observer.event(event, session);
        }
    }

    pub(crate) fn failed(&self, error: &Error, id: Option<&SessionId>) {
        let session = id.map(Fingerprint::of);
        let event = Event::StoreError(error.kind());
        tracing::error!(
            target: "session",
            event = event.name(),
            kind = ?error.kind(),
            error = %Chain(error),
            session = session.as_ref().map(tracing::field::display),
        );
        if let Some(observer) = &self.0 {
            observer.event(event, session);
            observer.failed(error, session);
        }
    }
}

/// An error and what caused it, in one line.
struct Chain<'a>(&'a Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = std::error::Error::source(self.0);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// What an operator should see without asking for details.
fn is_grave(event: Event) -> bool {
    matches!(
        event,
        Event::Rejected(Reason::Corrupt | Reason::Skewed | Reason::Unsupported)
            | Event::StoreError(_)
            | Event::Lost
    )
}
