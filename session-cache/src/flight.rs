//! One call to the parent for many waiters.

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use session_core::Result;

use crate::{
    error::SharedError,
    sync::{Mutex, lock},
};

/// The call that a flight makes.
pub(crate) type Call<T> = Pin<Box<dyn Future<Output = Landed<T>> + Send>>;

/// How a call ended, for each who waited.
pub(crate) type Landed<T> = Result<T, SharedError>;

/// A call that any number of requests wait for, and that each of them drives on.
///
/// There is no leader among the waiters: the call belongs to all of them, so it goes on when the
/// one who began it is dropped, or is not polled. When the last one is dropped, so is the call.
pub(crate) struct Flight<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    stage: Stage<T>,
    /// The wakers of those who wait, by seat. A seat stays taken until its owner leaves.
    seats: Vec<Option<Waker>>,
    /// How many seats are taken.
    aboard: usize,
}

enum Stage<T> {
    /// Nobody is polling the call.
    Calling(Call<T>),
    /// Somebody is polling it. `woken`: it is to be polled once more.
    Polled { woken: bool },
    /// It ended.
    Landed(Landed<T>),
    /// The last one who waited left before it ended.
    Abandoned,
}

impl<T> Flight<T> {
    /// A flight, and the first who waits for it.
    pub(crate) fn new(call: Call<T>) -> (Arc<Self>, Passenger<T>) {
        let state = State { stage: Stage::Calling(call), seats: vec![None], aboard: 1 };
        let flight = Arc::new(Self { state: Mutex::new(state) });
        (Arc::clone(&flight), Passenger { flight, seat: 0 })
    }

    /// Takes a seat, unless the flight was abandoned.
    pub(crate) fn board(self: &Arc<Self>) -> Option<Passenger<T>> {
        let mut state = lock(&self.state);
        if matches!(state.stage, Stage::Abandoned) {
            return None;
        }
        state.aboard += 1;
        state.seats.push(None);
        let seat = state.seats.len() - 1;
        Some(Passenger { flight: Arc::clone(self), seat })
    }
}

impl<T: Send + 'static> Wake for Flight<T> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        if let Stage::Polled { woken } = &mut state.stage {
            // Whoever polls it now wakes the others when it is back.
            *woken = true;
            return;
        }
        let wakers = state.take_wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<T> State<T> {
    fn take_wakers(&mut self) -> Vec<Waker> {
        self.seats.iter_mut().filter_map(Option::take).collect()
    }
}

impl<T> fmt::Debug for Flight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flight(..)")
    }
}

/// One who waits for a flight to land.
#[derive(Debug)]
pub(crate) struct Passenger<T> {
    flight: Arc<Flight<T>>,
    seat: usize,
}

impl<T: Clone + Send + 'static> Future for Passenger<T> {
    type Output = Landed<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Landed<T>> {
        let mut call = {
            let mut state = lock(&self.flight.state);
            if let Stage::Landed(landed) = &state.stage {
                return Poll::Ready(landed.clone());
            }
            let seat = self.seat;
            state.seats[seat] = Some(context.waker().clone());
            match mem::replace(&mut state.stage, Stage::Polled { woken: false }) {
                Stage::Calling(call) => call,
                other => {
                    state.stage = other;
                    return Poll::Pending;
                }
            }
        };
        // From here until the call is put back or has landed, the flight has nobody else who drives
        // it: if the call panics, `polling` wakes the others, who find nothing to wait for.
        let polling = Polling { flight: &self.flight };
        let waker = Waker::from(Arc::clone(&self.flight));
        let polled = call.as_mut().poll(&mut Context::from_waker(&waker));
        polling.end(match &polled {
            Poll::Ready(landed) => Stage::Landed(landed.clone()),
            Poll::Pending => Stage::Calling(call),
        });
        polled
    }
}

impl<T> Drop for Passenger<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.flight.state);
        state.seats[self.seat] = None;
        state.aboard -= 1;
        let abandoned = state.aboard == 0 && matches!(state.stage, Stage::Calling(_));
        let call = abandoned.then(|| mem::replace(&mut state.stage, Stage::Abandoned));
        drop(state);
        // What the call holds is let go of without the lock.
        drop(call);
    }
}

/// Marks that a call is being polled, and what becomes of it.
struct Polling<'a, T> {
    flight: &'a Flight<T>,
}

impl<T> Polling<'_, T> {
    fn end(self, stage: Stage<T>) {
        self.set(stage);
        mem::forget(self);
    }

    fn set(&self, now: Stage<T>) {
        let mut state = lock(&self.flight.state);
        let woken = matches!(state.stage, Stage::Polled { woken: true });
        let wakers = match &now {
            Stage::Calling(_) if !woken => Vec::new(),
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
        self.set(Stage::Landed(Err(SharedError::panicked())));
    }
}
