//! What a response that depends on a session says to caches.

/// Directives that would let a cache keep the response, or forgive it for doing so in spite of
/// `no-store`.
const PERMISSIVE: [&str; 7] = [
    "public",
    "max-age",
    "s-maxage",
    "immutable",
    "stale-while-revalidate",
    "stale-if-error",
    // RFC 9111, section 5.2.2.3: a cache that understands the status may then ignore `no-store`.
    "must-understand",
];

/// Fields that let some cache store the response whatever `Cache-Control` says.
const OTHER_PERMISSIONS: [&str; 4] =
    ["expires", "surrogate-control", "x-accel-expires", "edge-control"];

/// Fields that describe the body of a response, or what its status asks of the client: untrue of
/// the refusal that takes its place.
const OF_THE_ANSWER: [&str; 29] = [
    "accept-ranges",
    "age",
    "allow",
    "cache-control",
    "clear-site-data",
    "connection",
    "content-digest",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "digest",
    "etag",
    "last-modified",
    "location",
    "preference-applied",
    "refresh",
    "repr-digest",
    "retry-after",
    "sec-websocket-accept",
    "sec-websocket-protocol",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

/// Whether the field called `name`, in lower case, may let a cache store a response that must not
/// be stored.
///
/// A targeted field such as `CDN-Cache-Control` takes the place of `Cache-Control` for the caches
/// it names (RFC 9213, section 2.2), and their names are open-ended.
pub(crate) fn may_permit_storing(name: &str) -> bool {
    name.ends_with("-cache-control") || OTHER_PERMISSIONS.contains(&name)
}

/// Whether the field called `name`, in lower case, still holds for a refusal that takes the place
/// of the response.
pub(crate) fn outlives_the_answer(name: &str) -> bool {
    !OF_THE_ANSWER.contains(&name) && !may_permit_storing(name)
}

/// `Vary` with `Cookie` in it, made of the fields there are; `None` where it is in it already.
pub(crate) fn vary_by_cookie<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let mut named = list(fields);
    if named.iter().any(|it| it == "*" || it.eq_ignore_ascii_case("cookie")) {
        return None;
    }
    named.push("Cookie".to_owned());
    Some(named.join(", "))
}

/// `Cache-Control` with `no-store` in it, and of the directives there are those that do not speak
/// against it.
pub(crate) fn forbid_storing<'a>(fields: impl Iterator<Item = &'a [u8]>) -> String {
    let kept = list(fields).into_iter().filter(|directive| {
        let name = directive.split('=').next().unwrap_or_default().trim();
        !name.eq_ignore_ascii_case("no-store")
            && !PERMISSIVE.iter().any(|permissive| name.eq_ignore_ascii_case(permissive))
    });
    ["no-store".to_owned()].into_iter().chain(kept).collect::<Vec<_>>().join(", ")
}

/// The elements of a list header, over all its fields; commas inside quotes do not separate.
fn list<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let mut elements = Vec::new();
    for field in fields {
        let text = String::from_utf8_lossy(field);
        let mut quoted = false;
        let mut escaped = false;
        elements.extend(
            text.split(|char| {
                match char {
                    _ if escaped => escaped = false,
                    '\\' if quoted => escaped = true,
                    '"' => quoted = !quoted,
                    _ => {}
                }
                char == ',' && !quoted
            })
            .map(|element| element.trim().to_owned())
            .filter(|element| !element.is_empty()),
        );
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_lower_case_and_in_order() {
        for table in [&OF_THE_ANSWER[..], &PERMISSIVE, &OTHER_PERMISSIONS] {
            assert!(table.iter().all(|name| *name == name.to_lowercase()));
        }
        assert!(OF_THE_ANSWER.is_sorted());
    }

    #[test]
    fn every_field_that_permits_storing_is_known() {
        for name in [
            "cdn-cache-control",
            "cloudflare-cdn-cache-control",
            "netlify-cdn-cache-control",
            "x-litespeed-cache-control",
            "surrogate-control",
            "x-accel-expires",
            "edge-control",
            "expires",
        ] {
            assert!(may_permit_storing(name) && !outlives_the_answer(name), "{name}");
        }
        for name in ["cache-control", "x-accel-buffering", "surrogate-key"] {
            assert!(!may_permit_storing(name), "{name}");
        }
    }

    #[test]
    fn policies_outlive_an_answer_and_descriptions_of_it_do_not() {
        for name in [
            "access-control-allow-origin",
            "content-security-policy",
            "set-cookie",
            "strict-transport-security",
            "vary",
            "x-request-id",
        ] {
            assert!(outlives_the_answer(name), "{name}");
        }
        for name in ["content-length", "content-type", "etag", "location", "clear-site-data"] {
            assert!(!outlives_the_answer(name), "{name}");
        }
    }
}
