//! `cargo xtask demo`, `crash`, `hammer`, `peers` and `bench`: programs that replace this one.

use std::process::Command;

use crate::{
    cargo::{at_the_top, cargo, workspace},
    needs::{REDIS, WRK, provide},
    parts::{Part, Tests},
};

/// Serves the demo site until it is told to end.
pub(crate) fn demo(flags: &[String]) -> Result<(), String> {
    run("demo", ["--bin", "demo-actix"], flags)
}

/// Kills writers of session-fs at random moments and checks what they leave.
pub(crate) fn crash(flags: &[String]) -> Result<(), String> {
    run("session-fs", ["--example", "crash"], &or(flags, ["--rounds", "1000"]))
}

/// Lets many processes work on one folder of session-fs and checks every answer.
pub(crate) fn hammer(flags: &[String]) -> Result<(), String> {
    run("session-fs", ["--example", "hammer"], &or(flags, ["--seconds", "60"]))
}

/// Asks this project and its peers what becomes of overlapping requests. The peers are a workspace
/// of their own: nobody else's build has to know them.
pub(crate) fn peers(flags: &[String]) -> Result<(), String> {
    let (_, target) = workspace()?;
    let mut command = cargo();
    command
        .args(["run", "--release", "--manifest-path", "dev/bench/peers/Cargo.toml", "--target-dir"])
        .arg(target)
        .arg("--")
        .args(flags);
    become_it(command)
}

/// Measures what is asked for, and makes a report of it.
pub(crate) fn bench(args: &[String]) -> Result<(), String> {
    let named = |name: &str| args.iter().any(|arg| arg == name);
    if named("http") || args.iter().all(|arg| ["--quick", "--fresh"].contains(&arg.as_str())) {
        let tools = if named("--quick") { &[WRK][..] } else { &[WRK, REDIS] };
        let servers = Part { name: "http", package: "peers", tests: Tests::All, tools };
        provide(&[&servers], |_| {
            "or measure the rest with\n\n    cargo xtask bench limits scale".to_owned()
        })?;
    }
    let (_, target) = workspace()?;
    let built = cargo().args(["build", "--quiet", "--package", "report"]).status();
    if !built.is_ok_and(|status| status.success()) {
        return Err("the program that measures does not build".to_owned());
    }
    // Not by `cargo run`: what cargo says of the package would reach the builds it starts.
    let mut command = at_the_top(Command::new(target.join("debug/report")));
    command.args(args);
    become_it(command)
}

/// The flags given, else those of the long form: the tests run a short one.
fn or(flags: &[String], long: [&str; 2]) -> Vec<String> {
    if flags.is_empty() { long.map(str::to_owned).to_vec() } else { flags.to_vec() }
}

fn run(package: &str, program: [&str; 2], flags: &[String]) -> Result<(), String> {
    let mut command = cargo();
    command.args(["run", "--release", "--package", package]).args(program).arg("--").args(flags);
    become_it(command)
}

/// Replaces this process, as cargo in turn replaces itself by what it runs: a signal sent to
/// `cargo xtask demo` reaches the demo.
#[cfg(unix)]
fn become_it(mut command: Command) -> Result<(), String> {
    use std::os::unix::process::CommandExt;

    Err(format!("cargo does not start: {}", command.exec()))
}

#[cfg(not(unix))]
fn become_it(mut command: Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("cargo does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("it ended with {status}")) }
}
