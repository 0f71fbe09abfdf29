//! `cargo xtask fuzz`: lets libFuzzer look for bytes that a target does not stand.

use std::process::{Command, Stdio};

use crate::cargo::cargo;

/// All targets together, unless it is said otherwise: an hour.
const SECONDS: u64 = 3_600;

const FOLDER: &str = "dev/fuzz";

/// Fuzzes the named targets, or all, each for its part of the time.
///
/// What it finds is kept in `dev/fuzz`: the smallest set of inputs with the same coverage in the
/// archives of `corpus`, and what made a target panic in `artifacts`. Move that to `crashes`, where
/// the tests replay it.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let plan = Plan::new(args, &targets()?)?;
    is_there()?;
    for target in &plan.targets {
        corpus(&["unpack", target])?;
        let time = format!("-max_total_time={}", plan.seconds);
        let limits = ["--", &time, "-max_len=600", "-print_final_stats=1"];
        fuzz(&[&["run", "--fuzz-dir", FOLDER, target], &limits[..]].concat())?;
        fuzz(&["cmin", "--fuzz-dir", FOLDER, target])?;
        corpus(&["pack", target])?;
    }
    Ok(())
}

/// Between the archive of a target's inputs and the folder that libFuzzer reads and writes.
fn corpus(args: &[&str]) -> Result<(), String> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "fuzz-targets", "--bin", "corpus", "--"]);
    let done = command.args(args).status();
    match done {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("the inputs cannot be moved: `corpus {}` failed", args.join(" "))),
    }
}

/// cargo-fuzz asks for options of the compiler that are not stable yet; this lets a stable one take
/// them.
fn fuzz(args: &[&str]) -> Result<(), String> {
    let done = cargo().arg("fuzz").args(args).env("RUSTC_BOOTSTRAP", "1").status();
    match done {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`cargo fuzz {}` ended with {status}", args.join(" "))),
        Err(error) => Err(format!("cargo does not start: {error}")),
    }
}

fn is_there() -> Result<(), String> {
    let asked = Command::new("cargo-fuzz")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if asked.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err("cargo-fuzz is missing; install it with\n\n    cargo install cargo-fuzz".to_owned())
}

/// The binaries of `dev/fuzz/Cargo.toml`, which is no member of the workspace.
fn targets() -> Result<Vec<String>, String> {
    let manifest = std::fs::read_to_string("dev/fuzz/Cargo.toml")
        .map_err(|error| format!("dev/fuzz/Cargo.toml cannot be read: {error}"))?;
    Ok(names(&manifest))
}

fn names(manifest: &str) -> Vec<String> {
    let binaries = manifest.split("[[bin]]").skip(1);
    let name = |binary: &str| {
        let line = binary.lines().find_map(|line| line.strip_prefix("name = \""))?;
        line.strip_suffix('"').map(str::to_owned)
    };
    binaries.filter_map(name).collect()
}

struct Plan {
    targets: Vec<String>,
    /// For each of them.
    seconds: u64,
}

impl Plan {
    fn new(args: &[String], all: &[String]) -> Result<Self, String> {
        let (mut targets, mut seconds) = (Vec::new(), SECONDS);
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "--seconds" {
                let number = args.next().and_then(|number| number.parse().ok());
                seconds = number.ok_or("`--seconds` needs a number")?;
            } else if all.contains(arg) {
                targets.push(arg.clone());
            } else {
                return Err(format!("`{arg}` is no target; those are: {}", all.join(", ")));
            }
        }
        if targets.is_empty() {
            targets = all.to_vec();
        }
        let seconds = (seconds / targets.len().max(1) as u64).max(1);
        Ok(Self { targets, seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::{Plan, names};

    fn plan(args: &[&str]) -> Result<(Vec<String>, u64), String> {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let all = names("[[bin]]\nname = \"one\"\n\n[[bin]]\nname = \"two\"\ntest = false\n");
        Plan::new(&args, &all).map(|plan| (plan.targets, plan.seconds))
    }

    #[test]
    fn the_time_is_shared_by_the_targets() {
        let both = || vec!["one".to_owned(), "two".to_owned()];
        assert_eq!(plan(&[]), Ok((both(), 1_800)));
        assert_eq!(plan(&["--seconds", "60"]), Ok((both(), 30)));
        assert_eq!(plan(&["two", "--seconds", "60"]), Ok((vec!["two".to_owned()], 60)));
    }

    #[test]
    fn an_unknown_target_is_an_error_that_names_the_known() {
        assert_eq!(plan(&["three"]), Err("`three` is no target; those are: one, two".to_owned()));
        assert!(plan(&["--seconds"]).is_err());
    }
}
