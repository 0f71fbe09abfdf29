//! `cargo xtask ready`: what a release has to pass beyond `cargo xtask test`.

mod needs;
mod packages;
mod sources;

use std::{path::Path, time::Instant};

use crate::{
    cargo::{Package, workspace},
    parts::left_out,
    step::{STRICT_DOCS, Step},
    test::seconds,
};

/// What can be left out by name, in the order in which it is done.
const PARTS: &[&str] =
    &["features", "docs", "licences", "advisories", "package", "msrv", "minimal"];

/// Checks all parts, or those up to the first that fails. The last line it prints says what was
/// done and what was left out.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let left_out = left_out(args, PARTS)?;
    let (packages, target) = workspace()?;
    let commit = sources::commit()?;
    let release = Release::of(&packages, &commit)?;
    let is_wanted = |part: &&str| !left_out.iter().any(|name| name == part);
    let parts: Vec<_> = PARTS.iter().copied().filter(is_wanted).collect();
    needs::provide(&parts, release.rust)?;
    let tasks: Vec<_> = parts.iter().flat_map(|part| release.tasks(part, &target)).collect();
    let all = tasks.len();
    let started = Instant::now();
    for (at, task) in tasks.iter().enumerate() {
        println!("\n== {} of {all}, {}", at + 1, task.title());
        task.run()?;
    }
    println!(
        "\n{}",
        summary(&release.names(), &parts, &left_out, all, &seconds(started.elapsed()))
    );
    Ok(())
}

fn summary(names: &[&str], done: &[&str], left_out: &[String], all: usize, took: &str) -> String {
    let rest = if left_out.is_empty() {
        "nothing left out".to_owned()
    } else {
        format!("left out: {}", left_out.join(", "))
    };
    format!("{}: {all} checks in {took}; done: {}; {rest}", names.join(", "), done.join(", "))
}

/// The packages that are published together, and what they promise.
struct Release<'a> {
    packages: Vec<&'a Package>,
    /// The oldest Rust all of them build with.
    rust: &'a str,
    /// The commit they are made of.
    commit: &'a str,
}

impl<'a> Release<'a> {
    fn of(packages: &'a [Package], commit: &'a str) -> Result<Self, String> {
        let packages: Vec<_> = packages.iter().filter(|package| package.is_published()).collect();
        let mut versions: Vec<_> = packages.iter().map(|package| package.rust_version()).collect();
        versions.dedup();
        match versions[..] {
            [Some(rust)] => Ok(Self { packages, rust, commit }),
            _ => Err("the published packages do not name one `rust-version`".to_owned()),
        }
    }

    fn names(&self) -> Vec<&'a str> {
        self.packages.iter().map(|package| package.name()).collect()
    }

    /// `--package ..` for each of them.
    fn selected(&self) -> String {
        let each = self.packages.iter().map(|package| format!("--package {}", package.name()));
        each.collect::<Vec<_>>().join(" ")
    }

    fn tasks(&self, part: &str, target: &Path) -> Vec<Task> {
        let selected = self.selected();
        let cargo = |what: &str, line: &str| Task::Cargo(Step::new(what, line));
        match part {
            "features" => self.features(),
            // As docs.rs shows them: without the docs of their dependencies.
            "docs" => vec![Task::Cargo(Step {
                env: STRICT_DOCS.to_vec(),
                ..Step::new("docs", &format!("doc --no-deps --all-features {selected}"))
            })],
            "licences" => {
                vec![cargo(
                    "licences, bans and sources",
                    "deny --log-level error check bans licenses sources",
                )]
            }
            "advisories" => vec![cargo(
                "advisories, from a database on github.com",
                "deny --log-level error check advisories",
            )],
            "package" => {
                let made = |package: &&Package| packages::Made {
                    name: package.name().to_owned(),
                    version: package.version().to_owned(),
                    has_repository: package.repository().is_some(),
                };
                let packages: Vec<_> = self.packages.iter().map(made).collect();
                let all = target.join("ready").join("packages");
                let folder = all.join(self.commit);
                let built = folder.display().to_string();
                // Each is built from its package, and from those of the others.
                let line = format!("package --all-features {selected} --target-dir");
                let mut package = Step::new("packages", &line);
                package.args.push(built);
                let commit = self.commit.to_owned();
                vec![
                    Task::Own("no packages of another commit are left", {
                        Box::new(move || packages::leave_only(&all, &commit))
                    }),
                    Task::Cargo(package),
                    Task::Own("what is in the packages", {
                        Box::new(move || packages::look(&folder.join("package"), &packages))
                    }),
                ]
            }
            "msrv" => vec![Task::Cargo(Step {
                toolchain: Some(self.rust.to_owned()),
                ..Step::new("oldest Rust", &format!("check --locked --all-features {selected}"))
            })],
            "minimal" => {
                let copy = target.join("ready").join("minimal");
                let manifest = copy.join("Cargo.toml").display().to_string();
                let built = target.join("ready").join("built").display().to_string();
                let mut update = cargo("oldest dependencies are chosen", "update");
                let line = format!("check --locked --all-features {selected}");
                let mut check = cargo("oldest dependencies", &line);
                if let (Task::Cargo(update), Task::Cargo(check)) = (&mut update, &mut check) {
                    update.env = UNSTABLE.to_vec();
                    let oldest = ["-Z", "direct-minimal-versions", "--manifest-path", &manifest];
                    update.args.extend(oldest.map(str::to_owned));
                    let there = ["--manifest-path", &manifest, "--target-dir", &built];
                    check.args.extend(there.map(str::to_owned));
                }
                let copied = Task::Own(
                    "a copy, whose Cargo.lock may change",
                    Box::new(move || sources::copy(&copy)),
                );
                vec![copied, update, check]
            }
            _ => Vec::new(),
        }
    }

    /// No feature, and each alone, of the library alone, so that nothing lives on what another
    /// feature, another crate or a test switched on.
    fn features(&self) -> Vec<Task> {
        let mut tasks = Vec::new();
        for package in &self.packages {
            let name = package.name();
            let line = format!("clippy --package {name} --lib --no-default-features");
            let lints = "-- -D warnings";
            tasks.push(Step::new(format!("{name} without features"), &format!("{line} {lints}")));
            for feature in package.features() {
                let what = format!("{name} with {feature} alone");
                tasks.push(Step::new(what, &format!("{line} --features {feature} {lints}")));
            }
        }
        tasks.into_iter().map(Task::Cargo).collect()
    }
}

/// Lets a stable cargo take options that are not stable.
const UNSTABLE: &[(&str, &str)] = &[("RUSTC_BOOTSTRAP", "1")];

/// One check.
enum Task {
    Cargo(Step),
    Own(&'static str, Box<dyn Fn() -> Result<(), String>>),
}

impl Task {
    fn title(&self) -> String {
        match self {
            Self::Cargo(step) => format!("{}: {step}", step.name),
            Self::Own(name, _) => (*name).to_owned(),
        }
    }

    fn run(&self) -> Result<(), String> {
        match self {
            Self::Cargo(step) => {
                let (done, _, took) = step.run();
                done.map_err(|message| {
                    let (name, took) = (&step.name, seconds(took));
                    format!(
                        "\n`{name}` failed after {took}: {message}; repeat it with\n\n    {step}"
                    )
                })
            }
            Self::Own(name, run) => {
                run().map_err(|message| format!("\n`{name}` failed: {message}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{PARTS, Release, Task, summary};
    use crate::{cargo::Package, json::Json};

    fn package(name: &str, rust: &str, publish: &str) -> Package {
        let text = format!(
            r#"{{"name":"{name}","version":"0.1.0","rust_version":"{rust}","publish":{publish},
                "features":{{"default":[],"tls":[]}}}}"#
        );
        Package(Json::parse(&text).expect("JSON"))
    }

    fn titles(part: &str) -> Vec<String> {
        let packages = [package("session-x", "1.89", "null"), package("xtask", "1.90", "[]")];
        let release = Release::of(&packages, "c0ffee").expect("a release");
        release.tasks(part, Path::new("target")).iter().map(Task::title).collect()
    }

    #[test]
    fn every_part_checks_something_and_nothing_that_is_not_published() {
        for part in PARTS {
            let titles = titles(part);
            assert!(!titles.is_empty(), "{part}");
            assert!(titles.iter().all(|title| !title.contains("xtask")), "{titles:?}");
        }
    }

    #[test]
    fn a_library_is_checked_without_features_and_with_each() {
        let with = "session-x with tls alone: cargo clippy --package session-x --lib \
                    --no-default-features --features tls -- -D warnings";
        assert_eq!(titles("features").len(), 2, "default is no feature of its own");
        assert_eq!(titles("features")[1], with);
    }

    #[test]
    fn the_oldest_rust_is_the_one_the_manifests_name() {
        assert!(titles("msrv")[0].contains("cargo +1.89 check"), "{:?}", titles("msrv"));
        let two = [package("session-x", "1.89", "null"), package("session-y", "1.90", "null")];
        assert!(Release::of(&two, "c0ffee").is_err(), "two versions of Rust");
    }

    #[test]
    fn packages_of_a_commit_are_built_where_no_other_commit_is() {
        let titles = titles("package");
        assert!(titles[1].ends_with("--target-dir target/ready/packages/c0ffee"), "{titles:?}");
    }

    #[test]
    fn the_oldest_dependencies_are_chosen_in_a_copy() {
        for title in &titles("minimal")[1..] {
            assert!(title.contains("--manifest-path target/ready/minimal/Cargo.toml"), "{title}");
        }
    }

    #[test]
    fn the_last_line_says_what_was_left_out() {
        let all = summary(&["session-x"], &["docs"], &[], 1, "2.0 s");
        assert_eq!(all, "session-x: 1 checks in 2.0 s; done: docs; nothing left out");
        let rest = summary(&["session-x"], &["docs"], &["msrv".to_owned()], 1, "2.0 s");
        assert!(rest.ends_with("; left out: msrv"), "{rest}");
    }
}
