//! Waiting, without a runtime: the manager has its own.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs `future` to its end; may be nested.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park();
    }
}

/// Waits until `happened` returns something, for half a minute at most.
pub(crate) fn until<T>(what: &str, mut happened: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        if let Some(found) = happened() {
            return found;
        }
        a_moment();
    }
    panic!("{what}: not within half a minute");
}

/// Gives the other processes time before they are asked again.
pub(crate) fn a_moment() {
    #[expect(
        clippy::disallowed_methods,
        reason = "another process does not say what it has done: it is asked again"
    )]
    thread::park_timeout(Duration::from_millis(10));
}
