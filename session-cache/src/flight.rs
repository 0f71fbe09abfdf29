//! One load for many waiters.

use std::{
    fmt, mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use session_core::{Record, Result};

use crate::{
    error::SharedError,
    sync::{Mutex, lock},
};

/// What a load runs.
pub(crate) type Loading = Pin<Box<dyn Future<Output = Landed> + Send>>;

/// How a load ended, for each who waited.
pub(crate) type Landed = Result<Option<Arc<Record>>, SharedError>;

/// A load that any number of requests wait for, and that each of them drives on.
///
/// There is no leader among the waiters: the load belongs to all of them, so it goes on when the
/// one who began it is dropped, or is not polled. When the last one is dropped, so is the load.
pub(crate) struct Flight {
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    /// The wakers of those who wait, by seat. A seat stays taken until its owner leaves.
    seats: Vec<Option<Waker>>,
    /// How many seats are taken.
    aboard: usize,
}

enum Stage {
    /// Nobody is polling the load.
    Loading(Loading),
    /// Somebody is polling it. `asked`: somebody else wanted to meanwhile.
    Polled { asked: bool },
    /// It ended.
    Landed(Landed),
    /// The last one who waited left before it ended.
    Abandoned,
}

impl Flight {
    /// A flight, and the first who waits for it.
    pub(crate) fn new(load: Loading) -> (Arc<Self>, Passenger) {
        let state = State { stage: Stage::Loading(load), seats: vec![None], aboard: 1 };
        let flight = Arc::new(Self { state: Mutex::new(state) });
        (Arc::clone(&flight), Passenger { flight, seat: 0 })
    }

    /// Takes a seat, unless the flight was abandoned.
    pub(crate) fn board(self: &Arc<Self>) -> Option<Passenger> {
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

impl Wake for Flight {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let wakers = lock(&self.state).take_wakers();
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl State {
    fn take_wakers(&mut self) -> Vec<Waker> {
        self.seats.iter_mut().filter_map(Option::take).collect()
    }
}

impl fmt::Debug for Flight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flight(..)")
    }
}

/// One who waits for a flight to land.
#[derive(Debug)]
pub(crate) struct Passenger {
    flight: Arc<Flight>,
    seat: usize,
}

impl Future for Passenger {
    type Output = Landed;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Landed> {
        let mut load = {
            let mut state = lock(&self.flight.state);
            if let Stage::Landed(landed) = &state.stage {
                return Poll::Ready(landed.clone());
            }
            let seat = self.seat;
            state.seats[seat] = Some(context.waker().clone());
            let before = mem::replace(&mut state.stage, Stage::Polled { asked: true });
            let Stage::Loading(load) = before else { return Poll::Pending };
            state.stage = Stage::Polled { asked: false };
            load
        };
        // From here until the load is put back or has landed, the flight has nobody else who drives
        // it: if the load panics, `polling` wakes the others, who find nothing to wait for.
        let polling = Polling { flight: &self.flight };
        let waker = Waker::from(Arc::clone(&self.flight));
        let polled = load.as_mut().poll(&mut Context::from_waker(&waker));
        polling.end(match &polled {
            Poll::Ready(landed) => Stage::Landed(landed.clone()),
            Poll::Pending => Stage::Loading(load),
        });
        polled
    }
}

impl Drop for Passenger {
    fn drop(&mut self) {
        let mut state = lock(&self.flight.state);
        state.seats[self.seat] = None;
        state.aboard -= 1;
        let abandoned = state.aboard == 0 && matches!(state.stage, Stage::Loading(_));
        let load = abandoned.then(|| mem::replace(&mut state.stage, Stage::Abandoned));
        drop(state);
        // What the load holds is let go of without the lock.
        drop(load);
    }
}

/// Marks that a load is being polled, and what becomes of it.
struct Polling<'a> {
    flight: &'a Flight,
}

impl Polling<'_> {
    fn end(self, stage: Stage) {
        self.set(stage);
        mem::forget(self);
    }

    fn set(&self, now: Stage) {
        let mut state = lock(&self.flight.state);
        let wanted = matches!(state.stage, Stage::Polled { asked: true });
        let wakers = match &now {
            Stage::Loading(_) if !wanted => Vec::new(),
            _ => state.take_wakers(),
        };
        state.stage = now;
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Polling<'_> {
    /// The load panicked.
    fn drop(&mut self) {
        self.set(Stage::Landed(Err(SharedError::panicked())));
    }
}
