//! One touch for the many requests of one browser.

use std::{collections::HashMap, fmt, sync::Arc};

use session_core::{Outcome, Result, SessionId, Timestamp, Version};

use crate::{
    cache::{Cache, PATIENCE},
    error::SharedError,
    flight::{Flight, Landed, Passenger},
    sync::{Mutex, lock},
    table::IdHashing,
};

/// The touches under way.
///
/// A browser that fetches a page and what belongs to it finds its session due for a touch in all
/// these requests at once. The first is passed on to the parent; those who come while it is under
/// way wait for its end, and are then passed on as one, with the latest of their deadlines. They
/// overlap, so that they may take place in any order, and in the order in which that one comes last
/// the others leave no trace.
#[derive(Default)]
pub(crate) struct Touches {
    last: Mutex<HashMap<SessionId, Group, IdHashing>>,
}

/// The last touch of an id that is under way or waits for its turn.
struct Group {
    version: Version,
    began: Timestamp,
    latest: Arc<Latest>,
    flight: Arc<Flight<Outcome>>,
}

/// The latest deadline asked for; `None` once it was passed on, and nobody may join any more.
type Latest = Mutex<Option<Timestamp>>;

impl Touches {
    /// Touches the parent of `cache`, together with those who want the same.
    pub(crate) async fn touch(
        cache: &Arc<Cache>,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        match cache.touches.board(cache, id, version, expires_at) {
            Some(passenger) => passenger.await.map_err(SharedError::into_error),
            None => cache.touch(id, version, expires_at).await,
        }
    }

    /// Joins the group that waits for its turn, or makes one; `None` if the turn is of another
    /// version.
    fn board(
        &self,
        cache: &Arc<Cache>,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Option<Passenger<Outcome>> {
        let now = cache.clock.now();
        let mut last = lock(&self.last);
        let mut turn = None;
        if let Some(group) = last.get(id)
            && now.saturating_since(group.began) < PATIENCE
        {
            if group.version != version {
                return None;
            }
            // One whom everybody has left is as good as none.
            turn = group.flight.board();
            if turn.is_some()
                && let Some(latest) = &mut *lock(&group.latest)
            {
                *latest = expires_at.max(*latest);
                return turn;
            }
        }
        let latest = Arc::new(Mutex::new(Some(expires_at)));
        let shared = Shared { cache: Arc::clone(cache), id: *id, latest: Arc::clone(&latest) };
        let (flight, passenger) = Flight::new(Box::pin(shared.touch(version, expires_at, turn)));
        last.insert(*id, Group { version, began: now, latest, flight });
        Some(passenger)
    }
}

/// A touch for all of a group.
struct Shared {
    cache: Arc<Cache>,
    id: SessionId,
    latest: Arc<Latest>,
}

impl Shared {
    /// Waits for its turn, lets nobody join any more, and touches the parent.
    async fn touch(
        self,
        version: Version,
        first: Timestamp,
        turn: Option<Passenger<Outcome>>,
    ) -> Landed<Outcome> {
        if let Some(turn) = turn {
            // Whatever became of it: this one asks for itself.
            let _ = turn.await;
        }
        let latest = lock(&self.latest).take();
        Ok(self.cache.touch(&self.id, version, latest.unwrap_or(first)).await?)
    }
}

impl Drop for Shared {
    /// It is done, or all have left it.
    fn drop(&mut self) {
        let mut last = lock(&self.cache.touches.last);
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
