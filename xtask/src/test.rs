//! `cargo xtask test`: everything a change has to pass, in one command.

use std::time::Duration;

use cargo_metadata::Package;
use lexopt::{Arg, Parser, ValueExt};

use crate::{
    cargo::{is_published, workspace},
    needs::{
        CHROMEDRIVER, CHROMIUM, CLIPPY, CURL, MOUNTS, REDIS, REQUESTS, RUSTFMT, Tool, VALGRIND,
        provide,
    },
    step::{STRICT_DOCS, Step, Tally},
};

/// Tests that need more than Rust, git and a C compiler, and can be left out by name.
#[derive(Clone, Copy, Debug)]
struct Part {
    name: &'static str,
    /// The package whose tests they are: all of them, unless `how` is a variable.
    package: &'static str,
    how: How,
    tools: &'static [Tool],
}

/// How a part runs.
#[derive(Clone, Copy, Debug)]
enum How {
    /// In a step of its own, with the features of the whole workspace, so that nothing is compiled
    /// once more.
    Step(&'static str),
    /// Among tests that run anywhere, unless this variable names it.
    Unless(&'static str),
}

const fn part(name: &'static str, package: &'static str, how: How, tools: &'static [Tool]) -> Part {
    Part { name, package, how, tools }
}

// Shown although they pass (`--nocapture`): a test may have something for the summary.
const BROWSER: How = How::Step("test --workspace --all-features --test browser -- --nocapture");
const CLIENTS: How = How::Step("test --workspace --all-features --test clients -- --nocapture");
const BUDGET: How = How::Step("test --workspace --all-features --test budget -- --nocapture");
const ON_REDIS: How = How::Step("test --package session-redis --all-features");

const PARTS: [Part; 5] = [
    part("browser", "demo-tests", BROWSER, &[CHROMIUM, CHROMEDRIVER]),
    part("clients", "demo-tests", CLIENTS, &[CURL, REQUESTS]),
    part("counts", "counts", BUDGET, &[VALGRIND]),
    part("mounts", "session-fs", How::Unless("SESSION_FS_WITHOUT"), &[MOUNTS]),
    part("redis", "session-redis", ON_REDIS, &[REDIS]),
];

/// Runs all steps, or those up to the first that fails. The last line it prints is a summary.
pub(crate) fn run(args: Vec<String>) -> Result<(), String> {
    let left_out = left_out(args, &PARTS.map(|part| part.name))?;
    let is_wanted = |part: &Part| !left_out.iter().any(|name| name == part.name);
    let needs = PARTS.iter().filter(|part| is_wanted(part));
    let mut needs: Vec<_> =
        needs.flat_map(|part| part.tools.iter().map(|tool| (part.name, *tool))).collect();
    // What a minimal installation of Rust lacks.
    needs.extend([("test", RUSTFMT), ("test", CLIPPY)]);
    provide(&needs, without)?;
    let mut total = Tally::default();
    let mut times = Vec::new();
    let steps = steps(&workspace()?.packages, is_wanted);
    let all = steps.len();
    for (at, step) in steps.into_iter().enumerate() {
        println!("\n== {} of {all}, {}: {step}", at + 1, step.name);
        let (done, tally, took) = step.run();
        total.add(tally);
        if let Err(message) = done {
            return Err(format!("{message}\n\n{}", summary(&total, &left_out)));
        }
        times.push((step.name, took));
    }
    println!();
    for (name, took) in times {
        println!("{:>8}  {name}", seconds(took));
    }
    println!("{}", summary(&total, &left_out));
    Ok(())
}

/// Names given with `--without`, each of which must be one of `known`.
pub(crate) fn left_out(args: Vec<String>, known: &[&str]) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let mut args = Parser::from_args(args);
    let message = |error: lexopt::Error| error.to_string();
    while let Some(arg) = args.next().map_err(message)? {
        let Arg::Long("without") = arg else {
            return Err(format!("{}; there is `--without NAME,..`", arg.unexpected()));
        };
        for name in args.value().and_then(ValueExt::string).map_err(message)?.split(',') {
            if !known.contains(&name) {
                return Err(format!("`{name}` cannot be left out; what can: {}", known.join(", ")));
            }
            names.push(name.to_owned());
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// Quick ones first. Everything that runs is built in one profile, so that little is compiled
/// twice.
fn steps(packages: &[Package], is_wanted: impl Fn(&Part) -> bool) -> Vec<Step> {
    let libraries: Vec<_> = packages.iter().filter(|it| is_published(it)).collect();
    let mut steps = vec![
        Step::new("format", "fmt --all --check"),
        Step::new("rules of the repository", "test --package xtask"),
        Step::new("lints", "clippy --workspace --all-targets --all-features -- -D warnings"),
    ];
    // Alone and without features, a library cannot live on what another crate of the workspace switched on.
    steps.extend(libraries.iter().map(|package| {
        let name = &package.name;
        Step::new(
            format!("lints of {name} alone"),
            &format!("clippy --package {name} --lib --no-default-features -- -D warnings"),
        )
    }));
    let mut tests = Step::new("tests", "test --workspace --exclude xtask --all-features");
    let mut own = Vec::new();
    for part in &PARTS {
        match part.how {
            How::Step(line) => {
                if !tests.args.iter().any(|it| it == part.package) {
                    tests.args.extend(["--exclude", part.package].map(str::to_owned));
                }
                if is_wanted(part) {
                    own.push(Step::new(format!("tests with {}", part.name), line));
                }
            }
            How::Unless(variable) if !is_wanted(part) => tests.env.push((variable, part.name)),
            How::Unless(_) => {}
        }
    }
    steps.push(tests);
    steps.extend(own);
    // A crate that has no features was just tested without them.
    let unwanted = |package: &Package| {
        let mut parts = PARTS.iter().filter(|part| matches!(part.how, How::Step(_)));
        parts.any(|part| *package.name == *part.package && !is_wanted(part))
    };
    let has_features = |it: &Package| it.features.keys().any(|name| name != "default");
    steps.extend(libraries.iter().filter(|it| has_features(it) && !unwanted(it)).map(|package| {
        let name = &package.name;
        Step::new(
            format!("tests of {name} without features"),
            &format!("test --package {name} --no-default-features"),
        )
    }));
    steps.extend([
        Step::new("examples build", "build --workspace --all-features --examples"),
        Step::new("benches build", "test --workspace --all-features --benches --no-run"),
        Step {
            env: STRICT_DOCS.to_vec(),
            ..Step::new("docs", "doc --workspace --all-features --no-deps")
        },
    ]);
    steps
}

/// How to test without the parts of these names.
fn without(parts: &[&str]) -> String {
    let parts: Vec<_> = parts.iter().copied().filter(|part| *part != "test").collect();
    match &parts[..] {
        [] => "there are no tests without it".to_owned(),
        _ => format!(
            "or leave those tests out with\n\n    cargo xtask test --without {}",
            parts.join(",")
        ),
    }
}

fn summary(tally: &Tally, left_out: &[String]) -> String {
    let mut lines = tally.notes.clone();
    let (Tally { passed, failed, .. }, rest) = (tally, left_out_line(left_out));
    lines.push(format!("{passed} passed, {failed} failed; {rest}"));
    lines.join("\n")
}

pub(crate) fn left_out_line(names: &[String]) -> String {
    if names.is_empty() {
        "nothing left out".to_owned()
    } else {
        format!("left out: {}", names.join(", "))
    }
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::{How, PARTS, Part, Tally, left_out, steps, summary};
    use crate::cargo::workspace;

    fn names(args: &[&str]) -> Result<Vec<String>, String> {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        left_out(args, &PARTS.map(|part| part.name))
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
    fn an_unknown_name_is_an_error() {
        for args in [&["--without", "tests"][..], &["--without"], &["--without", ""], &["--quick"]]
        {
            assert!(names(args).is_err(), "{args:?}");
        }
    }

    #[test]
    fn a_part_that_is_left_out_is_tested_in_no_step() {
        let packages = workspace().expect("the workspace").packages;
        let lines = |is_wanted: fn(&Part) -> bool| -> Vec<_> {
            let lines = steps(&packages, is_wanted).into_iter().map(|step| step.to_string());
            lines.filter(|line| line.contains("cargo test")).collect()
        };
        let (with, without) = (lines(|_| true), lines(|_| false));
        for part in &PARTS {
            let (own, among) = match part.how {
                How::Step(line) => (line, format!("--exclude {}", part.package)),
                How::Unless(variable) => {
                    ("test --workspace --exclude", format!("{variable}={}", part.name))
                }
            };
            assert!(packages.iter().any(|it| *it.name == *part.package), "{}", part.package);
            assert!(with.iter().any(|line| line.contains(own)), "{}: {with:#?}", part.name);
            let left = without.iter().filter(|line| line.contains(own));
            assert!(left.clone().all(|line| line.contains(&among)), "{}: {left:?}", part.name);
            assert!(without.iter().any(|line| line.contains(&among)), "{}", part.name);
        }
    }

    #[test]
    fn the_summary_says_what_was_left_out_and_what_tests_want_to_be_known() {
        let mut tally = Tally { passed: 3, ..Tally::default() };
        assert_eq!(summary(&tally, &[]), "3 passed, 0 failed; nothing left out");
        assert_eq!(summary(&tally, &["redis".into()]), "3 passed, 0 failed; left out: redis");
        tally.notes.push("counts: not compared".to_owned());
        let with_note = "counts: not compared\n3 passed, 0 failed; nothing left out";
        assert_eq!(summary(&tally, &[]), with_note);
    }
}
