//! What may go wrong, in one type with few kinds.

use std::{borrow::Cow, error, fmt};

/// The result of an operation on sessions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong between a session, its manager and the store behind it.
///
/// Carries the [kind](ErrorKind), the crate it comes from and a sentence that says what to change.
/// Never carries a sid, token, secret, value or principal, in no form and at no depth that this
/// workspace writes: it may be logged as it is.
///
/// `Display` is one line without the cause; the cause is in [`source`](error::Error::source).
///
/// # Examples
///
/// ```
/// use session_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::Unavailable, "fs", "the folder cannot be read");
/// assert!(error.is_retryable());
/// assert_eq!(error.to_string(), "fs: the folder cannot be read");
/// ```
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    origin: &'static str,
    message: Cow<'static, str>,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

impl Error {
    /// Makes an error of `kind`, raised by the crate `origin` (`"core"`, `"fs"`, `"redis"`).
    ///
    /// `message` is a lower-case sentence without a full stop. It says what to change where the
    /// caller can change something, and must not contain anything that identifies a session or a
    /// user.
    pub fn new(
        kind: ErrorKind,
        origin: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { kind, origin, message: message.into(), source: None }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The part a program may act on.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The short name of the crate that raised the error.
    pub fn origin(&self) -> &'static str {
        self.origin
    }

    /// Whether the same call may succeed later, with nothing changed by the caller.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, ErrorKind::Contended | ErrorKind::Full | ErrorKind::Unavailable)
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn config(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Config, "core", message)
    }

    pub(crate) fn corrupt(message: &'static str) -> Self {
        Self::new(ErrorKind::Corrupt, "core", message)
    }

    pub(crate) fn finished() -> Self {
        Self::new(
            ErrorKind::Finished,
            "core",
            "the head of the response has left: change the session before it, or, for values, \
             call `save().await` first and again after the change",
        )
    }

    pub(crate) fn gone() -> Self {
        Self::new(ErrorKind::Gone, "core", "the session ended while the request was running")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// The part of an [`Error`] a program may act on.
///
/// Absent, expired, forged and malformed are not here: they are `None` or "no session", never
/// errors.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The visitor has cookies of several live sessions, one of them logged in: one may be planted,
    /// so nothing was stored. Over HTTP this is 409.
    ///
    /// Retrying does not help; logging in does, since it ends them all.
    Ambiguous,
    /// A value could not be encoded, or what is stored under the key is of another type. The
    /// message names the key, the type and the field, and shows no part of the value; it is logged
    /// as a warning too, with the field `event` of `codec`.
    ///
    /// Retrying does not help; nothing was changed.
    Codec,
    /// A constructor refused its arguments; the message says what to change.
    Config,
    /// Other writers of the same session kept winning until the deadline. Nothing was stored;
    /// retrying helps.
    Contended,
    /// Stored bytes are not a whole record of this session. The store has kept or set aside what it
    /// found.
    ///
    /// Retrying does not help. [`SessionInterface`](crate::SessionInterface) treats the visitor as
    /// unknown.
    Corrupt,
    /// The session was changed after the head of the response had left, and nobody will save the
    /// change.
    ///
    /// Call `save().await` after such a change.
    Finished,
    /// There is no space left, or a quota is reached. What was stored before is unharmed; retrying
    /// may help.
    Full,
    /// The session ended, or its token was replaced, while the request was running. Nothing was
    /// stored.
    ///
    /// Retrying in the same request does not help: over HTTP this is 409.
    Gone,
    /// The session would be larger than the limit. Nothing was changed.
    TooLarge,
    /// The principal has as many sessions as the policy allows, and the policy refuses the next
    /// one.
    TooManySessions,
    /// The store could not be reached, refused, or was too slow. It is not known whether a write
    /// took place; retrying may help.
    Unavailable,
    /// A stored record has a format of a later release. It was left untouched, so that a rollback
    /// does not eat sessions.
    Unsupported,
}
