//! One call to the parent for many waiters.

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use session_core::Result;

use crate::{
    error::SharedError,
    sync::{Mutex, lock},
};

/// A request joins no call that began longer ago than this.
///
/// One call to a parent that hangs must not hold up every request after it. With a parent that is
/// only slow, requests share one call in each such time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// The call itself.
pub(crate) type Call<T> = Pin<Box<dyn Future<Output = SharedResult<T>> + Send>>;

/// How a call ended, for each waiter.
pub(crate) type SharedResult<T> = Result<T, SharedError>;

/// A call that any number of requests wait for, and that each of them drives on.
///
/// There is no leader among the waiters: the call belongs to all of them, so it goes on when the
/// request that began it is dropped, or is not polled. When the last waiter is dropped, so is the
/// call.
pub(crate) struct SharedCall<T> {
    state: Mutex<CallState<T>>,
}

struct CallState<T> {
    stage: Stage<T>,
    /// The wakers of the waiters, by slot. A slot stays taken until its waiter leaves.
    slots: Vec<Option<Waker>>,
    /// How many slots are taken.
    waiters: usize,
}

enum Stage<T> {
    /// No waiter is polling the call.
    Idle(Call<T>),
    /// A waiter is polling it. `woken`: it is to be polled once more.
    Polled { woken: bool },
    /// It ended.
    Ended(SharedResult<T>),
    /// The last waiter left before it ended.
    Abandoned,
}

impl<T> SharedCall<T> {
    /// A call, and its first waiter.
    pub(crate) fn new(call: Call<T>) -> (Arc<Self>, Waiter<T>) {
        let state = CallState { stage: Stage::Idle(call), slots: vec![None], waiters: 1 };
        let call = Arc::new(Self { state: Mutex::new(state) });
        (Arc::clone(&call), Waiter { call, slot: 0 })
    }

    /// One more waiter, unless the call was abandoned.
    pub(crate) fn join(self: &Arc<Self>) -> Option<Waiter<T>> {
        let mut state = lock(&self.state);
        if matches!(state.stage, Stage::Abandoned) {
            return None;
        }
        state.waiters += 1;
        state.slots.push(None);
        let slot = state.slots.len() - 1;
        Some(Waiter { call: Arc::clone(self), slot })
    }
}

impl<T: Send + 'static> Wake for SharedCall<T> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        if let Stage::Polled { woken } = &mut state.stage {
            // The waiter that polls it now wakes the others afterwards.
            *woken = true;
            return;
        }
        let wakers = state.take_wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<T> CallState<T> {
    fn take_wakers(&mut self) -> Vec<Waker> {
        self.slots.iter_mut().filter_map(Option::take).collect()
    }
}

impl<T> fmt::Debug for SharedCall<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedCall(..)")
    }
}

/// One request that waits for a call to end.
#[derive(Debug)]
pub(crate) struct Waiter<T> {
    call: Arc<SharedCall<T>>,
    slot: usize,
}

impl<T: Clone + Send + 'static> Future for Waiter<T> {
    type Output = SharedResult<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<SharedResult<T>> {
        let mut call = {
            let mut state = lock(&self.call.state);
            if let Stage::Ended(result) = &state.stage {
                return Poll::Ready(result.clone());
            }
            let slot = self.slot;
            state.slots[slot] = Some(context.waker().clone());
            match mem::replace(&mut state.stage, Stage::Polled { woken: false }) {
                Stage::Idle(call) => call,
                other => {
                    state.stage = other;
                    return Poll::Pending;
                }
            }
        };
        // From here until the call is put back or has ended, no other waiter drives it: if it
        // panics, `polling` wakes the others, who find an error.
        let polling = Polling { call: &self.call };
        let waker = Waker::from(Arc::clone(&self.call));
        let polled = call.as_mut().poll(&mut Context::from_waker(&waker));
        polling.end(match &polled {
            Poll::Ready(result) => Stage::Ended(result.clone()),
            Poll::Pending => Stage::Idle(call),
        });
        polled
    }
}

impl<T> Drop for Waiter<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.call.state);
        state.slots[self.slot] = None;
        state.waiters -= 1;
        let abandoned = state.waiters == 0 && matches!(state.stage, Stage::Idle(_));
        let call = abandoned.then(|| mem::replace(&mut state.stage, Stage::Abandoned));
        drop(state);
        // What the call holds is dropped without the lock.
        drop(call);
    }
}

/// Marks that a call is being polled, and sets its next stage.
struct Polling<'a, T> {
    call: &'a SharedCall<T>,
}

impl<T> Polling<'_, T> {
    fn end(self, stage: Stage<T>) {
        self.set(stage);
        mem::forget(self);
    }

    fn set(&self, now: Stage<T>) {
        let mut state = lock(&self.call.state);
        let woken = matches!(state.stage, Stage::Polled { woken: true });
        let wakers = match &now {
            Stage::Idle(_) if !woken => Vec::new(),
            _ => state.take_wakers(),
        };
        state.stage = now;
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<T> Drop for Polling<'_, T> {
    /// The call panicked.
    fn drop(&mut self) {
        self.set(Stage::Ended(Err(SharedError::panicked())));
    }
}
