//! The `Cookie` header, read as bytes.

use std::iter;

/// The values of all cookies called `name`, in the order received.
///
/// Each field is split at `;`, spaces and tabs around a pair are cut off, and what stands before
/// the first `=` must be `name` byte for byte. Nothing is decoded and no quote is stripped; other
/// cookies may hold anything, bytes that are not UTF-8 among it.
///
/// A browser takes any name that *decodes* or *trims* to a `__Host-` name from anyone, so whoever
/// decodes or trims here has lost the prefix's protection (PHP CVE-2020-7070; the cookies of
/// `HttpRequest` of actix-web 4.18).
pub(crate) fn values<'a, 'n>(
    fields: impl IntoIterator<Item = &'a [u8]>,
    name: &'n str,
) -> impl Iterator<Item = &'a [u8]> {
    fields
        .into_iter()
        .flat_map(pairs)
        .filter_map(move |pair| trimmed(pair).strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

fn pairs(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(field);
    iter::from_fn(move || {
        let bytes = rest.take()?;
        let Some(end) = memchr::memchr(b';', bytes) else { return Some(bytes) };
        rest = Some(&bytes[end + 1..]);
        Some(&bytes[..end])
    })
}

fn trimmed(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&[u8]]) -> Vec<String> {
        values(fields.iter().copied(), "__Host-sid")
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    #[test]
    fn names_are_compared_byte_for_byte() {
        for other in [
            "\u{2000}__Host-sid=evil",
            "\u{85}__Host-sid=evil",
            "\u{a0}__Host-sid=evil",
            "\u{3000}__Host-sid=evil",
            "\u{feff}__Host-sid=evil",
            "%5F%5FHost-sid=evil",
            "__%48ost-sid=evil",
            "__host-sid=evil",
            "__HOST-SID=evil",
            "=__Host-sid=evil",
            "$Version=1",
            "__Host-sid =evil",
            "__Host-sid",
            "__Host-sid2=evil",
            "x__Host-sid=evil",
            "\"__Host-sid\"=evil",
            "",
            ";;; ;",
        ] {
            assert_eq!(read(&[other.as_bytes()]), [""; 0], "{other}");
            let before = format!("{other}; __Host-sid=good");
            assert_eq!(read(&[before.as_bytes()]), ["good"], "{other}");
            let after = format!("__Host-sid=good; {other}");
            assert_eq!(read(&[after.as_bytes()]), ["good"], "{other}");
        }
    }

    #[test]
    fn neighbours_may_hold_any_bytes() {
        assert_eq!(read(&[b"__Host-sid=good; junk=\xff\xfe"]), ["good"]);
        assert_eq!(read(&[b"junk=\xff\xfe; __Host-sid=good"]), ["good"]);
        assert_eq!(read(&[b"__Host-sid=good", b"junk=\xff"]), ["good"]);
        assert_eq!(read(&[b"junk=%ff; \xff; __Host-sid=good"]), ["good"]);
    }

    #[test]
    fn every_field_and_every_pair_of_the_name_counts() {
        assert_eq!(
            read(&[b"a=1; __Host-sid=x;b=2;__Host-sid=y", b"__Host-sid=z"]),
            ["x", "y", "z"]
        );
    }

    #[test]
    fn values_are_taken_as_they_are() {
        assert_eq!(read(&[b"__Host-sid=\"good\""]), ["\"good\""]);
        assert_eq!(read(&[b"__Host-sid=a=b%3Bc"]), ["a=b%3Bc"]);
        assert_eq!(read(&[b"__Host-sid="]), [""]);
        assert_eq!(read(&[b"\t __Host-sid=v \t;"]), ["v"]);
    }
}
