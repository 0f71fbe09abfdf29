//! Each verb and its raw system calls in turn, one of each at a time, so that what disturbs the
//! machine disturbs both: medians and their ratios.
//!
//! `cargo run --release -p session-fs --example ratios`

#![expect(clippy::print_stdout, reason = "a harness reports on its standard output")]

#[path = "harness/mod.rs"]
mod harness;
#[path = "../tests/support/mod.rs"]
mod records;

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, Mode, OFlags, fdatasync, flock, fstat, openat, renameat},
    io::{pread, pwrite},
};
use session_core::{Expect, SessionId, SessionManager, Timestamp, Version};
use session_fs::{Durability, FileBackedSessionManager, FsConfig};

use self::harness::{Random, block_on, value_of};

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

const BODY: usize = 200;
/// What a put writes: the head of a slot, the header and the seal of a record, and the body.
const WRITTEN: [u8; 16 + 112 + BODY] = [7; 16 + 112 + BODY];

fn main() -> Done {
    let rounds = value_of("--rounds", 20_000)?;
    let mut buffered = Pair::new(500, Durability::Buffered)?;
    let get = |pair: &mut Pair, at: usize| {
        block_on(pair.manager.get(&pair.live[at].0))?.ok_or("absent")?;
        Ok(())
    };
    let read = |pair: &mut Pair, at: usize| {
        let file = pair.open(at, OFlags::RDONLY)?;
        rustix::io::read(file, &mut [0; 4096])?;
        Ok(())
    };
    let locked = |pair: &mut Pair, at: usize| pair.in_place(at, &WRITTEN, 128, true);
    let bare = |pair: &mut Pair, at: usize| pair.in_place(at, &WRITTEN, 128, false);
    buffered.compare("get", get, "openat, read, close", read, rounds)?;
    buffered.compare("put", Pair::put, "openat, pread, pwrite, close", bare, rounds)?;
    buffered.compare("put", Pair::put, "the same with flock and fstat", locked, rounds)?;
    buffered.compare("put", Pair::put, "temporary file, rename", Pair::rename, rounds / 20)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    let hop = |_: &mut Pair, _: usize| {
        Ok(runtime.block_on(async { tokio::task::spawn_blocking(|| ()).await })?)
    };
    buffered.compare("put", Pair::put, "a hop to the pool that does nothing", hop, rounds)?;
    let cell = |pair: &mut Pair, at: usize| pair.in_place(at, &WRITTEN[..28], 32, false);
    let locked = |pair: &mut Pair, at: usize| pair.in_place(at, &WRITTEN[..28], 32, true);
    buffered.compare("touch", Pair::touch, "openat, pread, pwrite, close", cell, rounds)?;
    buffered.compare("touch", Pair::touch, "the same with flock and fstat", locked, rounds)?;

    let mut synced = Pair::new(100, Durability::Synced)?;
    for at in 0..synced.live.len() {
        synced.put(at)?;
        synced.synced(at)?;
    }
    synced.compare("synced put", Pair::put, "pwrite, fdatasync", Pair::synced, rounds / 20)
}

/// A store, and a second one whose files are written to without it.
struct Pair {
    manager: FileBackedSessionManager,
    live: Vec<(SessionId, u64)>,
    raw: OwnedFd,
    names: Vec<String>,
    random: Random,
    _folders: [tempfile::TempDir; 2],
}

impl Pair {
    fn new(count: usize, durability: Durability) -> Done<Self> {
        let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
        let (manager, live) = store(folders[0].path(), count, durability)?;
        let (_, other) = store(folders[1].path(), count, durability)?;
        let raw = rustix::fs::open(
            folders[1].path().join("records"),
            OFlags::RDONLY | OFlags::DIRECTORY,
            Mode::empty(),
        )?;
        let names = other.iter().map(|(id, _)| name(id)).collect();
        Ok(Self { manager, live, raw, names, random: Random::new(1), _folders: folders })
    }

    /// Both in turn, and the median of each.
    fn compare(
        &mut self,
        ours: &str,
        mut run: impl FnMut(&mut Self, usize) -> Done,
        raw: &str,
        mut run_raw: impl FnMut(&mut Self, usize) -> Done,
        rounds: usize,
    ) -> Done {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            let at = usize::try_from(self.random.below(self.live.len() as u64))?;
            let started = Instant::now();
            run(self, at)?;
            let between = Instant::now();
            run_raw(self, at)?;
            times[0].push(between - started);
            times[1].push(between.elapsed());
        }
        let [took, raw_took] = times.map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        });
        let ratio = took.as_secs_f64() / raw_took.as_secs_f64();
        println!("{ours} {}, {raw} {}: {ratio:.2}", micros(took), micros(raw_took));
        Ok(())
    }

    fn open(&self, at: usize, flags: OFlags) -> Done<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(openat(&self.raw, &*self.names[at], flags, Mode::empty())?)
    }

    fn in_place(&mut self, at: usize, bytes: &[u8], offset: u64, lock: bool) -> Done {
        let file = self.open(at, OFlags::RDWR)?;
        if lock {
            flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            fstat(&file)?;
        }
        pread(&file, &mut [0; 4096], 0)?;
        pwrite(&file, bytes, offset)?;
        Ok(())
    }

    fn synced(&mut self, at: usize) -> Done {
        let file = self.open(at, OFlags::RDWR)?;
        pwrite(&file, &WRITTEN, 128)?;
        fdatasync(&file)?;
        Ok(())
    }

    fn rename(&mut self, at: usize) -> Done {
        let made = format!("{}.new", self.names[at]);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&self.raw, &*made, flags, Mode::RUSR | Mode::WUSR)?;
        pwrite(&file, &WRITTEN, 0)?;
        renameat(&self.raw, &*made, &self.raw, &*self.names[at])?;
        Ok(())
    }

    fn put(&mut self, at: usize) -> Done {
        let (id, version) = self.live[at];
        put(&self.manager, id, version + 1, Expect::Version(Version::new(version)))?;
        self.live[at].1 += 1;
        Ok(())
    }

    fn touch(&mut self, at: usize) -> Done {
        let (id, version) = self.live[at];
        let _ = block_on(self.manager.touch(&id, Version::new(version), Timestamp::MAX))?;
        Ok(())
    }
}

fn store(
    path: &std::path::Path,
    count: usize,
    durability: Durability,
) -> Done<(FileBackedSessionManager, Vec<(SessionId, u64)>)> {
    let config = FsConfig::new(path).durability(durability).without_background_sweep();
    let manager = FileBackedSessionManager::with_config(&config)?;
    let mut live = Vec::new();
    for _ in 0..count {
        let id = records::new_id();
        put(&manager, id, 1, Expect::Absent)?;
        put(&manager, id, 2, Expect::Version(Version::FIRST))?;
        live.push((id, 2));
    }
    Ok((manager, live))
}

fn put(manager: &FileBackedSessionManager, id: SessionId, version: u64, expect: Expect) -> Done {
    let record = records::record(id, version, Timestamp::MAX, &[7; BODY]);
    let _ = block_on(manager.put(&record, expect))?;
    Ok(())
}

fn name(id: &SessionId) -> String {
    let mut buffer = [0; SessionId::TEXT_BYTES];
    let name = id.encode(&mut buffer);
    format!("{}/{name}", &name[..3])
}

fn micros(time: Duration) -> String {
    format!("{:.2} us", time.as_secs_f64() * 1e6)
}
