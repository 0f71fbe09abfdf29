//! `cargo xtask test`: everything a change has to pass, in one command.

use std::{process::Stdio, time::Duration};

use crate::{
    cargo::{Package, cargo, workspace},
    guard,
    step::{Step, Tally},
};

/// Parts that need more than Rust, git and a C compiler, and that a machine without it may leave
/// out by name.
///
/// There is none now: everything runs everywhere.
const OPTIONAL: &[&str] = &[];

/// Runs all steps, or those up to the first that fails. The last line it prints is a summary.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let left_out = left_out(args, OPTIONAL)?;
    let (packages, _) = workspace()?;
    components_are_there()?;
    println!("== dependencies: what each crate builds on, as `cargo tree --locked` sees it");
    guard::run(&packages)?;
    let mut total = Tally::default();
    let mut times = Vec::new();
    let steps = steps(&packages);
    let all = steps.len();
    for (at, step) in steps.into_iter().enumerate() {
        println!("\n== {} of {all}, {}: {step}", at + 1, step.name);
        let (done, tally, took) = step.run();
        total.add(tally);
        if let Err(message) = done {
            return Err(format!(
                "\nstep `{}` failed after {}: {message}; repeat it with\n\n    {step}\n\n{}",
                step.name,
                seconds(took),
                summary(total, &left_out),
            ));
        }
        times.push((step.name, took));
    }
    println!();
    for (name, took) in times {
        println!("{:>8}  {name}", seconds(took));
    }
    println!("{}", summary(total, &left_out));
    Ok(())
}

/// Quick ones first. Everything that runs is built in one profile, so that little is compiled
/// twice.
fn steps(packages: &[Package]) -> Vec<Step> {
    let libraries = packages.iter().filter(|package| !package.targets("lib").is_empty());
    let mut steps = vec![
        Step::new("format", "fmt --all --check"),
        Step::new("rules of the repository", "test --package xtask"),
        Step::new("lints", "clippy --workspace --all-targets --all-features -- -D warnings"),
    ];
    // Alone and without features, a library cannot live on what another crate of the workspace switched on.
    steps.extend(libraries.clone().map(|package| {
        let name = package.name();
        Step::new(
            format!("lints of {name} alone"),
            &format!("clippy --package {name} --lib --no-default-features -- -D warnings"),
        )
    }));
    steps.push(Step::new("tests", "test --workspace --exclude xtask --all-features"));
    // A crate that has no features was just tested without them.
    steps.extend(libraries.filter(|package| package.has_features()).map(|package| {
        let name = package.name();
        Step::new(
            format!("tests of {name} without features"),
            &format!("test --package {name} --no-default-features"),
        )
    }));
    steps.extend([
        Step::new("examples build", "build --workspace --all-features --examples"),
        Step::new("benches build", "test --workspace --all-features --benches --no-run"),
        Step { strict_docs: true, ..Step::new("docs", "doc --workspace --all-features --no-deps") },
    ]);
    steps
}

/// Names given with `--without`, each of which must be one of `optional`.
fn left_out(args: &[String], optional: &[&str]) -> Result<Vec<String>, String> {
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
            if !optional.contains(&name) {
                let known = if optional.is_empty() { "none" } else { &optional.join(", ") };
                return Err(format!("`{name}` cannot be left out; what can: {known}"));
            }
            if !names.iter().any(|it| it == name) {
                names.push(name.to_owned());
            }
        }
    }
    Ok(names)
}

/// Says at once how to get what a minimal installation of Rust lacks.
fn components_are_there() -> Result<(), String> {
    let lacks = |component: &str| {
        let seen = cargo()
            .args([component, "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        !seen.is_ok_and(|status| status.success())
    };
    if lacks("fmt") || lacks("clippy") {
        return Err("rustfmt or clippy is missing; install both with\n\n    \
             rustup component add rustfmt clippy"
            .to_owned());
    }
    Ok(())
}

fn summary(tally: Tally, left_out: &[String]) -> String {
    let rest = if left_out.is_empty() {
        "nothing left out".to_owned()
    } else {
        format!("left out: {}", left_out.join(", "))
    };
    format!("{} passed, {} failed; {rest}", tally.passed, tally.failed)
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::{Tally, left_out, summary};

    fn names(args: &[&str]) -> Result<Vec<String>, String> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        left_out(&args, &["browser", "redis"])
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
    fn the_summary_says_what_was_left_out() {
        let tally = Tally { passed: 3, failed: 0, ignored: 0 };
        assert_eq!(summary(tally, &[]), "3 passed, 0 failed; nothing left out");
        assert_eq!(summary(tally, &["redis".into()]), "3 passed, 0 failed; left out: redis");
    }
}
