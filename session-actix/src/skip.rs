//! Paths that have no session.

use std::borrow::Cow;

use crate::{Error, Result};

/// Beginnings of paths, whole segment by whole segment.
#[derive(Clone, Debug, Default)]
pub(crate) struct SkipPaths(Vec<Vec<Box<[u8]>>>);

impl SkipPaths {
    /// # Errors
    ///
    /// A path that does not begin with `/`, or that would skip everything.
    pub(crate) fn new(paths: &[String]) -> Result<Self> {
        paths
            .iter()
            .map(|path| {
                let segments = normalised(path);
                if !path.starts_with('/') || path.contains(['?', '#']) {
                    return Err(Error::config(format!(
                        "the skip path `{path}` is no path: begin it with `/` and leave out `?` and `#`"
                    )));
                }
                if segments.is_empty() {
                    return Err(Error::config(format!(
                        "the skip path `{path}` skips everything: name a folder, such as `/static`"
                    )));
                }
                Ok(segments.into_iter().map(|segment| segment.into_owned().into()).collect())
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Whether `path`, as it stands in the request line, is one of them or below one.
    pub(crate) fn contain(&self, path: &str) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let path = normalised(path);
        self.0.iter().any(|skipped| {
            skipped.len() <= path.len()
                && skipped.iter().zip(&path).all(|(skipped, segment)| **skipped == **segment)
        })
    }
}

/// The segments a path means: empty ones and `.` left out, `..` applied, each decoded for itself,
/// so that an encoded slash stays inside its segment.
fn normalised(path: &str) -> Vec<Cow<'_, [u8]>> {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        let segment = decoded(segment.as_bytes());
        match &*segment {
            b"" | b"." => {}
            b".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    segments
}

fn decoded(segment: &[u8]) -> Cow<'_, [u8]> {
    if !segment.contains(&b'%') {
        return segment.into();
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((first, after)) = rest.split_first() {
        let escaped = match (first, after) {
            (b'%', [high, low, after @ ..]) => hex(*high).zip(hex(*low)).map(|it| (it, after)),
            _ => None,
        };
        if let Some(((high, low), after)) = escaped {
            bytes.push(high << 4 | low);
            rest = after;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    bytes.into()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(paths: &[&str]) -> Result<SkipPaths> {
        SkipPaths::new(&paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn whole_segments_match() {
        let skipped = skip(&["/static", "/health/live/"]).unwrap();
        for path in [
            "/static",
            "/static/",
            "/static/x/y.css",
            "//static",
            "/./static",
            "/%73tatic",
            "/%73tatic/..%2f",
            "/health/live",
            "/admin/../static",
        ] {
            assert!(skipped.contain(path), "{path}");
        }
    }

    #[test]
    fn look_alikes_do_not_match() {
        let skipped = skip(&["/static", "/health/live/"]).unwrap();
        for path in [
            "/",
            "",
            "*",
            "/staticx",
            "/statically-private",
            "/STATIC",
            "/static/../admin",
            "/static/%2e%2e/admin",
            "/%73tatic/..",
            "/static%2f..",
            "/static%2fx",
            "/static%00",
            "/%2573tatic",
            "/%7",
            "/health",
            "/health/liver",
        ] {
            assert!(!skipped.contain(path), "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["", "static", "/", "//", "/.", "/a/..", "/a?b", "/a#b"] {
            assert!(skip(&[path]).is_err(), "{path}");
        }
        assert!(!skip(&[]).unwrap().contain("/"));
    }
}
