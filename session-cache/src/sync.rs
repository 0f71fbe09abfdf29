//! The locks and atomics of the crate, and in unit tests those of loom, which runs a model through
//! every interleaving. What runs on threads of its own is therefore tested from outside, in
//! `tests/`.

#[cfg(test)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(test))]
pub(crate) use std::sync::atomic;

#[cfg(not(test))]
pub(crate) use parking_lot::{Mutex, MutexGuard};

/// Takes a lock. Nothing in this crate panics while it holds one, so that it guards whole data.
#[cfg(not(test))]
#[inline]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

/// Takes a lock of loom, which knows of poison as std's does.
#[cfg(test)]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
