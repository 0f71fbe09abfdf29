//! What the client is told of an error.

use session_core::ErrorKind;

/// The answer to an error of one kind: the same for every cause, so that it says nothing of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    title: &'static str,
    /// For programs.
    code: &'static str,
    /// For people.
    detail: &'static str,
}

impl Refusal {
    /// The media type of [`body`](Self::body) (RFC 9457).
    pub(crate) const MEDIA_TYPE: &'static str = "application/problem+json";

    pub(crate) fn of(kind: ErrorKind) -> Self {
        let (status, title, code, detail) = match kind {
            ErrorKind::Gone => (
                409,
                "Conflict",
                "session_gone",
                "Your session ended, or you logged in or out elsewhere, while this request was running. Nothing of it was saved. Reload the page and try again.",
            ),
            ErrorKind::Ambiguous => (
                409,
                "Conflict",
                "session_ambiguous",
                "Your browser sent several sessions at once. Nothing was saved. Log in again and repeat what you did.",
            ),
            ErrorKind::Contended | ErrorKind::Full | ErrorKind::Unavailable => (
                503,
                "Service Unavailable",
                "sessions_unavailable",
                "Sessions are not available at the moment. You have not been logged out. Try again in a few seconds.",
            ),
            ErrorKind::TooLarge => (
                413,
                "Content Too Large",
                "session_too_large",
                "Your session has no room for this. Nothing of it was saved.",
            ),
            ErrorKind::TooManySessions => (
                403,
                "Forbidden",
                "too_many_sessions",
                "You are logged in too often. Log out elsewhere and try again.",
            ),
            _ => (
                500,
                "Internal Server Error",
                "session_error",
                "The server made a mistake with your session. Trying again will not help.",
            ),
        };
        Self { status, title, code, detail }
    }

    /// The value of `Retry-After`, where trying again may help.
    pub(crate) fn retry_after(self) -> Option<&'static str> {
        (self.status == 503).then_some("1")
    }

    pub(crate) fn body(self) -> String {
        let Self { status, title, code, detail } = self;
        format!(
            "{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{status},\
             \"code\":\"{code}\",\"detail\":\"{detail}\"}}\n"
        )
    }
}
