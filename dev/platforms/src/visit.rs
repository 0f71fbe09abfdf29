//! A process that uses a folder, as the user it was started as.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, OnceLock},
};

use session_core::{
    Expect, ListSessions, Outcome, PrincipalTag, ProbeVersions, Record, Removal, SessionId,
    SessionManager, Timestamp, Version,
};
use session_fs::{Durability, FileBackedSessionManager, FsConfig};

use crate::{Done, records};

const ALICE: PrincipalTag = PrincipalTag::from_bytes([0xa1; 16]);

/// Where this program is, for other users too.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

pub(crate) fn install(folder: &Path) -> Done {
    use std::os::unix::fs::PermissionsExt;

    let program = folder.join("program");
    fs::copy(env::current_exe()?, &program)?;
    for path in [&program, folder] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    PROGRAM.set(program).map_err(|_| "installed twice")?;
    Ok(())
}

/// Who a process runs as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// A group beside its own.
    pub(crate) group: Option<u32>,
}

impl User {
    pub(crate) const ROOT: Self = Self { uid: 0, gid: 0, group: None };
    pub(crate) const APP: Self = Self { uid: 1000, gid: 1000, group: None };

    pub(crate) fn in_group(uid: u32) -> Self {
        Self { uid, gid: uid, group: Some(2000) }
    }

    fn command(self) -> Done<Command> {
        let program = PROGRAM.get().ok_or("not installed")?;
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={}", self.uid), format!("--regid={}", self.gid)]);
        command.arg(match self.group {
            Some(group) => format!("--groups={group}"),
            None => "--clear-groups".to_owned(),
        });
        command.arg(program).arg("--visit");
        Ok(command)
    }

    /// Uses the folder as a program does that starts, and returns the sessions it left there.
    pub(crate) fn starts(self, folder: &Path) -> Done<Vec<String>> {
        let output = self.command()?.arg("start").arg(folder).output()?;
        Ok(succeeded(output)?.split_whitespace().map(str::to_owned).collect())
    }

    /// Reads and changes these sessions.
    pub(crate) fn uses(self, folder: &Path, sessions: &[String]) -> Done {
        succeeded(self.command()?.arg("use").arg(folder).args(sessions).output()?).map(drop)
    }

    /// Makes so many sessions of as many users.
    pub(crate) fn welcomes(self, folder: &Path, newcomers: usize) -> Done {
        let output = self.command()?.arg("welcome").arg(folder).arg(newcomers.to_string()).output();
        succeeded(output?).map(drop)
    }

    /// Why it is refused at the start.
    pub(crate) fn is_refused(self, folder: &Path) -> Done<String> {
        let output = self.command()?.arg("start").arg(folder).output()?;
        if output.status.success() {
            return Err("it was not refused".into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}

fn succeeded(output: Output) -> Done<String> {
    let text = String::from_utf8(output.stdout)?;
    if output.status.success() { Ok(text) } else { Err(text.trim().into()) }
}

/// Runs a command of a shell, and returns what it prints.
pub(crate) fn shell(command: &str) -> Done<String> {
    let output = Command::new("sh").args(["-euc", command]).output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    Err(format!("`{command}`: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}

pub(crate) fn expect(holds: bool, what: &str) -> Done {
    if holds { Ok(()) } else { Err(what.into()) }
}

/// The part of this program that runs as somebody else.
pub(crate) fn visit(args: &[String]) -> Done {
    let [what, folder, args @ ..] = args else { return Err("nothing to do".into()) };
    let folder = Path::new(folder);
    match what.as_str() {
        "start" => {
            for id in start(&open(folder, Durability::Buffered)?)? {
                let mut text = [0; SessionId::TEXT_BYTES];
                println!("{}", id.encode(&mut text));
            }
        }
        "use" => {
            let manager = open(folder, Durability::Buffered)?;
            for id in args {
                let id = SessionId::parse(id.as_bytes()).ok_or("no session")?;
                change(&manager, &id)?;
            }
        }
        "welcome" => {
            let manager = open(folder, Durability::Buffered)?;
            for number in 0..args.first().ok_or("how many?")?.parse::<u32>()? {
                let mut tag = [0; 16];
                tag[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_le_bytes());
                let record = made(records::new_id(), 1, Some(PrincipalTag::from_bytes(tag)), 200);
                stored(block_on(manager.put(&record, Expect::Absent)))?;
            }
        }
        _ => return Err("that is nothing to do".into()),
    }
    Ok(())
}

pub(crate) fn open(folder: &Path, durability: Durability) -> Done<FileBackedSessionManager> {
    let config = FsConfig::new(folder).durability(durability).without_background_sweep();
    Ok(FileBackedSessionManager::with_config(&config)?)
}

pub(crate) fn made(
    id: SessionId,
    version: u64,
    tag: Option<PrincipalTag>,
    len: usize,
) -> Arc<Record> {
    let end = Timestamp::from_millis(4_000_000_000_000);
    records::tagged(id, version, end, tag, &vec![u8::try_from(version % 251).unwrap_or(0); len])
}

pub(crate) fn stored(outcome: session_core::Result<Outcome>) -> Done {
    expect(outcome? == Outcome::Stored, "a write was not stored")
}

/// Every verb; two sessions are left, of which one is a principal's.
pub(crate) fn start(manager: &FileBackedSessionManager) -> Done<Vec<SessionId>> {
    let mut ids = Vec::new();
    for tag in [None, Some(ALICE), None] {
        let first = made(records::new_id(), 1, tag, 200);
        stored(block_on(manager.put(&first, Expect::Absent)))?;
        change(manager, first.id())?;
        ids.push(*first.id());
    }
    let gone = ids.pop().ok_or("nothing was made")?;
    expect(block_on(manager.remove(&gone, None))? == Removal::Removed, "it is removed")?;
    expect(block_on(manager.get(&gone))?.is_none(), "it is gone")?;
    let listed = block_on(manager.by_principal(&ALICE, None, usize::MAX))?.ids;
    expect(listed.contains(&ids[1]), "a principal's session is listed")?;
    let swept = block_on(manager.sweep_now(|_| {}))?;
    expect(swept.unreadable_folders == 0, "every folder can be swept")?;
    Ok(ids)
}

/// Reads a session, and changes it by every kind of write.
pub(crate) fn change(manager: &FileBackedSessionManager, id: &SessionId) -> Done {
    for len in [200, 9_000, 200] {
        let old = block_on(manager.get(id))?.ok_or("a session is gone")?;
        let next = made(*id, old.version().get() + 1, old.principal_tag(), len);
        stored(block_on(manager.put(&next, Expect::Version(old.version()))))?;
        let end = Timestamp::from_millis(4_000_000_000_000 + next.version().get());
        stored(block_on(manager.touch(id, next.version(), end)))?;
        for _ in 0..2 {
            let probe = block_on(manager.probe(id))?.ok_or("a session is gone")?;
            expect(probe.version == next.version(), "a probe tells the version")?;
        }
        let found = block_on(manager.get(id))?.ok_or("a session is gone")?;
        expect(found.to_bytes()[112..] == next.to_bytes()[112..], "it is as it was put")?;
    }
    Ok(())
}

/// The version that is found.
pub(crate) fn version(manager: &FileBackedSessionManager, id: &SessionId) -> Done<Option<Version>> {
    Ok(block_on(manager.get(id))?.map(|record| record.version()))
}

/// Runs a future outside of any runtime: every wait happens right here.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
