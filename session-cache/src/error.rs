//! Errors of this crate, and errors of the parent that several requests share.

use std::{error, fmt, sync::Arc};

use session_core::{Error, ErrorKind};

const ORIGIN: &str = "cache";

pub(crate) fn cannot_probe() -> Error {
    config(
        "the store cannot be asked for versions: use `Coherence::Watching` or `Coherence::MaxAge`",
    )
}

pub(crate) fn cannot_watch() -> Error {
    config("the store has no feed of changes: use `Coherence::Checked` or `Coherence::MaxAge`")
}

pub(crate) fn no_age() -> Error {
    config("an age of zero keeps nothing: set a longer one, or use the store without a cache")
}

fn config(message: &'static str) -> Error {
    Error::new(ErrorKind::Config, ORIGIN, message)
}

/// The parent answered with a record that is not of the session it was asked for.
pub(crate) fn foreign() -> Error {
    Error::new(ErrorKind::Corrupt, ORIGIN, "the store returned the record of another session")
}

/// An error of a shared call, for each of its waiters.
#[derive(Clone, Debug)]
pub(crate) struct SharedError(Arc<Error>);

impl SharedError {
    pub(crate) fn panicked() -> Self {
        let message = "the store panicked in a call that requests shared";
        Self::from(Error::new(ErrorKind::Unavailable, ORIGIN, message))
    }

    /// An error that says the same: kind, origin, text and causes.
    pub(crate) fn into_error(self) -> Error {
        match Arc::try_unwrap(self.0) {
            Ok(error) => error,
            Err(shared) => {
                let text = shared.to_string();
                let prefix = format!("{}: ", shared.origin());
                let message = text.strip_prefix(&prefix).unwrap_or(&text).to_owned();
                let error = Error::new(shared.kind(), shared.origin(), message);
                match error::Error::source(&*shared) {
                    Some(_) => error.with_source(SharedCause(shared)),
                    None => error,
                }
            }
        }
    }
}

impl From<Error> for SharedError {
    fn from(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

/// The cause of a shared error, as if it were held itself.
struct SharedCause(Arc<Error>);

impl SharedCause {
    fn cause(&self) -> &dyn error::Error {
        error::Error::source(&*self.0).unwrap_or(&*self.0)
    }
}

impl fmt::Debug for SharedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.cause(), f)
    }
}

impl fmt::Display for SharedCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.cause(), f)
    }
}

impl error::Error for SharedCause {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        error::Error::source(&*self.0).and_then(error::Error::source)
    }
}
