//! A file system that is really full, one that turns read-only, and a process that is out of file
//! descriptors.
//!
//! For the first two the program starts itself again in a mount namespace of its own (`unshare`, as
//! root or in a user namespace), on a small file system in memory. Where neither is allowed it
//! fails, unless it is told to do without; that a refused write leaves the old session whole is
//! shown call by call in the unit tests everywhere. For the last it starts itself again under
//! `ulimit -n`.

#![expect(clippy::print_stdout, reason = "a program of its own reports on its standard output")]

#[path = "../examples/harness/mod.rs"]
mod harness;
#[path = "support/mod.rs"]
mod records;

use std::{
    env,
    fs::File,
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

/// What is done inside, on this folder.
type Inside = fn(&Path) -> Done;

fn main() -> ExitCode {
    let modes: [(&str, Inside); 3] =
        [("--full", full), ("--read-only", read_only), ("--few-files", few_files)];
    let inside =
        modes.iter().find_map(|(name, run)| argument(name).map(|folder| run(Path::new(&folder))));
    let done = inside.unwrap_or_else(outside);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Names the tests that are left out, as `cargo xtask test --without mounts` does.
const WITHOUT: &str = "SESSION_FS_WITHOUT";

fn outside() -> Done {
    out_of_descriptors()?;
    match env::var(WITHOUT).as_deref() {
        Err(_) => on_small_file_systems(),
        Ok("mounts") => {
            println!("left out by {WITHOUT}: file systems that are full or turn read-only");
            Ok(())
        }
        Ok(other) => Err(format!("{WITHOUT} is `{other}`: it can be `mounts`, or not set").into()),
    }
}

fn out_of_descriptors() -> Done {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 48 && exec \"$1\" --few-files \"$0\""]);
    command.arg(folder.path()).arg(env::current_exe()?);
    if !command.status()?.success() {
        return Err("with few file descriptors".into());
    }
    println!("out of file descriptors: an outage, and no session is lost");
    Ok(())
}

/// Once with little space, once with few inodes, and once read-only.
fn on_small_file_systems() -> Done {
    let namespace = namespace().ok_or(
        "this user may not mount a file system of its own: run the tests as root, or where \
         `unshare --mount --map-root-user` is allowed; or leave these out with `cargo xtask test \
         --without mounts`, which sets SESSION_FS_WITHOUT=mounts",
    )?;
    let folder = tempfile::tempdir()?;
    let program = env::current_exe()?;
    for (limits, mode) in [
        ("size=1m,nr_inodes=20000", "--full"),
        ("size=64m,nr_inodes=400", "--full"),
        ("size=1m", "--read-only"),
    ] {
        let mount = format!("mount -t tmpfs -o mode=700,{limits} tmpfs \"$0\"");
        let script = format!("{mount} && exec \"$1\" {mode} \"$0\"");
        let mut command = Command::new("unshare");
        command.args(namespace).args(["sh", "-c", &script]).arg(folder.path()).arg(&program);
        if !command.status()?.success() {
            return Err(format!("with {limits}").into());
        }
        println!("{mode} ({limits}): every stored session is whole");
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

/// Lets the file system turn read-only, and back.
fn read_only(folder: &Path) -> Done {
    let sessions = folder.join("sessions");
    let manager = open(&sessions)?;
    let stored = made(records::new_id(), 1, 300);
    let created = block_on(manager.put(&stored, Expect::Absent))?;
    expect(created == Outcome::Stored, "a creation is stored")?;
    remount(folder, "ro")?;
    let all = std::slice::from_ref(&stored);
    check(&manager, all)?;
    refuses_writes(&manager, &stored)?;
    check(&manager, all)?;
    let refused = open(&sessions).err().ok_or("a read-only folder is refused at the start")?;
    expect(refused.kind() == ErrorKind::Config, "as a mistake in the configuration")?;
    expect(refused.to_string().contains("writ"), "with what to change")?;
    remount(folder, "rw")?;
    goes_on(&manager, &stored)
}

fn remount(folder: &Path, how: &str) -> Done {
    let mut command = Command::new("mount");
    let status = command.args(["-o", &format!("remount,{how}")]).arg(folder).status()?;
    if status.success() { Ok(()) } else { Err(format!("remounted {how}").into()) }
}

/// Opens files until there are no more descriptors, and closes them again.
fn few_files(folder: &Path) -> Done {
    let manager = open(folder)?;
    let stored = made(records::new_id(), 1, 300);
    let created = block_on(manager.put(&stored, Expect::Absent))?;
    expect(created == Outcome::Stored, "a creation is stored")?;
    let mut open = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        open.push(file);
        expect(open.len() < 1_000, "the limit holds")?;
    }
    let got = block_on(manager.get(stored.id())).map_err(|error| error.kind());
    expect(got.err() == Some(ErrorKind::Unavailable), "a get is an outage, and not an absence")?;
    refuses_writes(&manager, &stored)?;
    drop(open);
    check(&manager, std::slice::from_ref(&stored))?;
    goes_on(&manager, &stored)
}

/// No verb that writes is answered with success, or as if the session were gone.
fn refuses_writes(manager: &FileBackedSessionManager, stored: &Record) -> Done {
    let outage = Some(ErrorKind::Unavailable);
    let next = made(*stored.id(), 2, 300);
    let put = block_on(manager.put(&next, Expect::Version(Version::FIRST)));
    expect(put.err().map(|error| error.kind()) == outage, "a put is refused")?;
    let new = block_on(manager.put(&made(records::new_id(), 1, 300), Expect::Absent));
    expect(new.err().map(|error| error.kind()) == outage, "a creation is refused")?;
    let touch = block_on(manager.touch(stored.id(), Version::FIRST, Timestamp::MAX));
    expect(touch.err().map(|error| error.kind()) == outage, "a touch is refused")?;
    let removal = block_on(manager.remove(stored.id(), None));
    expect(removal.err().map(|error| error.kind()) == outage, "a removal is refused")
}

/// When the trouble is over, the same manager works as before.
fn goes_on(manager: &FileBackedSessionManager, stored: &Record) -> Done {
    let next = made(*stored.id(), 2, 300);
    let put = block_on(manager.put(&next, Expect::Version(Version::FIRST)))?;
    expect(put == Outcome::Stored, "a put is stored again")?;
    check(manager, &[next])?;
    let removal = block_on(manager.remove(stored.id(), None))?;
    expect(removal == Removal::Removed, "a removal is done again")?;
    expect(manager.damaged() == 0, "nothing was damaged")
}

/// Fills the file system and goes on.
fn full(folder: &Path) -> Done {
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
