//! Kills writers at random moments and checks that nothing acknowledged is lost and nothing is
//! torn.
//!
//! `cargo run --release -p session-fs --example crash -- --rounds 1000`
//!
//! Each round starts one writer, or two on the same folder, in turn. A writer creates, puts,
//! touches, grows and removes sessions as fast as it can and reports each acknowledged change on
//! its standard output. After a random time all are killed with `SIGKILL`; then every session is
//! read, and the next round goes on with the same folder.

#![expect(clippy::print_stdout, reason = "a harness reports on its standard output")]

#[path = "harness/mod.rs"]
mod harness;
#[path = "../tests/support/mod.rs"]
mod records;

use std::{
    collections::HashMap,
    env,
    io::{Read, Write},
    path::Path,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

use session_core::{Expect, Outcome, Removal, SessionId, SessionManager, Version};
use session_fs::FileBackedSessionManager;

use self::harness::{Random, argument, block_on, open, state, value_of};

/// How many sessions a writer works on.
const SESSIONS: usize = 16;

pub(crate) fn main() -> ExitCode {
    let done = match argument("--writer") {
        Some(folder) => write_for_ever(Path::new(&folder)),
        None => rounds(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// What is known of a session: the numbers of its newest acknowledged change, and of the newest one
/// that was begun.
#[derive(Clone, Copy, Default)]
struct Known {
    acknowledged: u64,
    begun: u64,
}

fn rounds() -> Done {
    let rounds: u64 = value_of("--rounds", 40)?;
    let seed: u64 = value_of("--seed", u64::from(std::process::id()))?;
    let longest: u64 = value_of("--milliseconds", 30)?;
    let mut random = Random::new(seed);
    let folder = tempfile::Builder::new().prefix("session-fs-crash").tempdir()?;
    let (mut changes, mut known) = (0, HashMap::new());
    for round in 0..rounds {
        let writers = 1 + round % 2;
        let mut children = Vec::new();
        for _ in 0..writers {
            let mut child = start(folder.path(), random.next())?;
            let mut output = child.stdout.take().ok_or("no output")?;
            // Read as it comes, so that no writer waits for its report to be read.
            let report = thread::spawn(move || {
                let mut report = String::new();
                output.read_to_string(&mut report).map(|_| report)
            });
            children.push((child, report));
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "a random moment to kill at is what it is for"
        )]
        thread::sleep(Duration::from_micros(500 + random.below(longest * 1_000)));
        for (child, _) in &mut children {
            child.kill()?;
        }
        for (mut child, report) in children {
            child.wait()?;
            let report = report.join().map_err(|_| "reading a report panicked")??;
            changes += acknowledged(&report, &mut known)?;
        }
        check(folder.path(), &known)
            .map_err(|error| format!("round {round}, seed {seed}: {error}"))?;
        // The files of earlier rounds are checked for a while, and then make room.
        if known.len() > 40 * SESSIONS {
            forget(folder.path(), &mut known)?;
        }
    }
    println!(
        "{rounds} kills, {changes} acknowledged changes, none lost, no session torn (seed {seed})"
    );
    if changes < rounds {
        return Err("the writers hardly wrote: give them more --milliseconds".into());
    }
    Ok(())
}

fn start(folder: &Path, seed: u64) -> Done<Child> {
    Ok(Command::new(env::current_exe()?)
        .args([Path::new("--writer"), folder])
        .args(["--seed", &seed.to_string()])
        .stdout(Stdio::piped())
        .spawn()?)
}

/// Reads what a killed writer reported: a line before each change and one after it was
/// acknowledged.
fn acknowledged(report: &str, known: &mut HashMap<SessionId, Known>) -> Done<u64> {
    let mut count = 0;
    // A line without its end was cut off by the kill; what it says did happen, but says it in part.
    for line in report.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let mut words = line.split(' ');
        let (Some(what), Some(id), Some(number)) = (words.next(), words.next(), words.next())
        else {
            return Err(format!("a writer reported: {line}").into());
        };
        let id = SessionId::parse(id.as_bytes()).ok_or("a writer reported no session")?;
        let number: u64 = number.parse()?;
        let known = known.entry(id).or_default();
        match what {
            "begin" => known.begun = known.begun.max(number),
            "done" => {
                known.acknowledged = known.acknowledged.max(number);
                count += 1;
            }
            _ => return Err(format!("a writer reported: {line}").into()),
        }
    }
    Ok(count)
}

/// Every session is whole, and as new as its last acknowledged change.
fn check(folder: &Path, known: &HashMap<SessionId, Known>) -> Done {
    let manager = open(folder)?;
    for (id, known) in known {
        let found = match block_on(manager.get(id)) {
            Ok(found) => found,
            // The first write of a creation, cut in two: never acknowledged, and out of the way
            // from now on.
            Err(error)
                if error.kind() == session_core::ErrorKind::Corrupt && known.acknowledged == 0 =>
            {
                None
            }
            Err(error) => return Err(error.into()),
        };
        let number = match found {
            Some(record) => state(&record)?,
            // The last change of a session is its removal.
            None if known.begun >= harness::CHANGES || known.acknowledged == 0 => continue,
            None => return Err("an acknowledged session is gone".into()),
        };
        if number < known.acknowledged {
            return Err(format!(
                "change {number} is there, {} was acknowledged",
                known.acknowledged
            )
            .into());
        }
        if number > known.begun {
            return Err(format!("change {number} is there, and was never begun").into());
        }
    }
    if manager.damaged() > 0 && known.values().all(|known| known.acknowledged > 0) {
        return Err("a damaged file was set aside".into());
    }
    Ok(())
}

fn forget(folder: &Path, known: &mut HashMap<SessionId, Known>) -> Done {
    let manager = open(folder)?;
    for id in known.keys() {
        let _: Removal = block_on(manager.remove(id, None))?;
    }
    known.clear();
    Ok(())
}

/// Changes sessions as fast as it can, until it is killed.
fn write_for_ever(folder: &Path) -> Done {
    let mut random = Random::new(value_of("--seed", 1)?);
    let manager = open(folder)?;
    let mut sessions: Vec<(SessionId, u64)> = Vec::new();
    let mut output = std::io::stdout().lock();
    loop {
        if sessions.len() < SESSIONS {
            sessions.push((records::new_id(), 0));
        }
        let at = usize::try_from(random.below(sessions.len() as u64))?;
        let (id, number) = sessions[at];
        let next = number + 1;
        let mut buffer = [0; SessionId::TEXT_BYTES];
        let name = id.encode(&mut buffer).to_owned();
        output.write_all(format!("begin {name} {next}\n").as_bytes())?;
        change(&manager, id, next, &mut random)?;
        output.write_all(format!("done {name} {next}\n").as_bytes())?;
        if next == harness::CHANGES {
            sessions.swap_remove(at);
        } else {
            sessions[at].1 = next;
        }
    }
}

/// The changes of one session: it is created, and then put or touched in turn until it is removed.
fn change(
    manager: &FileBackedSessionManager,
    id: SessionId,
    number: u64,
    random: &mut Random,
) -> Done {
    let version = Version::new(number.div_ceil(2));
    let outcome = match number {
        harness::CHANGES => {
            let removal = block_on(manager.remove(&id, Some(version)))?;
            return if removal == Removal::Removed { Ok(()) } else { Err("not removed".into()) };
        }
        // An even change touches the version that the odd one before it put.
        _ if number.is_multiple_of(2) => {
            block_on(manager.touch(&id, version, harness::deadline(number)))?
        }
        1 => {
            let record = harness::record(id, version, number, 0, random);
            block_on(manager.put(&record, Expect::Absent))?
        }
        _ => {
            let record = harness::record(id, version, number, 0, random);
            block_on(manager.put(&record, Expect::Version(Version::new(version.get() - 1))))?
        }
    };
    if outcome == Outcome::Stored { Ok(()) } else { Err(format!("{outcome:?}").into()) }
}
