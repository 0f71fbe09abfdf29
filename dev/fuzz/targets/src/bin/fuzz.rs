//! `fuzz [--seconds N] [TARGET..]`: lets libFuzzer search for inputs that crash a target.
//!
//! `cargo xtask fuzz` runs it. What it finds is kept in `dev/fuzz`: the smallest set of inputs with
//! the same coverage in the archives of `corpus`, and what made a target panic in `artifacts`. Move
//! that to `crashes`, where the tests replay it.

use std::{env, path::Path, process::Command};

use fuzz_targets::{TARGETS, pack, unpack};
use lexopt::{Arg, Parser, ValueExt as _};

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// All targets together, unless it is said otherwise: an hour.
const SECONDS: u64 = 3_600;

fn main() -> Done {
    let (targets, seconds) = plan(env::args().skip(1).collect())?;
    for target in targets {
        unpack(target)?;
        let time = format!("-max_total_time={seconds}");
        fuzz(&["run", target, "--", &time, "-max_len=600", "-print_final_stats=1"])?;
        fuzz(&["cmin", target])?;
        pack(target)?;
    }
    Ok(())
}

/// cargo-fuzz asks for options of the compiler that are not stable yet; this lets a stable one take
/// them.
fn fuzz(args: &[&str]) -> Done {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // The workspace of the fuzzer, where cargo-fuzz looks for itself.
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    command.args(["fuzz", args[0], "--fuzz-dir", "."]).args(&args[1..]);
    let status = command.env("RUSTC_BOOTSTRAP", "1").status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed: {status}").into()) }
}

/// The targets, and the seconds for each of them.
fn plan(args: Vec<String>) -> Done<(Vec<&'static str>, u64)> {
    let (mut targets, mut seconds) = (Vec::new(), SECONDS);
    let all = TARGETS.map(|(name, _)| name);
    let mut args = Parser::from_args(args);
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("seconds") => seconds = args.value()?.parse()?,
            Arg::Value(name) => {
                let target = all.into_iter().find(|it| name == **it);
                targets.push(target.ok_or_else(|| {
                    format!("{} is no target; those are: {}", name.display(), all.join(", "))
                })?);
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if targets.is_empty() {
        targets = all.to_vec();
    }
    let seconds = (seconds / targets.len() as u64).max(1);
    Ok((targets, seconds))
}

#[cfg(test)]
mod tests {
    use fuzz_targets::TARGETS;

    fn plan(args: &[&str]) -> Result<(Vec<&'static str>, u64), String> {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        super::plan(args).map_err(|error| error.to_string())
    }

    #[test]
    fn the_time_is_shared_by_the_targets() {
        let all = || TARGETS.map(|(name, _)| name).to_vec();
        assert_eq!(plan(&[]), Ok((all(), 600)));
        assert_eq!(plan(&["--seconds", "60"]), Ok((all(), 10)));
        assert_eq!(plan(&["faults", "--seconds=60"]), Ok((vec!["faults"], 60)));
    }

    #[test]
    fn an_unknown_target_is_an_error_that_names_the_known() {
        let error = plan(&["three"]).expect_err("no target");
        assert!(error.contains("three is") && error.contains("cookie_value, "), "{error}");
        assert!(plan(&["--seconds"]).is_err());
    }
}
