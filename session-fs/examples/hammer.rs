//! Hammers ten sessions from two processes of eight threads in all, and checks what they may never
//! see.
//!
//! `cargo run --release -p session-fs --example hammer -- --seconds 60`
//!
//! Every thread gets, probes, puts, touches, removes, creates, lists and sweeps at random. A put
//! that is answered `Stored` goes to a log of its process; in the end no two puts of the same life
//! of a session may have been told that they stored the same version.

#![expect(clippy::print_stdout, reason = "a harness reports on its standard output")]

#[path = "harness/mod.rs"]
mod harness;
#[path = "../tests/support/mod.rs"]
mod records;

use std::{
    collections::{HashMap, HashSet},
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, ExitCode, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use session_core::{
    Expect, ListSessions, Outcome, PrincipalTag, ProbeVersions, Record, SessionId, SessionManager,
    SweepSessions, Version,
};
use session_fs::FileBackedSessionManager;

use self::harness::{Random, argument, block_on, open, state, value_of};

const PROCESSES: u64 = 2;
const THREADS: u64 = 4;
const SESSIONS: u8 = 10;

type Done<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

pub(crate) fn main() -> ExitCode {
    let done = match argument("--worker") {
        Some(folder) => work(Path::new(&folder)),
        None => lead(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts the processes and compares what they were answered.
fn lead() -> Done {
    let seconds: u64 = value_of("--seconds", 2)?;
    let seed: u64 = value_of("--seed", u64::from(std::process::id()))?;
    let folder = tempfile::Builder::new().prefix("session-fs-hammer").tempdir()?;
    let mut workers = Vec::new();
    for number in 0..PROCESSES {
        workers.push(
            Command::new(env::current_exe()?)
                .args([Path::new("--worker"), folder.path()])
                .args(["--seconds", &seconds.to_string()])
                .args(["--seed", &(seed ^ (number << 32)).to_string()])
                .stdout(Stdio::piped())
                .spawn()?,
        );
    }
    let (mut stored, mut calls) = (HashSet::new(), 0_u64);
    for worker in &mut workers {
        let output = worker.stdout.take().ok_or("no output")?;
        for line in BufReader::new(output).lines() {
            let line = line?;
            match line.split_once(' ') {
                Some(("calls", count)) => calls += count.parse::<u64>()?,
                Some(("stored", what)) if stored.insert(what.to_owned()) => {}
                Some(("stored", what)) => return Err(format!("stored twice: {what}").into()),
                _ => return Err(format!("seed {seed}: {line}").into()),
            }
        }
        if !worker.wait()?.success() {
            return Err(format!("a worker failed, seed {seed}").into());
        }
    }
    println!(
        "{calls} calls by {} threads in {PROCESSES} processes in {seconds} s, {} puts stored, no error (seed {seed})",
        PROCESSES * THREADS,
        stored.len()
    );
    Ok(())
}

/// One process: its threads, and then what they were answered.
fn work(folder: &Path) -> Done {
    let until = Instant::now() + Duration::from_secs(value_of("--seconds", 2)?);
    let seed: u64 = value_of("--seed", 1)?;
    let manager = open(folder)?;
    let results: Vec<Done<Thread>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let manager = manager.clone();
                scope.spawn(move || {
                    let mut thread = Thread::new(manager, seed ^ (number << 16));
                    while Instant::now() < until {
                        thread.step()?;
                    }
                    Ok(thread)
                })
            })
            .collect();
        let panicked = |_| Err("a thread panicked".into());
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    });
    let mut output = std::io::stdout().lock();
    for thread in results {
        let thread = thread?;
        writeln!(output, "calls {}", thread.calls)?;
        for (life, version) in thread.stored {
            writeln!(output, "stored {life:016x} {version}")?;
        }
    }
    if manager.damaged() > 0 {
        return Err("a damaged file was set aside".into());
    }
    Ok(())
}

/// What one thread knows.
struct Thread {
    manager: FileBackedSessionManager,
    random: Random,
    calls: u64,
    /// The puts that were answered `Stored`, by the life of the session and the version.
    stored: Vec<(u64, u64)>,
    /// The newest state of each session that this thread saw: nothing older of the same life may
    /// follow.
    seen: HashMap<SessionId, (u64, u64)>,
}

impl Thread {
    fn new(manager: FileBackedSessionManager, seed: u64) -> Self {
        let random = Random::new(seed);
        Self { manager, random, calls: 0, stored: Vec::new(), seen: HashMap::new() }
    }

    fn step(&mut self) -> Done {
        self.calls += 1;
        let id = session(u8::try_from(self.random.below(u64::from(SESSIONS)))?)?;
        match self.random.below(100) {
            0..45 => self.get(&id).map(|_| ()),
            45..55 => self.probe(&id),
            55..75 => self.put(id),
            75..88 => self.touch(&id),
            88..93 => self.create(id),
            93..97 => {
                block_on(self.manager.remove(&id, None))?;
                Ok(())
            }
            97 => self.list(),
            98 => self.change_of_principal(id),
            _ if self.random.below(50) == 0 => {
                let swept = block_on(self.manager.sweep())?;
                if swept.removed == 0 { Ok(()) } else { Err("a live session was swept".into()) }
            }
            _ => Ok(()),
        }
    }

    /// The life and the version of the live record, which is whole and no older than what was seen
    /// before.
    fn get(&mut self, id: &SessionId) -> Done<Option<(u64, u64)>> {
        let Some(record) = block_on(self.manager.get(id))? else { return Ok(None) };
        state(&record)?;
        let now = (harness::life(&record), record.version().get());
        if let Some(before) = self.seen.insert(*id, now)
            && before.0 == now.0
            && before.1 > now.1
        {
            return Err("a session went back to an older version".into());
        }
        Ok(Some(now))
    }

    fn probe(&mut self, id: &SessionId) -> Done {
        let probe = block_on(self.manager.probe(id))?;
        if probe.is_some_and(|probe| probe.version.get() == 0) {
            return Err("a version of zero".into());
        }
        Ok(())
    }

    fn create(&mut self, id: SessionId) -> Done {
        let life = self.random.next();
        // Lives begin at versions far apart: a put that was meant for an earlier life must find no
        // version of its own.
        let version = 1 + self.random.below(1 << 40);
        let record = self.record(id, version, life);
        if block_on(self.manager.put(&record, Expect::Absent))? == Outcome::Stored {
            self.stored.push((life, version));
        }
        Ok(())
    }

    fn put(&mut self, id: SessionId) -> Done {
        let Some((life, version)) = self.get(&id)? else { return self.create(id) };
        let record = self.record(id, version + 1, life);
        let expect = Expect::Version(Version::new(version));
        if block_on(self.manager.put(&record, expect))? == Outcome::Stored {
            self.stored.push((life, version + 1));
        }
        Ok(())
    }

    fn touch(&mut self, id: &SessionId) -> Done {
        let Some((_, version)) = self.get(id)? else { return Ok(()) };
        let later = harness::deadline(self.random.below(1_000));
        let _ = block_on(self.manager.touch(id, Version::new(version), later))?;
        Ok(())
    }

    fn list(&mut self) -> Done {
        let tag = PrincipalTag::from_bytes([0xa1; 16]);
        let named = block_on(self.manager.by_principal(&tag, None, 100))?.ids.len()
            + block_on(self.manager.scan(None, 100))?.ids.len();
        if named > 2 * usize::from(SESSIONS) {
            return Err("a listing names sessions that never were".into());
        }
        Ok(())
    }

    fn change_of_principal(&mut self, id: SessionId) -> Done {
        let Some((life, version)) = self.get(&id)? else { return Ok(()) };
        let Some(found) = block_on(self.manager.get(&id))? else { return Ok(()) };
        if found.principal_tag().is_some() || found.version().get() != version {
            return Ok(());
        }
        self.put_tagged(id, version + 1, life)
    }

    fn put_tagged(&mut self, id: SessionId, version: u64, life: u64) -> Done {
        let plain = self.record(id, version, life);
        let tag = Some(PrincipalTag::from_bytes([0xa1; 16]));
        let body = plain.sealed().get(40..).ok_or("no body")?;
        let record = records::tagged(id, version, plain.expires_at(), tag, body);
        let expect = Expect::Version(Version::new(version - 1));
        if block_on(self.manager.put(&record, expect))? == Outcome::Stored {
            self.stored.push((life, version));
        }
        Ok(())
    }

    fn record(&mut self, id: SessionId, version: u64, life: u64) -> Arc<Record> {
        harness::record(id, Version::new(version), self.calls, life, &mut self.random)
    }
}

/// One of the ten ids all threads share.
fn session(number: u8) -> Done<SessionId> {
    let mut bytes = [number.wrapping_mul(37); 16];
    bytes[6] = 0x40;
    bytes[8] = 0x80;
    Ok(SessionId::from_bytes(bytes)?)
}
