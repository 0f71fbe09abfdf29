//! Calling cargo.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

use cargo_metadata::{Metadata, MetadataCommand, Package};

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR");
    let mut root = PathBuf::from(package.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()));
    root.pop();
    root
}

/// The cargo that runs this program, in the folder of the workspace.
pub(crate) fn cargo() -> Command {
    at_the_top(Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())))
}

/// The cargo of another version of Rust, which rustup has.
pub(crate) fn cargo_of(version: &str) -> Command {
    let mut command = at_the_top(Command::new("rustup"));
    command.args(["run", version, "cargo"]);
    // These name the cargo and the compiler of the version that runs this program.
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command
}

/// In the folder of the workspace, without what cargo says of this package: build scripts that ask
/// for the same names (that of ring does) would run again at every change between `cargo xtask` and
/// a plain cargo call.
pub(crate) fn at_the_top(mut command: Command) -> Command {
    command.current_dir(root());
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    command
}

/// Runs a command that is expected to succeed.
pub(crate) fn done(mut command: Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?} failed: {status}")),
        Err(error) => Err(format!("{command:?} does not start: {error}")),
    }
}

/// The standard output of a command that is expected to succeed.
pub(crate) fn output(mut command: Command) -> Result<String, String> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("{command:?} does not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?} failed: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{command:?} printed no UTF-8"))
}

pub(crate) fn git(args: &[&str]) -> Result<String, String> {
    let mut git = at_the_top(Command::new("git"));
    git.args(args);
    output(git)
}

/// The members of the workspace, and the folder cargo builds into.
pub(crate) fn workspace() -> Result<Metadata, String> {
    let mut cargo = MetadataCommand::new();
    cargo.current_dir(root()).no_deps().exec().map_err(|error| error.to_string())
}

/// Whether it may be published: its manifest has no `publish = false`.
pub(crate) fn is_published(package: &Package) -> bool {
    package.publish.is_none()
}
