//! From an error of core to a response that says nothing about why.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use session_core::ErrorKind;

use crate::http::refusal::Refusal;

/// The result of an operation on a [`Session`](crate::Session).
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An [error of core](session_core::Error) that actix-web can answer: use `?` on it in handlers.
///
/// The response has a body for people and programs, a problem document (RFC 9457), that depends on
/// the kind of the error only; the log has the rest. To answer with a page of your own, see
/// [`error_page`](crate::SessionMiddlewareBuilder::error_page).
///
/// | [kind](ErrorKind) | status | `code` in the body | why |
/// | --- | --- | --- | --- |
/// | `Contended`, `Full`, `Unavailable` | 503 with `Retry-After: 1` | `sessions_unavailable` | trying again may help |
/// | `Gone` | 409 | `session_gone` | the session ended while the request was running |
/// | `Ambiguous` | 409 | `session_ambiguous` | the visitor has cookies of several live sessions |
/// | `TooLarge` | 413 | `session_too_large` | what the client wants kept does not fit into its session |
/// | `TooManySessions` | 403 | `too_many_sessions` | the policy allows no further login |
/// | all others | 500 | `session_error` | the program is wrong, or what is stored is |
///
/// In a handler that answers with an error type of its own, keep this one in it and answer with its
/// `status_code` and its `error_response`.
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

    pub(crate) fn unavailable(message: &'static str) -> Self {
        Self(session_core::Error::new(ErrorKind::Unavailable, "actix", message))
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
        Self::unavailable("the store did not answer, so the session can only be read, and is empty")
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
        status_of(Refusal::of(self.kind()))
    }

    fn error_response(&self) -> HttpResponse {
        match self.kind() {
            // Core has logged what the store did, with the cause; the rest is expected.
            ErrorKind::Contended | ErrorKind::Full | ErrorKind::Unavailable => {
                tracing::debug!(target: "session", kind = ?self.kind(), error = %self);
            }
            _ if self.status_code().is_server_error() => {
                tracing::error!(target: "session", kind = ?self.kind(), error = %self);
            }
            _ => {}
        }
        response_to(self.kind())
    }
}

/// The answer to every error of this kind.
pub(crate) fn response_to(kind: ErrorKind) -> HttpResponse {
    let refusal = Refusal::of(kind);
    let mut response = HttpResponse::build(status_of(refusal));
    if let Some(seconds) = refusal.retry_after() {
        response.insert_header((header::RETRY_AFTER, seconds));
    }
    response
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type(Refusal::MEDIA_TYPE)
        .body(refusal.body())
}

fn status_of(refusal: Refusal) -> StatusCode {
    StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
