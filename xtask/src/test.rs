//! `cargo xtask test`: everything a change has to pass, in one command.

use std::{process::Stdio, time::Duration};

use crate::{
    cargo::{Package, cargo, workspace},
    guard, needs,
    parts::{self, Part},
    step::{STRICT_DOCS, Step, Tally},
};

/// Runs all steps, or those up to the first that fails. The last line it prints is a summary.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let (packages, _) = workspace()?;
    let parts = parts::parts(&packages);
    let names: Vec<_> = parts.iter().map(|part| part.name).collect();
    let left_out = parts::left_out(args, &names)?;
    components_are_there()?;
    let wanted: Vec<_> =
        parts.iter().copied().filter(|it| !left_out.iter().any(|name| name == it.name)).collect();
    needs::provide(&wanted, without)?;
    println!("== dependencies: what each crate builds on, as `cargo tree --locked` sees it");
    guard::run(&packages)?;
    let mut total = Tally::default();
    let mut times = Vec::new();
    let steps = steps(&packages, &parts, &wanted);
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
                summary(&total, &left_out),
            ));
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

/// Quick ones first. Everything that runs is built in one profile, so that little is compiled
/// twice.
///
/// Packages that are `parts` are tested in steps of their own, and only those of parts that are
/// `wanted`. Parts of packages that have other tests are left out of the step of all.
fn steps(packages: &[Package], parts: &[&Part], wanted: &[&Part]) -> Vec<Step> {
    let is_a_part =
        |package: &Package| parts.iter().any(|it| it.is_package() && it.package == package.name());
    let is_wanted = |package: &Package| wanted.iter().any(|it| it.package == package.name());
    let libraries = packages.iter().filter(|package| {
        package.name().starts_with("session-") && !package.targets("lib").is_empty()
    });
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
    let mut tests = Step::new("tests", "test --workspace --exclude xtask --all-features");
    for package in packages.iter().filter(|package| is_a_part(package)) {
        tests.args.extend(["--exclude".to_owned(), package.name().to_owned()]);
    }
    let unwanted = parts.iter().filter(|part| wanted.iter().all(|it| it.name != part.name));
    tests.env.extend(unwanted.filter_map(|part| part.variable()));
    steps.push(tests);
    steps.extend(wanted.iter().filter_map(|part| part.step()));
    // A crate that has no features was just tested without them.
    let with_features = libraries.filter(|package| {
        !package.features().is_empty() && (!is_a_part(package) || is_wanted(package))
    });
    steps.extend(with_features.map(|package| {
        let name = package.name();
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

/// How to test without the parts of these names.
fn without(parts: &[&str]) -> String {
    let names = parts.join(",");
    format!("or leave those tests out with\n\n    cargo xtask test --without {names}")
}

fn summary(tally: &Tally, left_out: &[String]) -> String {
    let rest = if left_out.is_empty() {
        "nothing left out".to_owned()
    } else {
        format!("left out: {}", left_out.join(", "))
    };
    let mut lines = tally.notes.clone();
    lines.push(format!("{} passed, {} failed; {rest}", tally.passed, tally.failed));
    lines.join("\n")
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::{Tally, steps, summary};
    use crate::{
        cargo::Package,
        json::Json,
        parts::{Part, parts},
    };

    #[test]
    fn a_part_that_is_left_out_is_tested_in_no_step() {
        let package = |name: &str| {
            let text = format!(
                r#"{{"name":"{name}","features":{{"tls":[]}},"targets":[{{"kind":["lib"],"name":"it"}}]}}"#
            );
            Package(Json::parse(&text).expect("JSON"))
        };
        let packages = ["session-fs", "session-redis", "xtask"].map(package);
        let all = parts(&packages);
        let lines = |wanted: &[&Part]| -> Vec<_> {
            let steps = steps(&packages, &all, wanted).into_iter().map(|step| step.to_string());
            steps.filter(|line| line.contains("cargo test")).collect()
        };
        let with = lines(&all);
        let main = "cargo test --workspace --exclude xtask --all-features --exclude session-redis";
        assert!(with.iter().any(|line| line == main), "{with:?}");
        assert!(
            with.iter().any(|line| line == "cargo test --package session-redis --all-features")
        );
        let without = lines(&[]);
        let variable = format!("SESSION_FS_WITHOUT=mounts {main}");
        assert!(without.contains(&variable), "{without:?}");
        assert!(
            !without.iter().any(|line| line.contains("--package session-redis")),
            "{without:?}"
        );
        assert_eq!(with.len(), without.len() + 2, "with features and without");
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
