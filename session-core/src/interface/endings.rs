//! Waiting for changes of sessions, where the store reports them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
};

use crate::{SessionId, SessionManager, Watch, WatchChanges, session::unpoisoned};

/// One subscription to the store's feed, for all connections that wait.
#[derive(Debug, Default)]
pub(crate) struct Endings(OnceLock<Option<Subscribed>>);

#[derive(Debug)]
struct Subscribed {
    waiting: Arc<Waiting>,
    _watch: Watch,
}

#[derive(Debug, Default)]
struct Waiting {
    bells: Mutex<HashMap<SessionId, Vec<Weak<Bell>>>>,
    is_broken: AtomicBool,
}

/// Rung when a session may have changed.
#[derive(Debug, Default)]
struct Bell(Mutex<(bool, Option<Waker>)>);

/// One waiter. It misses no change after it was made.
pub(crate) struct Changes {
    id: SessionId,
    bell: Arc<Bell>,
    waiting: Arc<Waiting>,
}

impl Endings {
    /// Changes of the session from now on; `None` if the store does not report them.
    pub(crate) fn changes(&self, manager: &dyn SessionManager, id: SessionId) -> Option<Changes> {
        let subscribe = || {
            let waiting = Arc::new(Waiting::default());
            let watch = manager.watching()?.watch(Arc::clone(&waiting) as _).ok()?;
            Some(Subscribed { waiting, _watch: watch })
        };
        let waiting = Arc::clone(&self.0.get_or_init(subscribe).as_ref()?.waiting);
        let bell = Arc::new(Bell::default());
        unpoisoned(waiting.bells.lock()).entry(id).or_default().push(Arc::downgrade(&bell));
        Some(Changes { id, bell, waiting })
    }
}

impl Changes {
    /// Returns once the session may have changed since the last call.
    pub(crate) async fn next(&self) {
        std::future::poll_fn(|context| {
            let mut bell = unpoisoned(self.bell.0.lock());
            if std::mem::take(&mut bell.0) {
                return Poll::Ready(());
            }
            bell.1 = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        let mut waiting = unpoisoned(self.waiting.bells.lock());
        if let Some(bells) = waiting.get_mut(&self.id) {
            bells.retain(|bell| !std::ptr::eq(bell.as_ptr(), Arc::as_ptr(&self.bell)));
            if bells.is_empty() {
                waiting.remove(&self.id);
            }
        }
    }
}

impl WatchChanges for Waiting {
    fn changed(&self, id: &SessionId) {
        let bells = unpoisoned(self.bells.lock()).get(id).cloned();
        ring(bells.into_iter().flatten());
    }

    /// Anything may have been missed.
    fn broken(&self) {
        self.is_broken.store(true, Ordering::SeqCst);
        self.ring_all();
    }

    fn alive(&self) {
        if self.is_broken.swap(false, Ordering::SeqCst) {
            // Changes since the break were not reported either.
            self.ring_all();
        }
    }
}

impl Waiting {
    fn ring_all(&self) {
        let bells: Vec<_> = unpoisoned(self.bells.lock()).values().flatten().cloned().collect();
        ring(bells);
    }
}

fn ring(bells: impl IntoIterator<Item = Weak<Bell>>) {
    for bell in bells.into_iter().filter_map(|bell| bell.upgrade()) {
        let waker = {
            let mut bell = unpoisoned(bell.0.lock());
            bell.0 = true;
            bell.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
