//! Programs of the workspace that take the place of this one: `demo`, `crash`, `hammer`, `peers`,
//! `platforms`, `fuzz` and `bench`.

use std::process::Command;

use crate::{
    cargo::{at_the_top, cargo, done, workspace},
    needs::{CARGO_FUZZ, REDIS, WRK, provide},
};

/// Serves the demo site until it is told to end.
pub(crate) fn demo(flags: &[String]) -> Result<(), String> {
    run("--package demo --bin demo-actix --", flags)
}

/// Kills writers of session-fs at random moments and checks what they leave.
pub(crate) fn crash(flags: &[String]) -> Result<(), String> {
    run("--package session-fs --example crash --", &or(flags, ["--rounds", "1000"]))
}

/// Lets many processes work on one folder of session-fs and checks every answer.
pub(crate) fn hammer(flags: &[String]) -> Result<(), String> {
    run("--package session-fs --example hammer --", &or(flags, ["--seconds", "60"]))
}

/// Uses session-fs on real mounts and as other users.
pub(crate) fn platforms(flags: &[String]) -> Result<(), String> {
    run("--package platforms --", flags)
}

/// Asks this project and its peers what becomes of overlapping requests. The peers are a workspace
/// of their own, which the other builds do not load.
pub(crate) fn peers(flags: &[String]) -> Result<(), String> {
    let target = workspace()?.target_directory;
    run(&format!("--manifest-path dev/bench/peers/Cargo.toml --target-dir {target} --"), flags)
}

/// Searches for inputs that crash a parser.
pub(crate) fn fuzz(flags: &[String]) -> Result<(), String> {
    provide(&[("fuzz", CARGO_FUZZ)], |_| "there is no fuzzing without it".to_owned())?;
    run("--package fuzz-targets --bin fuzz --", flags)
}

/// Measures what is asked for, and makes a report of it.
pub(crate) fn bench(args: &[String]) -> Result<(), String> {
    let named = |name: &str| args.iter().any(|arg| arg == name);
    if named("http") || args.iter().all(|arg| ["--quick", "--fresh"].contains(&arg.as_str())) {
        let tools = if named("--quick") { &[WRK][..] } else { &[WRK, REDIS] };
        let needs: Vec<_> = tools.iter().map(|tool| ("http", *tool)).collect();
        provide(&needs, |_| {
            "or measure the rest with\n\n    cargo xtask bench limits scale".to_owned()
        })?;
    }
    let target = workspace()?.target_directory;
    let mut build = cargo();
    build.args(["build", "--quiet", "--package", "report"]);
    done(build)?;
    // Not by `cargo run`: what cargo says of the package would reach the builds it starts.
    let mut command = at_the_top(Command::new(target.join("debug/report")));
    command.args(args);
    become_it(command)
}

/// The flags given, else those of the long form: the tests run a short one.
fn or(flags: &[String], long: [&str; 2]) -> Vec<String> {
    if flags.is_empty() { long.map(str::to_owned).to_vec() } else { flags.to_vec() }
}

fn run(line: &str, flags: &[String]) -> Result<(), String> {
    let mut command = cargo();
    command.args(["run", "--release"]).args(line.split(' ')).args(flags);
    become_it(command)
}

/// Replaces this process, as cargo in turn replaces itself by what it runs: a signal sent to
/// `cargo xtask demo` reaches the demo.
#[cfg(unix)]
fn become_it(mut command: Command) -> Result<(), String> {
    use std::os::unix::process::CommandExt;

    Err(format!("{command:?} does not start: {}", command.exec()))
}

#[cfg(not(unix))]
fn become_it(command: Command) -> Result<(), String> {
    done(command)
}
