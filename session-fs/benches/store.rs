//! Each verb beside the system calls it cannot do without, which are spelled out here.
//!
//! `cargo bench -p session-fs`
//!
//! Those of a group are run in turn, one of each at a time, and each is reported with its own time:
//! what disturbs the machine disturbs all of them. After each group come the ratios of the medians
//! over all turns.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reports on its standard output and fails by panicking"
)]

#[path = "../examples/harness/mod.rs"]
mod harness;
#[path = "../tests/support/mod.rs"]
mod records;

use std::{
    hint::black_box,
    os::fd::OwnedFd,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use rustix::{
    fs::{
        AtFlags, FlockOperation, Mode, OFlags, fdatasync, flock, fstat, openat, renameat, statat,
    },
    io::{pread, pwrite, read},
};
use session_core::{
    Expect, Outcome, ProbeVersions, Record, SessionId, SessionManager, Timestamp, Version,
};
use session_fs::{Durability, FileBackedSessionManager, FsConfig};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use self::harness::{Random, block_on};

const BODY: usize = 200;
/// In 2096: an end that the date of a file can say.
const END: Timestamp = Timestamp::from_millis(4_000_000_000_000);
/// What a put writes: the head of a slot, the header and the seal of a record, and the body.
const WRITTEN: [u8; 16 + 112 + BODY] = [7; 16 + 112 + BODY];

/// A store, and a second one whose files are written to without it. All sessions are in their
/// second version, so that both slots are in use.
struct World {
    manager: FileBackedSessionManager,
    live: Vec<(SessionId, u64)>,
    /// The next version of the session whose turn it is.
    next: Arc<Record>,
    raw: OwnedFd,
    names: Vec<String>,
    random: Random,
    runtime: Runtime,
    _folders: [TempDir; 2],
}

/// Does its work on the session at a place.
type Contestant = (&'static str, fn(&mut World, usize));

impl World {
    fn new(count: usize, durability: Durability) -> Self {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let [(manager, live), (_, other)] =
            folders.each_ref().map(|folder| store(folder, count, durability));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let raw = rustix::fs::open(folders[1].path().join("records"), flags, Mode::empty());
        Self {
            manager,
            next: records::record(live[0].0, 3, END, &[7; BODY]),
            live,
            raw: raw.unwrap(),
            names: other.iter().map(|(id, _)| name(id)).collect(),
            random: Random::new(1),
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap(),
            _folders: folders,
        }
    }

    /// Lets all `contestants` run in turn, each on a session at random. The last one is ours.
    fn compare(&mut self, c: &mut Criterion, title: &str, contestants: &[Contestant]) {
        let mut group = c.benchmark_group(title);
        let mut times = vec![Vec::new(); contestants.len()];
        for (number, (name, _)) in contestants.iter().enumerate() {
            group.bench_function(*name, |b| {
                b.iter_custom(|turns| {
                    let mut took = Duration::ZERO;
                    for _ in 0..turns {
                        let turn = self.turn(contestants);
                        took += turn[number];
                        times.iter_mut().zip(turn).for_each(|(times, time)| times.push(time));
                    }
                    took
                });
            });
        }
        group.finish();
        let medians: Vec<_> = times.into_iter().map(median).collect();
        // A name on the command line may have left all of them out.
        let Some((ours, raw)) = medians.split_last().filter(|(ours, _)| !ours.is_zero()) else {
            return;
        };
        for (raw, (name, _)) in raw.iter().zip(contestants) {
            let ratio = ours.as_secs_f64() / raw.as_secs_f64();
            println!("{title}: {ours:.2?}; {name}: {raw:.2?}; ratio {ratio:.2}");
        }
    }

    fn turn(&mut self, contestants: &[Contestant]) -> Vec<Duration> {
        let timed = |(_, run): &Contestant| {
            let at = usize::try_from(self.random.below(self.live.len() as u64)).unwrap();
            let (id, version) = self.live[at];
            self.next = records::record(id, version + 1, END, &[7; BODY]);
            let started = Instant::now();
            run(self, at);
            started.elapsed()
        };
        contestants.iter().map(timed).collect()
    }

    fn open(&self, at: usize, flags: OFlags) -> OwnedFd {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        openat(&self.raw, &*self.names[at], flags, Mode::empty()).unwrap()
    }

    /// The write in place that the format asks for. Which slot is the older one has to be read.
    fn in_place(&self, at: usize, bytes: &[u8], offset: u64, lock: Lock) {
        let file = self.open(at, OFlags::RDWR);
        if lock == Lock::Flock {
            flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
            fstat(&file).unwrap();
        }
        pread(&file, &mut [0; 4096], 0).unwrap();
        pwrite(&file, bytes, offset).unwrap();
    }

    fn get(&mut self, at: usize) {
        black_box(block_on(self.manager.get(&self.live[at].0)).unwrap().unwrap());
    }

    fn probe(&mut self, at: usize) {
        black_box(block_on(self.manager.probe(&self.live[at].0)).unwrap().unwrap());
    }

    fn put(&mut self, at: usize) {
        let (_, version) = &mut self.live[at];
        let expect = Expect::Version(Version::new(*version));
        assert_eq!(block_on(self.manager.put(&self.next, expect)).unwrap(), Outcome::Stored);
        *version += 1;
    }

    fn touch(&mut self, at: usize) {
        let (id, version) = self.live[at];
        let touched = self.manager.touch(&id, Version::new(version), END);
        assert_eq!(block_on(touched).unwrap(), Outcome::Stored);
    }
}

/// Whether the raw write takes the lock that two processes on one folder need.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Lock {
    None,
    Flock,
}

fn store(
    folder: &TempDir,
    count: usize,
    durability: Durability,
) -> (FileBackedSessionManager, Vec<(SessionId, u64)>) {
    let config = FsConfig::new(folder.path()).durability(durability).without_background_sweep();
    let manager = FileBackedSessionManager::with_config(&config).unwrap();
    let live = (0..count).map(|_| {
        let id = records::new_id();
        for (version, expect) in [(1, Expect::Absent), (2, Expect::Version(Version::FIRST))] {
            let record = records::record(id, version, END, &[7; BODY]);
            assert_eq!(block_on(manager.put(&record, expect)).expect("put"), Outcome::Stored);
        }
        (id, 2)
    });
    let live = live.collect();
    (manager, live)
}

fn name(id: &SessionId) -> String {
    let mut buffer = [0; SessionId::TEXT_BYTES];
    let name = id.encode(&mut buffer);
    format!("{}/{name}", &name[..3])
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn get(c: &mut Criterion) {
    let raw: Contestant = ("raw: openat, read, close", |world, at| {
        read(world.open(at, OFlags::RDONLY), &mut [0; 4096]).unwrap();
    });
    World::new(500, Durability::Buffered).compare(c, "get", &[raw, ("get", World::get)]);
}

fn probe(c: &mut Criterion) {
    let raw: Contestant = ("raw: fstatat", |world, at| {
        black_box(statat(&world.raw, &*world.names[at], AtFlags::SYMLINK_NOFOLLOW).unwrap());
    });
    let mut world = World::new(500, Durability::Buffered);
    // Until nothing was changed a moment ago, and every session is known.
    for _ in 0..3 {
        (0..world.live.len()).for_each(|at| world.probe(at));
    }
    world.compare(c, "probe", &[raw, ("probe", World::probe)]);
}

fn put(c: &mut Criterion) {
    let mut world = World::new(500, Durability::Buffered);
    let put: Contestant = ("put", World::put);
    let bare: Contestant = ("raw: openat, pread, pwrite, close", |world, at| {
        world.in_place(at, &WRITTEN, 128, Lock::None);
    });
    let locked: Contestant = ("raw: openat, flock, fstat, pread, pwrite, close", |world, at| {
        world.in_place(at, &WRITTEN, 128, Lock::Flock);
    });
    world.compare(c, "put", &[bare, locked, put]);
    let hop: Contestant = ("a hop to another thread that does nothing", |world, _| {
        world.runtime.block_on(async { tokio::task::spawn_blocking(|| ()).await }).unwrap();
    });
    world.compare(c, "put or hop", &[hop, put]);
    let rename: Contestant = ("raw: openat of a new file, pwrite, close, renameat", |world, at| {
        let name = &world.names[at];
        let made = format!("{name}.new");
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&world.raw, &*made, flags, Mode::RUSR | Mode::WUSR).unwrap();
        pwrite(&file, &WRITTEN, 0).unwrap();
        drop(file);
        renameat(&world.raw, &*made, &world.raw, &**name).unwrap();
    });
    world.compare(c, "put or replace", &[rename, put]);
}

fn touch(c: &mut Criterion) {
    let bare: Contestant = ("raw: openat, pread, pwrite of 28 bytes, close", |world, at| {
        world.in_place(at, &WRITTEN[..28], 32, Lock::None);
    });
    let locked: Contestant = ("raw: openat, flock, fstat, pread, pwrite, close", |world, at| {
        world.in_place(at, &WRITTEN[..28], 32, Lock::Flock);
    });
    let mut world = World::new(500, Durability::Buffered);
    world.compare(c, "touch", &[bare, locked, ("touch", World::touch)]);
}

fn synced(c: &mut Criterion) {
    let mut world = World::new(100, Durability::Synced);
    let raw: Contestant = ("raw: openat, pwrite, fdatasync, close", |world, at| {
        let file = world.open(at, OFlags::RDWR);
        pwrite(&file, &WRITTEN, 128).unwrap();
        fdatasync(&file).unwrap();
    });
    world.compare(c, "synced put", &[raw, ("put", World::put)]);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .sample_size(40);
    targets = get, probe, put, touch, synced
}
criterion_main!(benches);
