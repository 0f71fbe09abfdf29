//! One touch for the many requests of one browser.

use std::{collections::HashMap, fmt, sync::Arc};

use session_core::{Outcome, Result, SessionId, Timestamp, Version};

use crate::{
    shared_call::{PATIENCE, SharedCall, SharedResult, Waiter},
    sync::{Mutex, lock},
    table::IdHashing,
};

/// The touches under way.
///
/// A browser that fetches a page and its parts finds its session due for a touch in all these
/// requests at once. The first is passed on to the parent. Those that come while it is under way
/// wait for its end, and are then passed on as one, with the latest of their deadlines. They
/// overlap, so they may take place in any order, and in the order in which that one comes last the
/// others leave no trace.
#[derive(Default)]
pub(crate) struct Touches {
    last: Mutex<HashMap<SessionId, Group, IdHashing>>,
}

/// The last touch of an id that is under way or waits for its turn.
struct Group {
    version: Version,
    began: Timestamp,
    latest: Arc<Latest>,
    call: Arc<SharedCall<Outcome>>,
}

/// The latest deadline asked for; `None` once it was passed on, and no request may join any more.
type Latest = Mutex<Option<Timestamp>>;

impl Touches {
    /// Joins the group that waits for its turn, or makes one, whose deadline is passed to `touch`.
    /// `None` if the group under way touches another version.
    pub(crate) fn join<T, F>(
        self: &Arc<Self>,
        now: Timestamp,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
        touch: T,
    ) -> Option<Waiter<Outcome>>
    where
        T: FnOnce(Timestamp) -> F + Send + 'static,
        F: Future<Output = Result<Outcome>> + Send + 'static,
    {
        let mut last = lock(&self.last);
        let mut before = None;
        if let Some(group) = last.get(id)
            && now.saturating_since(group.began) < PATIENCE
        {
            if group.version != version {
                return None;
            }
            // A call that every waiter has left is as good as none.
            before = group.call.join();
            if before.is_some()
                && let Some(latest) = &mut *lock(&group.latest)
            {
                *latest = expires_at.max(*latest);
                return before;
            }
        }
        let latest = Arc::new(Mutex::new(Some(expires_at)));
        let turn = Turn { touches: Arc::clone(self), id: *id, latest: Arc::clone(&latest), before };
        let (call, waiter) = SharedCall::new(Box::pin(turn.touch(expires_at, touch)));
        last.insert(*id, Group { version, began: now, latest, call });
        Some(waiter)
    }

    /// Whether no touch is under way.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        lock(&self.last).is_empty()
    }
}

/// A touch for all requests of a group.
struct Turn {
    touches: Arc<Touches>,
    id: SessionId,
    latest: Arc<Latest>,
    /// The group before it.
    before: Option<Waiter<Outcome>>,
}

impl Turn {
    /// Waits for its turn, closes the group, and touches the parent.
    async fn touch<T, F>(mut self, first: Timestamp, touch: T) -> SharedResult<Outcome>
    where
        T: FnOnce(Timestamp) -> F,
        F: Future<Output = Result<Outcome>>,
    {
        if let Some(before) = self.before.take() {
            // However it ended: this group asks for itself.
            let _ = before.await;
        }
        let latest = lock(&self.latest).take();
        Ok(touch(latest.unwrap_or(first)).await?)
    }
}

impl Drop for Turn {
    /// The touch has ended, or every waiter has left it.
    fn drop(&mut self) {
        let mut last = lock(&self.touches.last);
        if last.get(&self.id).is_some_and(|group| Arc::ptr_eq(&group.latest, &self.latest)) {
            last.remove(&self.id);
        }
    }
}

impl fmt::Debug for Touches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Touches").field("ids", &lock(&self.last).len()).finish()
    }
}
