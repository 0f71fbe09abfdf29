//! Locks within the process, so that its own threads never meet at the file system's lock.
//!
//! Advisory locks of files are polled, because waiting for one has no deadline; here a waiter is
//! woken. And where a file system has no locks, these alone keep one process right.

use std::{
    fmt,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use session_core::SessionId;

/// One lock for every so many ids.
pub(crate) struct Stripes {
    stripes: Box<[Stripe]>,
}

#[derive(Default)]
struct Stripe {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    taken: bool,
    /// How many wait: waking is a system call, which nobody needs when there is no one to wake.
    waiting: usize,
}

/// A stripe that is held until this is dropped.
pub(crate) struct Held<'a>(&'a Stripe);

impl Stripes {
    pub(crate) fn new() -> Self {
        Self { stripes: (0..256).map(|_| Stripe::default()).collect() }
    }

    /// Takes the lock of `id`, if it is free.
    pub(crate) fn try_lock(&self, id: &SessionId) -> Option<Held<'_>> {
        let stripe = self.of(id);
        let mut state = locked(&stripe.state);
        if state.taken {
            return None;
        }
        state.taken = true;
        Some(Held(stripe))
    }

    /// Takes the lock of `id`, or gives up at `deadline`.
    pub(crate) fn lock(&self, id: &SessionId, deadline: Instant) -> Option<Held<'_>> {
        let stripe = self.of(id);
        let left = deadline.saturating_duration_since(Instant::now());
        let mut state = locked(&stripe.state);
        state.waiting += 1;
        let waited = stripe.freed.wait_timeout_while(state, left, |state| state.taken);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        if state.taken {
            return None;
        }
        state.taken = true;
        Some(Held(stripe))
    }

    fn of(&self, id: &SessionId) -> &Stripe {
        // The bytes of an id are random: any of them spreads evenly over 256 stripes.
        &self.stripes[usize::from(id.as_bytes()[15]) % self.stripes.len()]
    }
}

impl fmt::Debug for Stripes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stripes(..)")
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut state = locked(&self.0.state);
        state.taken = false;
        if state.waiting > 0 {
            self.0.freed.notify_one();
        }
    }
}

/// The state is whole at every moment, so a poisoned lock guards nothing broken.
fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_held_is_refused_and_free_again_afterwards() {
        let stripes = Stripes::new();
        let id = SessionId::random().unwrap();
        let held = stripes.try_lock(&id);
        assert!(held.is_some());
        assert!(stripes.try_lock(&id).is_none());
        assert!(stripes.lock(&id, Instant::now()).is_none(), "at its deadline");
        assert!(stripes.try_lock(&id).is_none(), "a refusal frees nothing");
        drop(held);
        assert!(stripes.try_lock(&id).is_some());
    }
}
