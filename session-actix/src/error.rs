//! From an error of core to a response that says nothing about why.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use session_core::ErrorKind;

/// The result of an operation on a [`Session`](crate::Session).
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An [error of core](session_core::Error) that actix-web can answer: use `?` on it in handlers.
///
/// The response has an empty body and nothing of the error in it; the log has the rest.
///
/// | [kind](ErrorKind) | status | why |
/// | --- | --- | --- |
/// | `Contended`, `Full`, `Unavailable` | 503 with `Retry-After: 1` | trying again may help |
/// | `Gone` | 409 | the session ended while the request was running |
/// | `TooLarge` | 413 | what the client wants kept does not fit into its session |
/// | `TooManySessions` | 403 | the policy allows no further login |
/// | all others | 500 | the program is wrong, or what is stored is |
///
/// # Examples
///
/// ```
/// use actix_web::{ResponseError, http::StatusCode};
/// use session_core::ErrorKind;
///
/// let error: session_actix::Error =
///     session_core::Error::new(ErrorKind::Unavailable, "fs", "the folder cannot be read").into();
/// assert_eq!(error.status_code(), StatusCode::SERVICE_UNAVAILABLE);
/// ```
#[derive(Debug)]
pub struct Error(session_core::Error);

impl Error {
    /// The part a program may act on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind()
    }

    /// The error of core.
    pub fn into_inner(self) -> session_core::Error {
        self.0
    }

    pub(crate) fn config(message: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self(session_core::Error::new(ErrorKind::Config, "actix", message))
    }

    pub(crate) fn gone() -> Self {
        Self(session_core::Error::new(
            ErrorKind::Gone,
            "actix",
            "the session ended while the request was running",
        ))
    }

    /// For what is asked of a session that stands in for one the store did not give.
    pub(crate) fn degraded() -> Self {
        Self(session_core::Error::new(
            ErrorKind::Unavailable,
            "actix",
            "the store did not answer, so the session can only be read, and is empty",
        ))
    }
}

impl From<session_core::Error> for Error {
    fn from(error: session_core::Error) -> Self {
        Self(error)
    }
}

impl From<Error> for session_core::Error {
    fn from(error: Error) -> Self {
        error.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        match self.kind() {
            ErrorKind::Contended | ErrorKind::Full | ErrorKind::Unavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            ErrorKind::Gone => StatusCode::CONFLICT,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::TooManySessions => StatusCode::FORBIDDEN,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut response = HttpResponse::build(status);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((header::RETRY_AFTER, "1"));
        }
        if status.is_server_error() {
            tracing::error!(target: "session", kind = ?self.kind(), error = %self);
        }
        response.insert_header((header::CACHE_CONTROL, "no-store")).finish()
    }
}
