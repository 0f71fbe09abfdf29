//! Writers that wait for a lock.

use std::{
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::{
    LockHarness,
    subject::{IDLE, assert_absent, created, record},
};
use crate::{Expect, Outcome, SessionManager, Version};

/// How often the writer is let go first, before the clock moves.
const PATIENCE: usize = 50_000;

/// A writer that had to wait goes by the time when it is its turn: what expired meanwhile, and was
/// seen to be absent, does not come back.
pub fn a_writer_that_waited_looks_at_the_clock_then<H: LockHarness>() {
    for verb in ["touch", "put"] {
        let h = H::start();
        let id = *h.block_on(created(&h, b"about to expire")).id();
        let lock = h.hold(&id);
        let later = h.now().saturating_add(IDLE * 2);
        let second = record(&h, id, 2, b"too late");
        let has_polled = AtomicBool::new(false);
        let outcome = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut call = pin!(async {
                    match verb {
                        "touch" => h.manager().touch(&id, Version::FIRST, later).await,
                        _ => h.manager().put(&second, Expect::Version(Version::FIRST)).await,
                    }
                });
                h.block_on(std::future::poll_fn(|context| {
                    let polled = call.as_mut().poll(context);
                    has_polled.store(true, Ordering::SeqCst);
                    polled
                }))
            });
            // A writer that does not block waits once it was polled. Whether one that blocks, here or
            // on another thread, waits by now cannot be seen; if not, this fails nothing.
            let mut turns = 0;
            while turns < PATIENCE {
                turns += if has_polled.load(Ordering::SeqCst) { 20 } else { 1 };
                thread::yield_now();
            }
            assert!(!writer.is_finished(), "a {verb} takes place while the lock is held");
            h.advance(IDLE);
            drop(lock);
            writer.join().expect("the writer panicked")
        });
        assert_eq!(outcome.expect(verb), Outcome::Gone, "a {verb} whose turn came too late");
        h.block_on(assert_absent(&h, &id, "expired while a writer waited"));
    }
}
