//! `Sweeper`: sweeps in the background.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{Error, ErrorKind, Result, SweepSessions, Swept, park, random};

/// Between two steps of a sweep the store belongs to others.
const PAUSE: Duration = Duration::from_millis(10);

/// Sweeps a store again and again, on a thread of its own, until it is dropped.
///
/// A thread, because sweeping must not depend on requests, and because a task would end with the
/// runtime it was started on: a manager may be made before there is one, and outlive it.
///
/// Every sweep begins up to a tenth of the interval late, by chance, so that several processes do
/// not sweep one store at the same moment. One that fails is logged, counted, and tried again an
/// interval later.
///
/// Dropping it ends the thread. It waits for a step that blocks ([`start`](Self::start)), and for
/// none that does not ([`of`](Self::of)).
///
/// # Examples
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use session_core::{MemorySessionManager, Sweeper};
///
/// # fn main() -> session_core::Result<()> {
/// let manager = MemorySessionManager::new();
/// let sweeper = Sweeper::of(Arc::new(manager.clone()), Duration::from_secs(300))?;
/// assert_eq!(sweeper.figures().removed, 0);
/// # Ok(()) }
/// ```
pub struct Sweeper {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

/// What a [`Sweeper`] has done since it was started.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SweeperFigures {
    /// Sweeps that saw the store to its end.
    pub sweeps: u64,
    /// Sweeps that ended early with an error.
    pub failures: u64,
    /// Records looked at.
    pub scanned: u64,
    /// Records removed.
    pub removed: u64,
    /// Bytes of the removed records.
    pub bytes: u64,
}

impl Sweeper {
    /// Sweeps `store`, which needs no runtime to be around it, every `interval`.
    ///
    /// A backend that owns its sweeper passes what is inside of it, and not itself: the two would
    /// keep each other alive.
    ///
    /// # Errors
    ///
    /// As of [`start`](Self::start).
    pub fn of(store: Arc<dyn SweepSessions>, interval: Duration) -> Result<Self> {
        Self::run(interval, move |state: &State| {
            // A step that is given up removed what it removed.
            park::block_on_unless(store.sweep(), || state.is_over()).unwrap_or(Ok(Swept::default()))
        })
    }

    /// Calls `step`, which may block, every `interval`, and again at once while it says
    /// [`more`](Swept::more).
    ///
    /// For stores that need a runtime, `step` enters it: `handle.block_on(manager.sweep())`.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Config`]: an interval of zero.
    /// - [`ErrorKind::Unavailable`]: the system starts no more threads.
    pub fn start(
        interval: Duration,
        mut step: impl FnMut() -> Result<Swept> + Send + 'static,
    ) -> Result<Self> {
        Self::run(interval, move |_| step())
    }

    fn run(
        interval: Duration,
        mut step: impl FnMut(&State) -> Result<Swept> + Send + 'static,
    ) -> Result<Self> {
        if interval.is_zero() {
            return Err(Error::config("a sweeper needs an interval that is longer than zero"));
        }
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let thread = thread::Builder::new()
            .name("session-sweep".to_owned())
            .spawn(move || {
                while !shared.is_over_within(with_chance(interval)) {
                    sweep(&shared, &mut step);
                }
            })
            .map_err(|error| {
                Error::new(ErrorKind::Unavailable, "core", "no thread could be started to sweep")
                    .with_source(error)
            })?;
        Ok(Self { state, thread: Some(thread) })
    }

    /// What was done until now.
    pub fn figures(&self) -> SweeperFigures {
        *self.state.figures()
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.state.end();
        let Some(thread) = self.thread.take() else { return };
        thread.thread().unpark();
        // The thread itself may drop it, with the last owner of the store.
        if thread.thread().id() != thread::current().id() && thread.join().is_err() {
            tracing::error!("the thread that sweeps panicked");
        }
    }
}

impl fmt::Debug for Sweeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sweeper").field("figures", &self.figures()).finish_non_exhaustive()
    }
}

/// One sweep, to its end or until the sweeper ends.
fn sweep(state: &State, step: &mut impl FnMut(&State) -> Result<Swept>) {
    loop {
        // A store that panicked is no reason to fill the disk.
        let stepped = catch_unwind(AssertUnwindSafe(|| step(state))).unwrap_or_else(panicked);
        match stepped {
            Ok(swept) => {
                state.add(&swept);
                if !swept.more {
                    let figures = *state.figures();
                    tracing::debug!(?figures, "swept");
                    return;
                }
            }
            Err(error) => {
                state.figures().failures += 1;
                let cause = std::error::Error::source(&error);
                tracing::warn!(%error, cause, "a sweep stopped early; the next one goes on");
                return;
            }
        }
        if state.is_over_within(PAUSE) {
            return;
        }
    }
}

fn panicked(_: Box<dyn Any + Send>) -> Result<Swept> {
    Err(Error::new(ErrorKind::Unavailable, "core", "the store panicked while it was swept"))
}

/// `interval`, and up to a tenth more.
fn with_chance(interval: Duration) -> Duration {
    // Without randomness all sweep at the same moment, which is no harm.
    let [chance] = random::bytes().unwrap_or([0]);
    interval.saturating_add(interval / 2_550 * u32::from(chance))
}

#[derive(Default)]
struct State {
    is_over: AtomicBool,
    figures: Mutex<SweeperFigures>,
    ended: Condvar,
}

impl State {
    fn figures(&self) -> MutexGuard<'_, SweeperFigures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, swept: &Swept) {
        let mut figures = self.figures();
        figures.scanned += swept.scanned;
        figures.removed += swept.removed;
        figures.bytes += swept.bytes;
        figures.sweeps += u64::from(!swept.more);
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn end(&self) {
        let _figures = self.figures();
        self.is_over.store(true, Ordering::SeqCst);
        self.ended.notify_all();
    }

    /// Waits for `time`, or less if the sweeper ends; `true` if it does.
    fn is_over_within(&self, time: Duration) -> bool {
        drop(self.ended.wait_timeout_while(self.figures(), time, |_| !self.is_over()));
        self.is_over()
    }
}
