//! `cargo xtask ready`: what a release has to pass beyond `cargo xtask test`.

use std::{fs, path::Path, time::Instant};

use cargo_metadata::Package;

use crate::{
    cargo::{cargo, git, is_published, output, workspace},
    needs::{CARGO_DENY, CARGO_HACK, CARGO_SEMVER_CHECKS, From, Tool, provide},
    step::{STRICT_DOCS, Step},
    test::{left_out, left_out_line, seconds},
};

/// What can be left out by name, in the order in which it is done.
const PARTS: [&str; 8] =
    ["features", "docs", "licences", "advisories", "package", "msrv", "minimal", "semver"];

/// Checks all parts, or those up to the first that fails. The last line it prints says what was
/// done and what was left out.
pub(crate) fn ready(args: Vec<String>) -> Result<(), String> {
    let left_out = left_out(args, &PARTS)?;
    let workspace = workspace()?;
    let release = Release::of(&workspace.packages, &git(&["rev-parse", "HEAD"])?)?;
    let parts: Vec<_> =
        PARTS.into_iter().filter(|part| !left_out.iter().any(|it| it == part)).collect();
    let needs: Vec<_> = parts.iter().filter_map(|part| release.need(part)).collect();
    provide(&needs, |parts| {
        format!("or do without with\n\n    cargo xtask ready --without {}", parts.join(","))
    })?;
    let started = Instant::now();
    for (at, part) in parts.iter().enumerate() {
        println!("\n== {} of {}, {part}", at + 1, parts.len());
        let failed = |message| format!("\n`{part}` failed: {message}");
        release.check(part, workspace.target_directory.as_std_path()).map_err(failed)?;
    }
    let (done, rest) = (parts.join(", "), left_out_line(&left_out));
    println!("\nchecked in {}; done: {done}; {rest}", seconds(started.elapsed()));
    Ok(())
}

/// The packages that are published together, and what they promise.
struct Release<'a> {
    packages: Vec<&'a Package>,
    /// The oldest Rust all of them build with.
    rust: String,
    /// The commit they are made of.
    commit: String,
}

impl<'a> Release<'a> {
    fn of(packages: &'a [Package], commit: &str) -> Result<Self, String> {
        let packages: Vec<_> = packages.iter().filter(|package| is_published(package)).collect();
        let mut versions: Vec<_> = packages.iter().map(|it| it.rust_version.as_ref()).collect();
        versions.dedup();
        match versions[..] {
            [Some(rust)] => {
                let rust = format!("{}.{}", rust.major, rust.minor);
                Ok(Self { packages, rust, commit: commit.trim().to_owned() })
            }
            _ => Err("the published packages do not name one `rust-version`".to_owned()),
        }
    }

    /// `--package ..` for each of them.
    fn selected(&self) -> String {
        let each = self.packages.iter().map(|package| format!("--package {}", package.name));
        each.collect::<Vec<_>>().join(" ")
    }

    fn need(&self, part: &'static str) -> Option<(&'static str, Tool)> {
        let tool = match part {
            "features" => CARGO_HACK,
            "licences" | "advisories" => CARGO_DENY,
            "semver" => CARGO_SEMVER_CHECKS,
            // The lines live as long as the program.
            "msrv" => Tool {
                name: "the oldest Rust",
                check: format!("rustup run {} cargo --version", self.rust).leak(),
                from: From::Line(
                    format!("rustup toolchain install {} --profile minimal", self.rust).leak(),
                ),
            },
            _ => return None,
        };
        Some((part, tool))
    }

    fn check(&self, part: &str, target: &Path) -> Result<(), String> {
        match part {
            "package" => self.package(&target.join("ready/packages")),
            "minimal" => self.minimal(&target.join("ready")),
            "semver" => self.semver(),
            _ => run(&self.step(part)),
        }
    }

    fn step(&self, part: &str) -> Step {
        let selected = self.selected();
        let line = match part {
            // None, and each alone, of the library alone, so that nothing lives on what another
            // feature, another crate or a test switched on.
            "features" => format!("hack {selected} clippy --lib --each-feature -- -D warnings"),
            // As docs.rs shows them: without the docs of their dependencies.
            "docs" => format!("doc --no-deps --all-features {selected}"),
            "licences" => "deny --log-level error check bans licenses sources".to_owned(),
            "advisories" => "deny --log-level error check advisories".to_owned(),
            _ => format!("check --locked --all-features {selected}"),
        };
        let toolchain = (part == "msrv").then(|| self.rust.clone());
        Step { env: STRICT_DOCS.to_vec(), toolchain, ..Step::new(part, &line) }
    }

    /// Builds each from its package and from those of the others, and looks at what is in them.
    ///
    /// To do so, cargo makes a registry in the target folder. It takes a version it has once
    /// unpacked or built from there for the same forever (cargo 1.95), so that each commit needs a
    /// place of its own.
    fn package(&self, folder: &Path) -> Result<(), String> {
        let failed = |error| format!("{}: {error}", folder.display());
        fs::create_dir_all(folder).map_err(failed)?;
        for other in folder.read_dir().map_err(failed)? {
            let other = other.map_err(failed)?;
            if *other.file_name() != *self.commit {
                fs::remove_dir_all(other.path()).map_err(failed)?;
            }
        }
        let folder = folder.join(&self.commit);
        let line = format!("package --all-features {} --target-dir", self.selected());
        let mut build = Step::new("packages", &line);
        build.args.push(folder.display().to_string());
        run(&build)?;
        for package in &self.packages {
            let (name, version) = (&package.name, &package.version);
            let file = folder.join(format!("package/{name}-{version}.crate"));
            let size = fs::metadata(&file).map_err(failed)?.len();
            let mut list = cargo();
            list.args(["package", "--quiet", "--list", "--package", name]);
            let files = output(list)?;
            println!("{name} {version}: {} files, {} KiB", files.lines().count(), size >> 10);
            if let Some(what) = offence(&files.lines().collect::<Vec<_>>(), size) {
                return Err(format!("the package {name} {what}"));
            }
        }
        Ok(())
    }

    /// Builds with the oldest versions of the direct dependencies, in a work tree of its own, whose
    /// `Cargo.lock` may change.
    fn minimal(&self, folder: &Path) -> Result<(), String> {
        let copy = folder.join("minimal");
        let (path, built) = (copy.display().to_string(), folder.join("built"));
        // Of an earlier time, if there was one.
        let _ = git(&["worktree", "remove", "--force", &path]);
        git(&["worktree", "add", "--force", "--detach", &path, &self.commit])?;
        let manifest = copy.join("Cargo.toml").display().to_string();
        let mut oldest = Step::new("oldest", "update -Z direct-minimal-versions --manifest-path");
        oldest.args.push(manifest.clone());
        // A stable cargo takes an option that is not stable.
        oldest.env = vec![("RUSTC_BOOTSTRAP", "1")];
        let line = format!("check --locked --all-features {}", self.selected());
        let mut check = Step::new("oldest dependencies", &line);
        let built = built.display().to_string();
        check.args.extend([
            "--manifest-path".to_owned(),
            manifest,
            "--target-dir".to_owned(),
            built,
        ]);
        let checked = run(&oldest).and_then(|()| run(&check));
        git(&["worktree", "remove", "--force", &path])?;
        checked
    }

    /// Compares the public API with that of the last release.
    fn semver(&self) -> Result<(), String> {
        let tags = git(&["tag", "--list", "v*", "--sort=-version:refname"])?;
        let Some(last) = tags.lines().next() else {
            println!("no tag `v*`: there is no release to compare with yet");
            return Ok(());
        };
        let line =
            format!("semver-checks {} --all-features --baseline-rev {last}", self.selected());
        run(&Step::new("semver", &line))
    }
}

fn run(step: &Step) -> Result<(), String> {
    println!("{step}");
    step.run().0
}

/// What every package must have.
const NEEDED: [&str; 6] =
    ["Cargo.lock", "Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "src/lib.rs"];

/// Sources and a few examples are far below this; what is above it has taken in data.
const MAX_BYTES: u64 = 512 << 10;

fn offence(files: &[&str], size: u64) -> Option<String> {
    let missing: Vec<_> = NEEDED.into_iter().filter(|it| !files.contains(it)).collect();
    if !missing.is_empty() {
        return Some(format!("lacks {}", missing.join(", ")));
    }
    (size > MAX_BYTES).then(|| format!("has {} KiB: see `include` in its Cargo.toml", size >> 10))
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, NEEDED, Release, offence};
    use crate::cargo::workspace;

    #[test]
    fn the_oldest_rust_is_the_one_all_manifests_name() {
        let mut packages = workspace().expect("the workspace").packages;
        let release = Release::of(&packages, "").expect("a release");
        let line = release.step("msrv").to_string();
        assert!(line.contains(&format!("cargo +{} check ", release.rust)), "{line}");
        assert!(!line.contains("xtask"), "what is not published is not checked: {line}");
        let last = packages.iter_mut().rfind(|it| it.publish.is_none()).expect("a package");
        last.rust_version = Some("1.999.0".parse().expect("a version"));
        assert!(Release::of(&packages, "").is_err(), "two versions of Rust");
    }

    #[test]
    fn a_package_without_its_licence_or_full_of_data_is_refused() {
        assert_eq!(offence(&NEEDED, MAX_BYTES), None);
        assert!(offence(&NEEDED[1..], 0).is_some());
        assert!(offence(&NEEDED, MAX_BYTES + 1).is_some());
    }
}
