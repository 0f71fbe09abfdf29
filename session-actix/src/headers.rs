//! What a response that has to do with a session says to caches and browsers.

use actix_web::http::header::{
    CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, SET_COOKIE, VARY,
};

use crate::http::caching;

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

/// Gives a refusal those headers of the answer it replaces that say nothing of that answer: what a
/// browser's script may read, policies, names of requests, cookies.
pub(crate) fn inherit(headers: &mut HeaderMap, replaced: &HeaderMap) {
    for (name, value) in replaced {
        if caching::outlives_the_answer(name.as_str()) {
            headers.append(name.clone(), value.clone());
        }
    }
}

fn vary_by_cookie(headers: &mut HeaderMap) {
    // Most handlers say nothing about it.
    if !headers.contains_key(VARY) {
        headers.insert(VARY, HeaderValue::from_static("Cookie"));
    } else if let Some(merged) = caching::vary_by_cookie(bytes(headers, &VARY)) {
        replace(headers, VARY, &merged, "Cookie");
    }
}

/// Of every field that speaks to a cache, what is left forbids to store the response.
fn forbid_storing(headers: &mut HeaderMap) {
    let permissions = headers.keys().filter(|name| caching::may_permit_storing(name.as_str()));
    for name in permissions.cloned().collect::<Vec<_>>() {
        headers.remove(name);
    }
    let merged = caching::forbid_storing(bytes(headers, &CACHE_CONTROL));
    replace(headers, CACHE_CONTROL, &merged, "no-store");
}

fn bytes<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).map(HeaderValue::as_bytes)
}

fn replace(headers: &mut HeaderMap, name: HeaderName, value: &str, otherwise: &'static str) {
    let value =
        HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(otherwise));
    headers.insert(name, value);
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
    use actix_web::http::header::EXPIRES;

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
        let targeted = HeaderName::from_static("cdn-cache-control");
        for name in [targeted, EXPIRES] {
            let own = [(name.clone(), "max-age=600")];
            assert_eq!(all(&marked(&own, None), name.clone()), ["max-age=600"]);
            assert_eq!(all(&marked(&own, Some("sid=new")), name), [""; 0]);
        }
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
