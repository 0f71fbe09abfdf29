//! A file system that is frozen.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    task::{Context, Waker},
    thread,
    time::Duration,
};

use session_core::{Expect, SessionManager, Timestamp, Version};
use session_fs::Durability;

use crate::{
    Done, Scenario,
    mounts::{EXT4, Mounted},
    records,
    visit::{block_on, expect, made, open, shell, stored},
};

const WORKERS: usize = 8;
/// Of the requests of one thread.
const PACE: Duration = Duration::from_millis(40);

#[expect(
    clippy::disallowed_methods,
    reason = "requests come at a pace, and a freeze lasts a while"
)]
fn pass(time: Duration) {
    thread::sleep(time);
}

/// Thaws what is frozen, whatever becomes of the test.
struct Frozen<'a>(&'a Path);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let _ = shell(&format!("fsfreeze -u {}", self.0.display()));
    }
}

/// Threads that write a session now and then and do something else in between; how many of them
/// stand still while the file system does.
fn held_up(mount: &Path) -> Done<usize> {
    let manager = open(&mount.join("sessions"), Durability::Buffered)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    let ids: Vec<_> = (0..WORKERS).map(|_| records::new_id()).collect();
    for id in &ids {
        stored(block_on(manager.put(&made(*id, 1, None, 200), Expect::Absent)))?;
    }
    let turns: Vec<AtomicU64> = ids.iter().map(|_| AtomicU64::new(0)).collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for ((id, turns), number) in ids.iter().zip(&turns).zip(0..) {
            let (manager, runtime, done) = (&manager, &runtime, &done);
            scope.spawn(move || {
                let _context = runtime.enter();
                // Each in its turn, and not all within a millisecond.
                pass(PACE * number / 8);
                while !done.load(Ordering::SeqCst) {
                    let end = Timestamp::from_millis(4_000_000_000_000);
                    let mut touch = manager.touch(id, Version::FIRST, end);
                    // One that hops is left to itself.
                    let _ = touch.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                    turns.fetch_add(1, Ordering::SeqCst);
                    pass(PACE);
                }
            });
        }
        let count = || turns.iter().map(|turns| turns.load(Ordering::SeqCst)).collect::<Vec<_>>();
        pass(Duration::from_millis(300));
        let frozen = shell(&format!("fsfreeze -f {}", mount.display())).map(|_| Frozen(mount));
        pass(Duration::from_millis(500));
        let before = count();
        pass(Duration::from_secs(1));
        let after = count();
        drop(frozen?);
        done.store(true, Ordering::SeqCst);
        Ok(before.iter().zip(&after).filter(|(before, after)| before == after).count())
    })
}

pub(crate) const FREEZE: &[Scenario] = &[(
    "a freeze holds up the threads that began to write in its first millisecond, and no others",
    |folder| {
        let mounted = Mounted::in_file(folder, 64, EXT4)?;
        let held = held_up(&mounted.0)?;
        println!("freeze: {held} of {WORKERS} threads were held up");
        expect(held < WORKERS / 2, &format!("{held} of {WORKERS} threads were held up"))
    },
)];
