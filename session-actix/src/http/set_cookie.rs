//! The `Set-Cookie` header.

use std::{fmt::Write, time::Duration};

use session_core::IssuedCookie;

use crate::{Error, Result};

/// Browsers cap a cookie's life at 400 days (RFC 6265bis, section 5.5).
const MAX_AGE: u64 = 400 * 24 * 60 * 60;
/// Browsers ignore longer attributes (RFC 6265bis, section 5.6).
const MAX_ATTRIBUTE_BYTES: usize = 1024;
/// Browsers ignore a cookie whose name and value are longer than 4096 bytes together.
const MAX_NAME_BYTES: usize = 1024;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SameSite {
    Strict,
    Lax,
    None,
}

/// What the cookie is sent with.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a cookie has so many attributes that are there or not"
)]
pub(crate) struct Attributes {
    pub(crate) path: String,
    pub(crate) domain: Option<String>,
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    pub(crate) same_site: SameSite,
    pub(crate) partitioned: bool,
    /// Leave `Max-Age` out for sessions that are not permanent.
    pub(crate) browser_session: bool,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            path: "/".into(),
            domain: None,
            secure: true,
            http_only: true,
            same_site: SameSite::Lax,
            partitioned: false,
            browser_session: false,
        }
    }
}

impl Attributes {
    /// Refuses what a browser would silently drop.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        let refuse = |message: &'static str| Err(Error::config(message));
        let prefixed = |prefix: &str| {
            name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if name.len() > MAX_NAME_BYTES {
            return refuse("the cookie name is longer than 1024 bytes: shorten it");
        }
        for prefix in ["__Host-", "__Secure-"] {
            if prefixed(prefix) && !name.starts_with(prefix) {
                return refuse(
                    "browsers know the prefixes `__Host-` and `__Secure-` in any case, servers in this one: write them so",
                );
            }
        }
        if prefixed("__Host-") {
            if self.domain.is_some() {
                return refuse(
                    "a `__Host-` cookie belongs to one host: leave out the domain, or name the cookie `__Secure-…`",
                );
            }
            if self.path != "/" {
                return refuse(
                    "a `__Host-` cookie has the path `/`: leave out the path, or name the cookie `__Secure-…`",
                );
            }
        }
        if !self.secure {
            if prefixed("__Host-") || prefixed("__Secure-") {
                return refuse(
                    "a cookie named `__Host-…` or `__Secure-…` must be secure: take another name for an insecure one",
                );
            }
            if self.same_site == SameSite::None {
                return refuse(
                    "browsers drop a cookie with `SameSite=None` that is not secure: make it secure, or leave `SameSite` as it is",
                );
            }
            if self.partitioned {
                return refuse(
                    "browsers drop a partitioned cookie that is not secure: make it secure",
                );
            }
        }
        let path_bytes = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b';';
        if !self.path.starts_with('/') || !self.path.bytes().all(path_bytes) {
            return refuse("the cookie path must begin with `/` and be of ASCII without `;`");
        }
        let host_bytes = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        if let Some(domain) = &self.domain
            && (domain.is_empty()
                || domain.starts_with(['.', '-'])
                || domain.ends_with(['.', '-'])
                || domain.contains("..")
                || !domain.bytes().all(host_bytes))
        {
            return refuse("the cookie domain must be a host name, such as `example.com`");
        }
        if let Some(domain) = &self.domain
            && !domain.contains('.')
            && !domain.eq_ignore_ascii_case("localhost")
        {
            return refuse(
                "browsers drop a cookie for a whole top-level domain: name a host below it, such as `example.com`",
            );
        }
        if self.path.len().max(self.domain.as_ref().map_or(0, String::len)) > MAX_ATTRIBUTE_BYTES {
            return refuse("browsers ignore a path or domain of more than 1024 bytes: shorten it");
        }
        Ok(())
    }
}

/// The value of the field, with room for that of the cookie.
#[derive(Debug)]
pub(crate) struct SetCookie {
    name: String,
    path: String,
    /// Everything from `; Path` on, the same for setting and removing: a browser takes a removal of
    /// other attributes for another cookie.
    attributes: String,
    browser_session: bool,
    removal: String,
}

impl SetCookie {
    pub(crate) fn new(name: &str, with: &Attributes) -> Result<Self> {
        with.check(name)?;
        let mut attributes = format!("; Path={}", with.path);
        if let Some(domain) = &with.domain {
            attributes.push_str("; Domain=");
            attributes.push_str(domain);
        }
        if with.secure {
            attributes.push_str("; Secure");
        }
        if with.http_only {
            attributes.push_str("; HttpOnly");
        }
        attributes.push_str(match with.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        });
        if with.partitioned {
            attributes.push_str("; Partitioned");
        }
        let removal = format!("{name}=; Max-Age=0{attributes}");
        Ok(Self {
            name: name.to_owned(),
            path: with.path.clone(),
            attributes,
            browser_session: with.browser_session,
            removal,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether a browser sends the cookie with requests of `path`, as it stands in the request line
    /// (RFC 6265bis, section 5.1.4).
    pub(crate) fn is_sent_with(&self, path: &str) -> bool {
        self.path == "/"
            || path.strip_prefix(&*self.path).is_some_and(|rest| {
                rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/')
            })
    }

    /// What sets `cookie`, in one allocation.
    pub(crate) fn set(&self, cookie: &IssuedCookie) -> String {
        let max_age =
            (!self.browser_session || cookie.is_permanent()).then(|| seconds(cookie.max_age()));
        self.write(cookie.value(), max_age)
    }

    /// What removes the cookie.
    pub(crate) fn removal(&self) -> &str {
        &self.removal
    }

    fn write(&self, value: &str, max_age: Option<u64>) -> String {
        const MAX_AGE_BYTES: usize = "; Max-Age=34560000".len();
        let mut text = String::with_capacity(
            self.name.len() + 1 + value.len() + MAX_AGE_BYTES + self.attributes.len(),
        );
        text.push_str(&self.name);
        text.push('=');
        text.push_str(value);
        if let Some(seconds) = max_age {
            // Writing to a string does not fail.
            let _ = write!(text, "; Max-Age={seconds}");
        }
        text.push_str(&self.attributes);
        text
    }
}

/// Rounded up, so that a browser never forgets a live session: the server is the one to end it.
fn seconds(age: Duration) -> u64 {
    let whole = age.as_secs().saturating_add(u64::from(age.subsec_nanos() > 0));
    whole.clamp(1, MAX_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, with: &Attributes, max_age: Option<u64>) -> String {
        SetCookie::new(name, with).unwrap().write("VALUE", max_age)
    }

    fn usual() -> Attributes {
        Attributes::default()
    }

    #[test]
    fn the_bytes_are_these() {
        for (name, with, max_age, expected) in [
            (
                "__Host-sid",
                usual(),
                Some(604_800),
                "__Host-sid=VALUE; Max-Age=604800; Path=/; Secure; HttpOnly; SameSite=Lax",
            ),
            (
                "__Host-sid",
                usual(),
                None,
                "__Host-sid=VALUE; Path=/; Secure; HttpOnly; SameSite=Lax",
            ),
            (
                "__Host-sid",
                Attributes { same_site: SameSite::Strict, ..usual() },
                None,
                "__Host-sid=VALUE; Path=/; Secure; HttpOnly; SameSite=Strict",
            ),
            (
                "__Host-sid",
                Attributes { same_site: SameSite::None, partitioned: true, ..usual() },
                None,
                "__Host-sid=VALUE; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
            ),
            (
                "__Secure-sid",
                Attributes { path: "/app".into(), domain: Some("example.com".into()), ..usual() },
                Some(1),
                "__Secure-sid=VALUE; Max-Age=1; Path=/app; Domain=example.com; Secure; HttpOnly; SameSite=Lax",
            ),
            (
                "sid",
                Attributes { secure: false, http_only: false, ..usual() },
                None,
                "sid=VALUE; Path=/; SameSite=Lax",
            ),
        ] {
            assert_eq!(written(name, &with, max_age), expected);
        }
    }

    #[test]
    fn ages_are_rounded_up_and_capped() {
        for (age, expected) in [
            (Duration::ZERO, 1),
            (Duration::from_millis(604_799_001), 604_800),
            (Duration::from_secs(604_800), 604_800),
            (Duration::from_secs(401 * 24 * 60 * 60), 34_560_000),
            (Duration::MAX, 34_560_000),
        ] {
            assert_eq!(seconds(age), expected);
        }
    }

    #[test]
    fn a_removal_has_the_attributes_of_the_cookie() {
        let with = Attributes { domain: Some("example.com".into()), path: "/a".into(), ..usual() };
        let cookie = SetCookie::new("__Secure-sid", &with).unwrap();
        assert_eq!(
            cookie.removal(),
            "__Secure-sid=; Max-Age=0; Path=/a; Domain=example.com; Secure; HttpOnly; SameSite=Lax"
        );
        let set = cookie.write("VALUE", Some(1));
        let attributes = |text: &str| text[text.find("; Path").unwrap()..].to_owned();
        assert_eq!(attributes(&set), attributes(cookie.removal()));
    }

    #[test]
    fn what_a_browser_would_drop_is_refused() {
        let refused = |name: &str, with: Attributes| with.check(name).is_err();
        let insecure = || Attributes { secure: false, ..usual() };
        assert!(refused("__Host-sid", Attributes { domain: Some("a.b".into()), ..usual() }));
        assert!(refused("__Host-sid", Attributes { path: "/a".into(), ..usual() }));
        assert!(refused("__Host-sid", insecure()));
        assert!(refused("__Secure-sid", insecure()));
        assert!(refused("__host-sid", usual()));
        assert!(refused("__SECURE-sid", usual()));
        assert!(refused("sid", Attributes { same_site: SameSite::None, ..insecure() }));
        assert!(refused("sid", Attributes { partitioned: true, ..insecure() }));
        for path in ["", "a", "/a;b", "/a\r\nb", "/ä", &"/a".repeat(600)] {
            assert!(refused("sid", Attributes { path: path.into(), ..usual() }), "{path}");
        }
        for domain in [
            "",
            ".a.b",
            "a..b",
            "a.b.",
            "-a.b",
            "a b.c",
            "a;b.c",
            "ä.de",
            "com",
            &"a.b".repeat(2000),
        ] {
            assert!(
                refused("sid", Attributes { domain: Some(domain.into()), ..usual() }),
                "{domain}"
            );
        }
        assert!(refused(&"n".repeat(2000), usual()));
        assert!(usual().check("__Host-sid").is_ok());
        assert!(insecure().check("sid").is_ok());
        for domain in ["localhost", "example.com"] {
            assert!(Attributes { domain: Some(domain.into()), ..usual() }.check("sid").is_ok());
        }
    }

    #[test]
    fn a_cookie_is_sent_with_its_path_and_all_below() {
        let of = |path: &str| {
            SetCookie::new("sid", &Attributes { path: path.into(), ..usual() }).unwrap()
        };
        for (path, sent, not_sent) in [
            ("/", &["/", "/a"][..], &[][..]),
            ("/a", &["/a", "/a/", "/a/b"], &["/", "/ab", "/b/a"]),
            ("/a/", &["/a/", "/a/b"], &["/", "/a", "/ab"]),
        ] {
            let cookie = of(path);
            assert!(sent.iter().all(|it| cookie.is_sent_with(it)), "{path}");
            assert!(!not_sent.iter().any(|it| cookie.is_sent_with(it)), "{path}");
        }
    }
}
