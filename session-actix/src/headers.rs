//! What a response that has to do with a session says to caches and browsers.

use actix_web::http::header::{
    CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, VARY,
};

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

/// Marks a response whose handler used the session named `name`; `set_cookie` is what is to be
/// sent.
///
/// Another cookie of the name, put in by the handler or by an application inside, gives way: a
/// response never has two of one name (RFC 6265bis, section 4.1.1).
pub(crate) fn mark(headers: &mut HeaderMap, name: &str, set_cookie: Option<HeaderValue>) {
    vary_by_cookie(headers);
    if let Some(cookie) = set_cookie {
        replace_cookie(headers, name, cookie);
        forbid_storing(headers);
    } else {
        if !headers.contains_key(CACHE_CONTROL) {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        keep_last_cookie(headers, name);
    }
}

fn vary_by_cookie(headers: &mut HeaderMap) {
    // Most handlers say nothing about it.
    if !headers.contains_key(VARY) {
        headers.insert(VARY, HeaderValue::from_static("Cookie"));
        return;
    }
    let named = list(headers, &VARY);
    let has = named.iter().any(|it| it == "*" || it.eq_ignore_ascii_case("cookie"));
    if has {
        return;
    }
    let merged = named.into_iter().chain(["Cookie".to_owned()]).collect::<Vec<_>>().join(", ");
    replace(headers, VARY, &merged, "Cookie");
}

/// `no-store` always, and of the handler's own directives those that do not speak against it.
fn forbid_storing(headers: &mut HeaderMap) {
    let directives = list(headers, &CACHE_CONTROL);
    let kept = directives.into_iter().filter(|directive| {
        let name = directive.split('=').next().unwrap_or_default().trim();
        !name.eq_ignore_ascii_case("no-store")
            && !PERMISSIVE.iter().any(|permissive| name.eq_ignore_ascii_case(permissive))
    });
    let merged = ["no-store".to_owned()].into_iter().chain(kept).collect::<Vec<_>>().join(", ");
    replace(headers, CACHE_CONTROL, &merged, "no-store");
}

fn replace(headers: &mut HeaderMap, name: HeaderName, value: &str, otherwise: &'static str) {
    let value =
        HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(otherwise));
    headers.insert(name, value);
}

/// The elements of a list header, over all its fields; commas inside quotes do not separate.
fn list(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let mut elements = Vec::new();
    for field in headers.get_all(name) {
        let text = String::from_utf8_lossy(field.as_bytes());
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

fn replace_cookie(headers: &mut HeaderMap, name: &str, cookie: HeaderValue) {
    let others: Vec<_> =
        headers.remove(SET_COOKIE).filter(|header| !is_named(header, name)).collect();
    for header in others.into_iter().chain([cookie]) {
        headers.append(SET_COOKIE, header);
    }
}

fn keep_last_cookie(headers: &mut HeaderMap, name: &str) {
    let mut of_name = headers.get_all(SET_COOKIE).filter(|header| is_named(header, name));
    let Some(last) = of_name.next_back().cloned() else { return };
    if of_name.next().is_some() {
        replace_cookie(headers, name, last);
    }
}

fn is_named(header: &HeaderValue, name: &str) -> bool {
    let bytes = header.as_bytes().trim_ascii_start();
    bytes
        .strip_prefix(name.as_bytes())
        .is_some_and(|rest| rest.trim_ascii_start().starts_with(b"="))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(before: &[(HeaderName, &'static str)], cookie: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in before {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        mark(&mut headers, "sid", cookie.map(HeaderValue::from_static));
        headers
    }

    fn all(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
        headers.get_all(name).map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn vary_is_merged() {
        for (before, after) in [
            (&[][..], "Cookie"),
            (&[(VARY, "Accept-Encoding")], "Accept-Encoding, Cookie"),
            (&[(VARY, "Accept"), (VARY, "Origin , x")], "Accept, Origin, x, Cookie"),
            (&[(VARY, "cookie, Accept")], "cookie, Accept"),
            (&[(VARY, "*")], "*"),
        ] {
            assert_eq!(all(&marked(before, None), VARY), [after]);
        }
    }

    #[test]
    fn without_a_cookie_the_handlers_cache_control_stands() {
        assert_eq!(all(&marked(&[], None), CACHE_CONTROL), ["no-store"]);
        let own = [(CACHE_CONTROL, "private, max-age=60")];
        assert_eq!(all(&marked(&own, None), CACHE_CONTROL), ["private, max-age=60"]);
    }

    #[test]
    fn with_a_cookie_nothing_may_be_stored() {
        for (before, after) in [
            ("public, max-age=60, s-maxage=3, immutable", "no-store"),
            ("No-Store, no-transform", "no-store, no-transform"),
            ("private=\"a, public\", MAX-AGE = 3", "no-store, private=\"a, public\""),
            ("must-understand, no-store", "no-store"),
        ] {
            let headers = marked(&[(CACHE_CONTROL, before)], Some("sid=new"));
            assert_eq!(all(&headers, CACHE_CONTROL), [after]);
        }
        assert_eq!(all(&marked(&[], Some("sid=new")), CACHE_CONTROL), ["no-store"]);
    }

    #[test]
    fn there_is_one_cookie_of_the_name() {
        let others = [
            (SET_COOKIE, "sid=handler; Path=/"),
            (SET_COOKIE, "sidx=other"),
            (SET_COOKIE, " sid =inner"),
            (SET_COOKIE, "theme=dark"),
        ];
        let cookies = all(&marked(&others, Some("sid=ours")), SET_COOKIE);
        assert_eq!(cookies, ["sidx=other", "theme=dark", "sid=ours"]);
        let cookies = all(&marked(&others, None), SET_COOKIE);
        assert_eq!(cookies, ["sidx=other", "theme=dark", " sid =inner"]);
        let cookies = all(&marked(&others[..2], None), SET_COOKIE);
        assert_eq!(cookies, ["sid=handler; Path=/", "sidx=other"]);
    }
}
