//! How long a verb holds the thread it is polled on, idle and while the disk is busy writing back:
//! the longest poll of each call, of records of several sizes.
//!
//! `cargo run --release -p session-fs --example tail -- --rounds 20000`

#![expect(clippy::print_stdout, reason = "a harness reports on its standard output")]

#[path = "harness/mod.rs"]
mod harness;
#[path = "../tests/support/mod.rs"]
mod records;

use std::{
    fs::File,
    future::poll_fn,
    io::Write,
    path::Path,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use session_core::{Expect, SessionId, SessionManager, Timestamp, Version};
use session_fs::FileBackedSessionManager;

use self::harness::{Random, open, value_of};

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

const SIZES: [usize; 4] = [200, 1_500, 16_000, 100_000];
const SESSIONS: usize = 200;

fn main() -> Done {
    let rounds = value_of("--rounds", 2_000)?;
    let folder = tempfile::Builder::new().prefix("session-fs-tail").tempdir()?;
    let manager = open(&folder.path().join("sessions"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    for load in ["idle", "writing back"] {
        let stop = AtomicBool::new(load == "idle");
        thread::scope(|scope| {
            let writing = scope.spawn(|| write_back(&folder.path().join("load"), &stop));
            let measured = SIZES.into_iter().try_for_each(|size| {
                runtime.block_on(measure(&manager, size, rounds, load)).map_err(|e| e.to_string())
            });
            stop.store(true, Ordering::Relaxed);
            let written = writing.join().map_err(|_| "the load panicked")?;
            measured?;
            Ok::<_, Box<dyn std::error::Error>>(written?)
        })?;
    }
    Ok(())
}

/// Keeps the disk as busy as one writer can.
fn write_back(path: &Path, stop: &AtomicBool) -> std::io::Result<()> {
    let chunk = vec![7; 1 << 20];
    while !stop.load(Ordering::Relaxed) {
        let mut file = File::create(path)?;
        for _ in 0..256 {
            file.write_all(&chunk)?;
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        file.sync_data()?;
    }
    Ok(())
}

async fn measure(
    manager: &FileBackedSessionManager,
    size: usize,
    rounds: usize,
    load: &str,
) -> Done {
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let id = records::new_id();
        let record = records::record(id, 1, Timestamp::MAX, &vec![7; size]);
        let _ = manager.put(&record, Expect::Absent).await?;
        sessions.push((id, 1));
    }
    let mut random = Random::new(1);
    let mut polls = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..rounds {
        let (id, version): &mut (SessionId, u64) =
            &mut sessions[usize::try_from(random.below(SESSIONS as u64))?];
        let (got, poll) = longest(manager.get(id)).await;
        got?.ok_or("absent")?;
        polls[0].push(poll);
        let record = records::record(*id, *version + 1, Timestamp::MAX, &vec![7; size]);
        let over = Expect::Version(Version::new(*version));
        let (put, poll) = longest(manager.put(&record, over)).await;
        let _ = put?;
        polls[1].push(poll);
        *version += 1;
        let touch = manager.touch(id, Version::new(*version), Timestamp::MAX);
        let (touched, poll) = longest(touch).await;
        let _ = touched?;
        polls[2].push(poll);
    }
    for (verb, mut polls) in ["get", "put", "touch"].into_iter().zip(polls) {
        polls.sort_unstable();
        let at = |per_mille: usize| micros(polls[(polls.len() - 1) * per_mille / 1_000]);
        println!(
            "{load}, {size} bytes, {verb}: median {}, 99 % {}, 99.9 % {}, longest {}",
            at(500),
            at(990),
            at(999),
            at(1_000)
        );
    }
    Ok(())
}

/// What a future answers, and the longest of its polls.
async fn longest<F: Future>(future: F) -> (F::Output, Duration) {
    let mut future = pin!(future);
    let mut longest = Duration::ZERO;
    let output = poll_fn(|context| {
        let started = Instant::now();
        let polled = future.as_mut().poll(context);
        longest = longest.max(started.elapsed());
        polled
    })
    .await;
    (output, longest)
}

fn micros(time: Duration) -> String {
    format!("{:.0} us", time.as_secs_f64() * 1e6)
}
