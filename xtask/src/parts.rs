//! The parts of the tests that a machine may leave out, by name.

use crate::{
    cargo::Package,
    needs::{CHROMEDRIVER, CHROMIUM, CURL, MOUNTS, REDIS, REQUESTS, Tool, VALGRIND},
    step::Step,
};

/// Tests that need more than Rust, git and a C compiler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    /// Which of the package's tests it is.
    pub(crate) tests: Tests,
    pub(crate) tools: &'static [Tool],
}

/// What of a package is a part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tests {
    /// All: no test of it runs without the tools.
    All,
    /// One test binary of a package whose others are parts as well.
    Binary(&'static str),
    /// Some among tests that run anywhere: they are left out by this variable.
    UnlessSet(&'static str, &'static str),
}

/// All of them. A part whose package is not in the workspace has nothing to test.
const PARTS: &[Part] = &[
    Part {
        name: "browser",
        package: "demo-tests",
        tests: Tests::Binary("browser"),
        tools: &[CHROMIUM, CHROMEDRIVER],
    },
    Part {
        name: "clients",
        package: "demo-tests",
        tests: Tests::Binary("clients"),
        tools: &[CURL, REQUESTS],
    },
    Part { name: "counts", package: "counts", tests: Tests::Binary("budget"), tools: &[VALGRIND] },
    Part {
        name: "mounts",
        package: "session-fs",
        tests: Tests::UnlessSet("SESSION_FS_WITHOUT", "mounts"),
        tools: &[MOUNTS],
    },
    Part { name: "redis", package: "session-redis", tests: Tests::All, tools: &[REDIS] },
];

impl Part {
    /// Whether its package has no other tests.
    pub(crate) fn is_package(&self) -> bool {
        !matches!(self.tests, Tests::UnlessSet(..))
    }

    /// The step of its own, if it has one. Builds with the features of the whole workspace, so that
    /// nothing is compiled once more.
    pub(crate) fn step(&self) -> Option<Step> {
        let line = match self.tests {
            Tests::All => format!("test --package {} --all-features", self.package),
            // Shown although it passes: a test may have something for the summary.
            Tests::Binary(test) => {
                format!("test --workspace --all-features --test {test} -- --nocapture")
            }
            Tests::UnlessSet(..) => return None,
        };
        Some(Step::new(format!("tests with {}", self.name), &line))
    }

    /// The variable that leaves it out of the step of all tests, if it is one of these.
    pub(crate) fn variable(&self) -> Option<(&'static str, &'static str)> {
        match self.tests {
            Tests::UnlessSet(name, value) => Some((name, value)),
            _ => None,
        }
    }
}

/// The parts of this workspace.
pub(crate) fn parts(packages: &[Package]) -> Vec<&'static Part> {
    let is_there = |part: &&Part| packages.iter().any(|package| package.name() == part.package);
    PARTS.iter().filter(is_there).collect()
}

/// Names given with `--without`, each of which must be one of `known`.
pub(crate) fn left_out(args: &[String], known: &[&str]) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let list = match arg.strip_prefix("--without") {
            Some("") => args.next().map(String::as_str),
            Some(rest) => rest.strip_prefix('='),
            None => return Err(format!("`{arg}` is not understood: there is `--without NAME,..`")),
        };
        let list = list.ok_or("`--without` needs the names of the parts to leave out")?;
        for name in list.split(',') {
            if !known.contains(&name) {
                return Err(format!("`{name}` cannot be left out; what can: {}", known.join(", ")));
            }
            if !names.iter().any(|it| it == name) {
                names.push(name.to_owned());
            }
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::{PARTS, left_out, parts};
    use crate::{cargo::Package, json::Json};

    fn names(args: &[&str]) -> Result<Vec<String>, String> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        left_out(&args, &PARTS.iter().map(|part| part.name).collect::<Vec<_>>())
    }

    #[test]
    fn optional_parts_are_left_out_by_name() {
        assert_eq!(names(&[]), Ok(vec![]));
        assert_eq!(names(&["--without", "redis"]), Ok(vec!["redis".to_owned()]));
        let both = Ok(vec!["browser".to_owned(), "redis".to_owned()]);
        assert_eq!(names(&["--without", "browser,redis"]), both);
        assert_eq!(names(&["--without=browser", "--without", "redis,browser"]), both);
    }

    #[test]
    fn a_name_nobody_knows_is_an_error() {
        for args in [&["--without", "tests"][..], &["--without"], &["--without", ""], &["--quick"]]
        {
            assert!(names(args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn a_part_is_there_if_its_package_is() {
        let package =
            |name: &str| Package(Json::parse(&format!(r#"{{"name":"{name}"}}"#)).expect("JSON"));
        let names = |packages: &[Package]| -> Vec<_> {
            parts(packages).iter().map(|part| part.name).collect()
        };
        assert_eq!(names(&[package("session-core")]), Vec::<&str>::new());
        assert_eq!(names(&[package("session-fs")]), ["mounts"]);
        assert_eq!(names(&[package("session-redis")]), ["redis"]);
        assert_eq!(names(&[package("demo-tests"), package("x")]), ["browser", "clients"]);
    }

    #[test]
    fn a_part_has_a_step_of_its_own_or_a_variable_that_leaves_it_out() {
        let steps: Vec<_> = PARTS
            .iter()
            .map(|part| match (part.step(), part.variable()) {
                (Some(step), None) => step.to_string(),
                (None, Some((name, value))) => format!("{name}={value}"),
                both => panic!("{}: {both:?}", part.name),
            })
            .collect();
        assert_eq!(
            steps,
            [
                "cargo test --workspace --all-features --test browser -- --nocapture",
                "cargo test --workspace --all-features --test clients -- --nocapture",
                "cargo test --workspace --all-features --test budget -- --nocapture",
                "SESSION_FS_WITHOUT=mounts",
                "cargo test --package session-redis --all-features",
            ]
        );
    }
}
