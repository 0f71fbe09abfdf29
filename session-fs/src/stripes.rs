//! Locks within the process, so that its own threads never meet at the file system's lock.
//!
//! Advisory locks of files are polled, because waiting for one has no deadline; here a waiter is
//! woken. And where a file system has no locks, these alone keep one process right.

use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    time::Instant,
};

use session_core::SessionId;

/// A folder, by its device and inode, and the locks of its managers.
type OfFolder = ((u64, u64), Weak<Stripes>);

/// A lock for every id, in so many tables that they are rarely waited for.
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
    /// Few: of each thread that writes, one at most.
    taken: Vec<SessionId>,
    /// How many wait: waking is a system call, which nobody needs when there is no one to wake.
    waiting: usize,
}

/// The lock of an id, which is held until this is dropped.
pub(crate) struct Held<'a> {
    stripe: &'a Stripe,
    id: SessionId,
}

impl Stripes {
    pub(crate) fn new() -> Self {
        Self { stripes: (0..256).map(|_| Stripe::default()).collect() }
    }

    /// Those that all share who ask for the same folder, by its device and inode, while any of them
    /// has it open.
    pub(crate) fn of_folder(folder: (u64, u64)) -> Arc<Self> {
        static SHARED: Mutex<Vec<OfFolder>> = Mutex::new(Vec::new());
        let mut shared = locked(&SHARED);
        shared.retain(|(_, stripes)| stripes.strong_count() > 0);
        let found = shared.iter().find(|(of, _)| *of == folder);
        if let Some(stripes) = found.and_then(|(_, stripes)| stripes.upgrade()) {
            return stripes;
        }
        let stripes = Arc::new(Self::new());
        shared.push((folder, Arc::downgrade(&stripes)));
        stripes
    }

    /// Takes the lock of `id`, if it is free.
    pub(crate) fn try_lock(&self, id: &SessionId) -> Option<Held<'_>> {
        let stripe = self.of(id);
        let mut state = locked(&stripe.state);
        if state.taken.contains(id) {
            return None;
        }
        state.taken.push(*id);
        Some(Held { stripe, id: *id })
    }

    /// Takes the lock of `id`, or gives up at `deadline`.
    pub(crate) fn lock(&self, id: &SessionId, deadline: Instant) -> Option<Held<'_>> {
        let stripe = self.of(id);
        let left = deadline.saturating_duration_since(Instant::now());
        let mut state = locked(&stripe.state);
        state.waiting += 1;
        let waited = stripe.freed.wait_timeout_while(state, left, |state| state.taken.contains(id));
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        if state.taken.contains(id) {
            return None;
        }
        state.taken.push(*id);
        Some(Held { stripe, id: *id })
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
        let mut state = locked(&self.stripe.state);
        state.taken.retain(|id| *id != self.id);
        if state.waiting > 0 {
            // All, for those who wait may want different ids.
            self.stripe.freed.notify_all();
        }
    }
}

/// The state is whole at every moment, so a poisoned lock guards nothing broken.
fn locked<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
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

    /// A session that another process keeps locked holds up nobody else's.
    #[test]
    fn an_id_that_is_held_holds_up_no_other() {
        let stripes = Stripes::new();
        let ids: Vec<_> = (0..2_000).map(|_| SessionId::random().unwrap()).collect();
        let held: Vec<_> = ids.iter().map(|id| stripes.try_lock(id)).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(ids.iter().all(|id| stripes.try_lock(id).is_none()));
    }

    #[test]
    fn one_of_many_who_wait_for_ids_of_one_stripe_is_woken_when_its_own_is_free() {
        let stripes = Stripes::new();
        let first = SessionId::random().unwrap();
        let same = || {
            let mut bytes = *SessionId::random().unwrap().as_bytes();
            bytes[15] = first.as_bytes()[15];
            SessionId::from_bytes(bytes).unwrap()
        };
        let ids = [same(), same()];
        let waiting = || locked(&stripes.of(&first).state).waiting;
        let far = Instant::now() + std::time::Duration::from_secs(60);
        let [a, b] = ids.each_ref().map(|id| stripes.try_lock(id));
        let got = std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for id in &ids {
                let stripes = &stripes;
                threads.push(scope.spawn(move || stripes.lock(id, far).is_some()));
                while waiting() < threads.len() {
                    std::thread::yield_now();
                }
            }
            // The one that came last, so that waking whoever came first would not do.
            drop(b);
            while waiting() == 2 {
                assert!(
                    Instant::now() + std::time::Duration::from_secs(50) < far,
                    "nobody is woken"
                );
                std::thread::yield_now();
            }
            drop(a);
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(got, [true, true]);
    }
}
