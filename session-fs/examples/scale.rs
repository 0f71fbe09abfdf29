//! A store of very many sessions: look-ups and sweeps, beside the system calls they cannot do
//! without.
//!
//! `cargo run --release -p session-fs --example scale -- --sessions 1000000`

#![expect(clippy::print_stdout, reason = "a harness reports on its standard output")]

#[path = "harness/mod.rs"]
mod harness;
#[path = "../tests/support/mod.rs"]
mod records;

use std::{
    os::fd::OwnedFd,
    path::Path,
    time::{Duration, Instant},
};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, statat};
use session_core::{Expect, Outcome, SessionId, SessionManager, Timestamp, Version};
use session_fs::FileBackedSessionManager;

use self::harness::{Random, block_on, open, value_of};

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Done {
    let most: usize = value_of("--sessions", 20_000)?;
    let folder = tempfile::Builder::new().prefix("session-fs-scale").tempdir()?;
    let manager = open(folder.path())?;
    let raw = open_folder(&folder.path().join("records"))?;
    let mut ids: Vec<SessionId> = Vec::new();
    let mut before = None;
    for count in [most / 10, most] {
        let started = Instant::now();
        let made = count - ids.len();
        while ids.len() < count {
            let id = records::new_id();
            let record = records::record(id, 1, Timestamp::MAX, &[7; 200]);
            let stored = block_on(manager.put(&record, Expect::Absent))?;
            assert_eq!(stored, Outcome::Stored);
            ids.push(id);
        }
        println!("{count} sessions; creating one took {}", micros(started.elapsed(), made));
        let (get, read) = look_up(&manager, &raw, &ids)?;
        println!(
            "  get {}, raw openat, read, close {}: {:.2}",
            micros(get, 1),
            micros(read, 1),
            ratio(get, read)
        );
        if let Some(before) = before.replace(get) {
            println!("  get at {count} to get at a tenth of that: {:.2}", ratio(get, before));
        }
    }
    let passes = ["first sweep", "sweep", "sweep when all were used", "sweep"];
    for (number, pass) in passes.into_iter().enumerate() {
        if number == 2 {
            for id in &ids {
                let touched = block_on(manager.touch(id, Version::FIRST, Timestamp::MAX))?;
                assert_eq!(touched, Outcome::Stored);
            }
        }
        let raw = walk(&raw)?;
        let started = Instant::now();
        let swept = block_on(manager.sweep_now(|_| {}))?;
        let took = started.elapsed();
        assert_eq!((swept.scanned, swept.removed), (most as u64, 0));
        println!("{pass}: {took:.2?}, raw readdir and statat {raw:.2?}: {:.2}", ratio(took, raw));
    }
    Ok(())
}

/// The median times of a look-up of a session at random.
fn look_up(
    manager: &FileBackedSessionManager,
    raw: &OwnedFd,
    ids: &[SessionId],
) -> Done<(Duration, Duration)> {
    let mut random = Random::new(7);
    let mut times = [Vec::new(), Vec::new()];
    let mut buffer = [0; 4096];
    // Once around, so that both find the names in memory.
    for round in 0..400_000 {
        let id = ids[usize::try_from(random.below(ids.len() as u64))?];
        let mut text = [0; SessionId::TEXT_BYTES];
        let name = id.encode(&mut text);
        let name = format!("{}/{name}", &name[..3]);
        let started = Instant::now();
        if round % 2 == 0 {
            assert!(block_on(manager.get(&id))?.is_some());
        } else {
            let file = openat(raw, &*name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            rustix::io::read(&file, &mut buffer)?;
            drop(file);
        }
        times[round % 2].push(started.elapsed());
    }
    let [get, read] = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    Ok((get, read))
}

/// Every name in every folder, and when it was modified.
fn walk(records: &OwnedFd) -> Done<Duration> {
    let started = Instant::now();
    let mut found = 0_u64;
    for number in 0..4096 {
        let name = format!("{number:03x}");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(folder) = openat(records, &*name, flags, Mode::empty()) else { continue };
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            found +=
                u64::from(statat(&folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW).is_ok());
        }
    }
    assert!(found > 0);
    Ok(started.elapsed())
}

fn open_folder(path: &Path) -> Done<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?)
}

fn micros(time: Duration, count: usize) -> String {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    format!("{:.2} us", (time / count).as_secs_f64() * 1e6)
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}
