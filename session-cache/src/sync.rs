//! The locks and atomics of the crate: those of std, and in unit tests those of loom, which runs a
//! model through every interleaving. What runs on threads of its own is therefore tested from
//! outside, in `tests/`.

#[cfg(test)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};
use std::sync::PoisonError;
#[cfg(not(test))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};

/// Nothing in this crate panics while it holds a lock, so a poisoned one guards whole data.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
