//! A file system that is really full: a small one in memory, mounted for this program alone.
//!
//! The program starts itself again in a mount namespace of its own (`unshare`, as root or in a user
//! namespace). Where neither is allowed it says so; that a refused write leaves the old session
//! whole is shown call by call in the unit tests everywhere.

#![expect(clippy::print_stdout, reason = "a program of its own reports on its standard output")]

#[path = "../examples/harness/mod.rs"]
mod harness;
#[path = "support/mod.rs"]
mod records;

use std::{
    env,
    path::Path,
    process::{Command, ExitCode},
    sync::Arc,
};

use session_core::{
    ErrorKind, Expect, Outcome, Record, Removal, SessionManager, Timestamp, Version,
};
use session_fs::FileBackedSessionManager;

use self::harness::{argument, block_on, open};

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let done = match argument("--inside") {
        Some(folder) => inside(Path::new(&folder)),
        None => outside(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Once with little space and once with few inodes.
fn outside() -> Done {
    let Some(namespace) = namespace() else {
        println!("NOT RUN: this user may not mount a file system of its own");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let program = env::current_exe()?;
    for limits in ["size=1m,nr_inodes=20000", "size=64m,nr_inodes=400"] {
        let mount = format!("mount -t tmpfs -o mode=700,{limits} tmpfs \"$0\"");
        let script = format!("{mount} && exec \"$1\" --inside \"$0\"");
        let mut command = Command::new("unshare");
        command.args(namespace).args(["sh", "-c", &script]).arg(folder.path()).arg(&program);
        if !command.status()?.success() {
            return Err(format!("with {limits}").into());
        }
        println!("a full disk ({limits}): every stored session is whole");
    }
    Ok(())
}

/// The namespace in which this user may mount something, if there is one.
fn namespace() -> Option<&'static [&'static str]> {
    let may_mount = |namespace: &&[&str]| {
        let mut command = Command::new("unshare");
        command.args(*namespace).args(["mount", "-t", "tmpfs", "tmpfs", "/tmp"]);
        command.status().is_ok_and(|status| status.success())
    };
    [&["--mount"][..], &["--mount", "--map-root-user"]].into_iter().find(may_mount)
}

/// Fills the file system and goes on.
fn inside(folder: &Path) -> Done {
    let manager = open(&folder.join("sessions"))?;
    let mut stored = Vec::new();
    let refused = loop {
        let record = made(records::new_id(), 1, 300);
        match block_on(manager.put(&record, Expect::Absent)) {
            Ok(outcome) => {
                expect(outcome == Outcome::Stored, "a creation is stored")?;
                stored.push(record);
            }
            Err(error) => {
                expect(error.kind() == ErrorKind::Full, "a full disk is told as such")?;
                break record;
            }
        }
    };
    expect(stored.len() > 20, "some fit")?;
    check(&manager, &stored)?;
    expect(block_on(manager.get(refused.id()))?.is_none(), "what was refused is not there")?;

    // A put in place and a touch need no space.
    let next = made(*stored[0].id(), 2, 300);
    let put = block_on(manager.put(&next, Expect::Version(Version::FIRST)))?;
    expect(put == Outcome::Stored, "a put in place is stored")?;
    stored[0] = next;
    let touched = block_on(manager.touch(stored[1].id(), Version::FIRST, Timestamp::MAX))?;
    expect(touched == Outcome::Stored, "a touch is stored")?;

    let grown = made(*stored[2].id(), 2, 600_000);
    let over = Expect::Version(Version::FIRST);
    let growth = block_on(manager.put(&grown, over)).map_err(|error| error.kind());
    expect(growth == Err(ErrorKind::Full), "a growth is refused")?;
    check(&manager, &stored)?;

    // Room again: the same calls succeed.
    for record in stored.drain(20..) {
        expect(block_on(manager.remove(record.id(), None))? == Removal::Removed, "removed")?;
    }
    let created = block_on(manager.put(&refused, Expect::Absent))?;
    expect(created == Outcome::Stored, "the refused creation is stored")?;
    stored.push(refused);
    check(&manager, &stored)?;
    expect(manager.damaged() == 0, "nothing was damaged")
}

fn made(id: session_core::SessionId, version: u64, len: usize) -> Arc<Record> {
    records::record(id, version, Timestamp::MAX, &vec![7; len])
}

/// Every session is there as it was stored.
fn check(manager: &FileBackedSessionManager, stored: &[Arc<Record>]) -> Done {
    for record in stored {
        let found = block_on(manager.get(record.id()))?.ok_or("a stored session is gone")?;
        expect(found.to_bytes() == record.to_bytes(), "a stored session is whole")?;
    }
    Ok(())
}

fn expect(holds: bool, what: &str) -> Done {
    if holds { Ok(()) } else { Err(format!("not so: {what}").into()) }
}
