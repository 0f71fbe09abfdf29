//! Paths that have no session.

use crate::{Error, Result};

/// Beginnings of paths, whole segment by whole segment.
#[derive(Clone, Debug, Default)]
pub(crate) struct SkipPaths(Vec<Box<str>>);

impl SkipPaths {
    /// # Errors
    ///
    /// A path no route has, or that would skip everything.
    pub(crate) fn new(paths: &[String]) -> Result<Self> {
        paths.iter().map(|path| checked(path)).collect::<Result<_>>().map(Self)
    }

    /// Whether `path`, as the router compares it, is one of them or below one.
    ///
    /// What another reader of the path could take for something else is not: a client could make a
    /// handler that needs its session answer with an error.
    pub(crate) fn contain(&self, path: &str) -> bool {
        self.0.iter().any(|skipped| {
            path.strip_prefix(&**skipped)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }) && !path.split('/').any(is_dots)
    }
}

fn checked(path: &str) -> Result<Box<str>> {
    let refuse = |why: &str| Err(Error::config(format!("the skip path `{path}` {why}")));
    let Some(rest) = path.strip_prefix('/') else {
        return refuse("is no path: begin it with `/`");
    };
    if path.contains(['?', '#', '%']) {
        return refuse(
            "has more than a path: leave out `?` and `#`, and write what `%` stands for",
        );
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() {
        return refuse("skips everything: name a folder, such as `/static`");
    }
    if rest.split('/').any(|segment| segment.is_empty() || is_dots(segment)) {
        return refuse("has an empty segment, `.` or `..`: write it as routes are written");
    }
    Ok(format!("/{rest}").into())
}

fn is_dots(segment: &str) -> bool {
    matches!(segment, "." | "..")
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
        for path in ["/static", "/static/", "/static/x/y.css", "/static//x", "/health/live"] {
            assert!(skipped.contain(path), "{path}");
        }
    }

    #[test]
    fn what_a_router_takes_for_another_path_does_not_match() {
        let skipped = skip(&["/static", "/health/live/"]).unwrap();
        for path in [
            "/",
            "",
            "*",
            "/staticx",
            "/statically-private",
            "/STATIC",
            "//static",
            "/./static",
            "/files/../static/x",
            "/admin/../static",
            "/static/../admin",
            "/static/..",
            "/static/./x",
            "/static%2f..",
            "/health",
            "/health/liver",
        ] {
            assert!(!skipped.contain(path), "{path}");
        }
    }

    #[test]
    fn what_is_no_path_of_a_route_is_refused() {
        for path in ["", "static", "/", "//", "/.", "/a/..", "/a//b", "/a?b", "/a#b", "/%61"] {
            assert!(skip(&[path]).is_err(), "{path}");
        }
        assert!(!skip(&[]).unwrap().contain("/"));
    }
}
