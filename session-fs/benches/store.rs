//! Each verb beside the system calls it cannot do without, which are spelled out here.
//!
//! `cargo bench -p session-fs`

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a bench fails by panicking")]

#[path = "../examples/harness/mod.rs"]
mod harness;
#[path = "../tests/support/mod.rs"]
mod records;

use std::{
    hint::black_box,
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use rustix::{
    fs::{FlockOperation, Mode, OFlags, fdatasync, flock, fstat, openat, renameat},
    io::{pread, pwrite, read},
};
use session_core::{Expect, Outcome, SessionId, SessionManager, Timestamp, Version};
use session_fs::{Durability, FileBackedSessionManager, FsConfig};
use tempfile::TempDir;

use self::harness::{Random, block_on};

const SESSIONS: usize = 2_000;
const BODY: usize = 200;
/// What a put writes: the head of a slot, the header and the seal of a record, and the body.
const WRITTEN: [u8; 16 + 112 + BODY] = [7; 16 + 112 + BODY];

/// A store of sessions in their second version, so that both slots are in use.
struct Sessions {
    manager: FileBackedSessionManager,
    records: OwnedFd,
    live: Vec<(SessionId, u64)>,
    names: Vec<String>,
    random: Random,
    _folder: TempDir,
}

impl Sessions {
    fn new(count: usize, durability: Durability) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = FsConfig::new(folder.path()).without_background_sweep();
        let buffered = FileBackedSessionManager::with_config(&config).unwrap();
        let mut live = Vec::with_capacity(count);
        for _ in 0..count {
            let id = records::new_id();
            put(&buffered, id, 1, Expect::Absent);
            put(&buffered, id, 2, Expect::Version(Version::FIRST));
            live.push((id, 2));
        }
        let names = live.iter().map(|(id, _)| name(id)).collect();
        let manager =
            FileBackedSessionManager::with_config(&config.durability(durability)).unwrap();
        let records = folder_at(&folder.path().join("records"));
        Self { manager, records, live, names, random: Random::new(1), _folder: folder }
    }

    fn any(&mut self) -> usize {
        usize::try_from(self.random.below(self.live.len() as u64)).unwrap()
    }

    fn open(&self, at: usize, flags: OFlags) -> OwnedFd {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        openat(&self.records, &*self.names[at], flags, Mode::empty()).unwrap()
    }

    /// Puts the next version of the session at `at`.
    fn put(&mut self, at: usize) {
        let (id, version) = self.live[at];
        put(&self.manager, id, version + 1, Expect::Version(Version::new(version)));
        self.live[at].1 += 1;
    }
}

fn put(manager: &FileBackedSessionManager, id: SessionId, version: u64, expect: Expect) {
    let record = records::record(id, version, Timestamp::MAX, &[7; BODY]);
    assert_eq!(block_on(manager.put(&record, expect)).expect("put"), Outcome::Stored);
}

fn name(id: &SessionId) -> String {
    let mut buffer = [0; SessionId::TEXT_BYTES];
    let name = id.encode(&mut buffer);
    format!("{}/{name}", &name[..3])
}

fn folder_at(path: &Path) -> OwnedFd {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
}

fn get(c: &mut Criterion) {
    let mut sessions = Sessions::new(SESSIONS, Durability::Buffered);
    let mut group = c.benchmark_group("get");
    group.bench_function("raw: openat, read, close", |b| {
        let mut buffer = [0; 4096];
        b.iter(|| {
            let at = sessions.any();
            read(sessions.open(at, OFlags::RDONLY), &mut buffer).unwrap()
        });
    });
    group.bench_function("get", |b| {
        b.iter(|| {
            let at = sessions.any();
            let id = sessions.live[at].0;
            black_box(block_on(sessions.manager.get(&id)).unwrap().unwrap())
        });
    });
    group.bench_function("exists", |b| {
        b.iter(|| {
            let at = sessions.any();
            let id = sessions.live[at].0;
            block_on(sessions.manager.exists(&id)).unwrap()
        });
    });
    group.bench_function("get of nothing", |b| {
        let id = records::new_id();
        b.iter(|| block_on(sessions.manager.get(&id)).unwrap().is_none());
    });
    group.finish();
}

/// Whether the raw write takes the lock that two processes on one folder need.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Lock {
    None,
    Flock,
}

/// The write in place that the format asks for. Which slot is the older one has to be read.
fn in_place(group: &mut BenchmarkGroup<'_, WallTime>, raw: &mut Sessions, title: &str, lock: Lock) {
    let mut buffer = [0; 4096];
    group.bench_function(title, |b| {
        b.iter(|| {
            let at = raw.any();
            let file = raw.open(at, OFlags::RDWR);
            if lock == Lock::Flock {
                flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
                fstat(&file).unwrap();
            }
            pread(&file, &mut buffer, 0).unwrap();
            pwrite(&file, &WRITTEN, 128).unwrap()
        });
    });
}

fn put_and_touch(c: &mut Criterion) {
    let mut sessions = Sessions::new(SESSIONS, Durability::Buffered);
    let mut raw = Sessions::new(SESSIONS, Durability::Buffered);
    let mut group = c.benchmark_group("put");
    in_place(&mut group, &mut raw, "raw: openat, pread, pwrite, close", Lock::None);
    in_place(&mut group, &mut raw, "raw: openat, flock, fstat, pread, pwrite, close", Lock::Flock);
    group.bench_function("raw: temporary file, rename", |b| {
        b.iter(|| {
            let at = raw.any();
            let name = &raw.names[at];
            let made = format!("{name}.new");
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let file = openat(&raw.records, &*made, flags, Mode::RUSR | Mode::WUSR).unwrap();
            pwrite(&file, &WRITTEN, 0).unwrap();
            renameat(&raw.records, &*made, &raw.records, &**name).unwrap();
        });
    });
    group.bench_function("put", |b| {
        b.iter(|| {
            let at = sessions.any();
            sessions.put(at);
        });
    });
    group.finish();

    let mut raw = Sessions::new(SESSIONS, Durability::Buffered);
    let mut group = c.benchmark_group("touch");
    let mut buffer = [0; 4096];
    for lock in [Lock::None, Lock::Flock] {
        let title = match lock {
            Lock::None => "raw: openat, pread, pwrite of 28 bytes, close",
            Lock::Flock => "raw: openat, flock, fstat, pread, pwrite of 28 bytes, close",
        };
        group.bench_function(title, |b| {
            b.iter(|| {
                let at = raw.any();
                let file = raw.open(at, OFlags::RDWR);
                if lock == Lock::Flock {
                    flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
                    fstat(&file).unwrap();
                }
                pread(&file, &mut buffer, 0).unwrap();
                pwrite(&file, &WRITTEN[..28], 32).unwrap()
            });
        });
    }
    group.bench_function("touch", |b| {
        b.iter(|| {
            let at = sessions.any();
            let (id, version) = sessions.live[at];
            let touched = sessions.manager.touch(&id, Version::new(version), Timestamp::MAX);
            assert_eq!(block_on(touched).unwrap(), Outcome::Stored);
        });
    });
    group.finish();
}

fn synced(c: &mut Criterion) {
    let mut sessions = Sessions::new(200, Durability::Synced);
    for at in 0..200 {
        sessions.put(at);
    }
    let mut raw = Sessions::new(200, Durability::Synced);
    let mut group = c.benchmark_group("synced put");
    group.bench_function("raw: openat, pread, pwrite, fdatasync, close", |b| {
        let mut buffer = [0; 4096];
        b.iter(|| {
            let at = raw.any();
            let file = raw.open(at, OFlags::RDWR);
            pread(&file, &mut buffer, 0).unwrap();
            pwrite(&file, &WRITTEN, 128).unwrap();
            fdatasync(file.as_fd()).unwrap();
        });
    });
    group.bench_function("put", |b| {
        b.iter(|| {
            let at = sessions.any();
            sessions.put(at);
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_secs(2))
        .sample_size(40);
    targets = get, put_and_touch, synced
}
criterion_main!(benches);
