//! session-fs on real mounts, as other users, in sandboxes and on disks that refuse writes.
//!
//! `cargo xtask platforms [NAME..]`, as root on Linux. What it needs and does not find is an error:
//! nothing is left out. It mounts in a namespace of its own and leaves nothing behind.

#![expect(clippy::print_stdout, reason = "a program of its own reports on its standard output")]

#[cfg(target_os = "linux")]
mod backup;
#[cfg(target_os = "linux")]
mod disk;
#[cfg(target_os = "linux")]
mod freeze;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod owners;
#[path = "../../../session-fs/tests/support/mod.rs"]
#[cfg(target_os = "linux")]
mod records;
#[cfg(target_os = "linux")]
mod sandbox;
#[cfg(target_os = "linux")]
mod visit;

use std::process::ExitCode;

/// What went wrong, in words.
type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn run() -> Done {
    Err("the platforms are those of Linux".into())
}

/// A sentence, and what shows it.
#[cfg(target_os = "linux")]
type Scenario = (&'static str, fn(&std::path::Path) -> Done);

#[cfg(target_os = "linux")]
const SCENARIOS: &[(&str, &[Scenario])] = &[
    ("kubernetes", owners::KUBERNETES),
    ("docker", owners::DOCKER),
    ("systemd", owners::SYSTEMD),
    ("users", owners::USERS),
    ("filesystems", mounts::FILE_SYSTEMS),
    ("sandbox", sandbox::SANDBOX),
    ("disk", disk::DISK),
    ("freeze", freeze::FREEZE),
    ("backup", backup::BACKUP),
];

#[cfg(target_os = "linux")]
fn run() -> Done {
    use std::{env, path::Path, process::Command};

    let args: Vec<String> = env::args().skip(1).collect();
    if let Some(("--visit", args)) = args.split_first().map(|(name, args)| (name.as_str(), args)) {
        return visit::visit(args);
    }
    let Some(("--inside", wanted)) = args.split_first().map(|(name, args)| (name.as_str(), args))
    else {
        mounts::check_needs()?;
        let folder = tempfile::Builder::new().prefix("platforms").tempdir()?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]).arg(env::current_exe()?);
        let status = command.arg("--inside").arg(folder.path()).args(args).status()?;
        return if status.success() { Ok(()) } else { Err("not every sentence is true".into()) };
    };
    let (folder, wanted) = wanted.split_first().ok_or("no folder")?;
    let folder = Path::new(folder);
    visit::install(folder)?;
    if let Some(name) = wanted.iter().find(|name| SCENARIOS.iter().all(|(it, _)| it != name)) {
        let names: Vec<_> = SCENARIOS.iter().map(|(name, _)| *name).collect();
        return Err(format!("there is no `{name}`; there are {}", names.join(", ")).into());
    }
    let mut failed = 0;
    for (name, scenarios) in SCENARIOS {
        if !wanted.is_empty() && wanted.iter().all(|it| it != name) {
            continue;
        }
        for (number, (sentence, scenario)) in scenarios.iter().enumerate() {
            let place = folder.join(format!("{name}{number}"));
            std::fs::create_dir(&place)?;
            match scenario(&place) {
                Ok(()) => println!("{name}: {sentence}"),
                Err(error) => {
                    println!("{name}: NOT SO: {sentence}: {error}");
                    failed += 1;
                }
            }
        }
    }
    if failed == 0 { Ok(()) } else { Err(format!("{failed} sentences are not true").into()) }
}
