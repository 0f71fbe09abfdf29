//! Writers that wait for a lock.

use std::thread;

use super::{
    LockHarness,
    subject::{IDLE, assert_absent, created, record},
};
use crate::{Expect, Outcome, SessionManager, Version};

/// How often the others are let go first, before the clock moves.
const PATIENCE: usize = 200;

/// A writer that had to wait goes by the time when it is its turn: what expired meanwhile, and was
/// seen to be absent, does not come back.
pub fn a_writer_that_waited_looks_at_the_clock_then<H: LockHarness>() {
    for verb in ["touch", "put"] {
        let h = H::start();
        let id = *h.block_on(created(&h, b"about to expire")).id();
        let lock = h.hold(&id);
        let later = h.now().saturating_add(IDLE * 2);
        let second = record(&h, id, 2, b"too late");
        let outcome = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                h.block_on(async {
                    match verb {
                        "touch" => h.manager().touch(&id, Version::FIRST, later).await,
                        _ => h.manager().put(&second, Expect::Version(Version::FIRST)).await,
                    }
                })
            });
            // Whether it waits by now cannot be seen; if not, this shows nothing and fails nothing.
            for _ in 0..PATIENCE {
                h.wait();
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
