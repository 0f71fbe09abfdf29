//! The name and the attributes of the cookie.

use super::SessionMiddlewareBuilder;
use crate::http::set_cookie::SameSite;

impl<N> SessionMiddlewareBuilder<N> {
    /// The cookie's name.
    ///
    /// With `__Host-` in front, as by default, a browser takes the cookie from this very host only,
    /// over TLS or on localhost, and no other host of the domain can plant one. Cookies of another
    /// name do not verify, whatever they hold: changing the name logs everyone out.
    ///
    /// Cookies do not know ports: two applications on one host, `localhost:8080` and
    /// `localhost:8081` among them, take each other's cookie away unless their names differ.
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.cookie_name = Some(name.into());
        self
    }

    /// Leaves `Secure` out, so that the cookie travels over plain http, where anyone on the way can
    /// read it. Without a name of its own the cookie is then called `sid`.
    ///
    /// Not needed on `localhost` and `127.0.0.1` with Chrome, Firefox and curl; Safari may drop the
    /// cookie there.
    pub fn insecure_cookie(mut self) -> Self {
        self.attributes.secure = false;
        self
    }

    /// Leaves `HttpOnly` out, so that scripts of the page can read the cookie, and any script that
    /// gets into the page can send it away.
    pub fn insecure_script_access(mut self) -> Self {
        self.attributes.http_only = false;
        self
    }

    /// Sends the cookie with `SameSite=None`: with requests that any other site makes. Such an
    /// application must fend off forged requests itself. Needs `Secure`.
    pub fn insecure_same_site_none(mut self) -> Self {
        self.attributes.same_site = SameSite::None;
        self
    }

    /// Sends the cookie with `SameSite=Strict`: also who follows a link from another site arrives
    /// without it.
    pub fn same_site_strict(mut self) -> Self {
        self.attributes.same_site = SameSite::Strict;
        self
    }

    /// The paths the browser sends the cookie with. No protection: pages of one host can reach each
    /// other. Needs a name without `__Host-`.
    ///
    /// A session that begins in a request outside of `path` is not seen there again: its cookie
    /// comes back below `path` only, and the next request outside begins one more. The first is
    /// logged as a warning.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.attributes.path = path.into();
        self
    }

    /// Shares the cookie with all hosts below `domain`; each of them can read it and plant another.
    /// Needs a name without `__Host-`.
    ///
    /// Browsers drop a cookie whose domain is a public suffix: a top-level domain such as `com`,
    /// which is refused here too, but also `co.uk`, `github.io` and thousands more that are not
    /// known here. The application then looks as if nobody could log in.
    pub fn domain(mut self, domain: impl Into<String>) -> Self {
        self.attributes.domain = Some(domain.into());
        self
    }

    /// Sends the cookie with `Partitioned`: inside other sites each has a session of its own
    /// (CHIPS).
    pub fn partitioned(mut self) -> Self {
        self.attributes.partitioned = true;
        self
    }

    /// Leaves `Max-Age` out for sessions that are not permanent: the browser forgets the cookie
    /// when it is closed, unless it restores its windows.
    pub fn browser_session_cookie(mut self) -> Self {
        self.attributes.browser_session = true;
        self
    }
}
