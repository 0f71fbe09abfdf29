//! Time limits for every call to the store, and a cap on new sessions.

use std::{
    fmt,
    future::{Future, poll_fn},
    num::NonZeroU32,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use session_core::{
    Clock, Cursor, Error, ErrorKind, Expect, ForgetSessions, ListSessions, Outcome, Page,
    PrincipalTag, ProbeVersions, RecallSessions, Record, Removal, Result, SessionId,
    SessionManager, SweepSessions, Timestamp, Version, WatchSessions,
};

/// The application's manager, with a limit on how long a call may take.
///
/// Here and not in the middleware, so that no way to the store goes past it: opening, saving, every
/// try of a save, listing and revoking are each bounded. What is recalled asks no store.
pub(crate) struct Guarded {
    manager: Arc<dyn SessionManager>,
    limit: Duration,
    newcomers: Option<Newcomers>,
}

impl Guarded {
    pub(crate) fn new(manager: Arc<dyn SessionManager>, limit: Duration) -> Self {
        Self { manager, limit, newcomers: None }
    }

    /// Lets at most `per_second` sessions be created in a second of `clock`.
    pub(crate) fn newcomers(mut self, per_second: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        self.newcomers = Some(Newcomers { per_second, clock, seen: Mutex::default() });
        self
    }

    async fn within<T>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let mut call = pin!(call);
        // A store that answers at once, as a cache does, needs no timer.
        if let Poll::Ready(answer) =
            poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await
        {
            return answer;
        }
        tokio::time::timeout(self.limit, call).await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Unavailable,
                "actix",
                "the store did not answer within the time limit of the middleware",
            ))
        })
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.manager.fmt(f)
    }
}

#[async_trait]
impl SessionManager for Guarded {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        self.within(self.manager.exists(id)).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        self.within(self.manager.get(id)).await
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        if expect == Expect::Absent
            && let Some(newcomers) = &self.newcomers
        {
            newcomers.admit()?;
        }
        self.within(self.manager.put(record, expect)).await
    }

    async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        self.within(self.manager.touch(id, version, expires_at)).await
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        self.within(self.manager.remove(id, only)).await
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        self.manager.sweeping()
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        self.manager.listing().map(|_| self as _)
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        self.manager.probing()
    }

    fn watching(&self) -> Option<&dyn WatchSessions> {
        self.manager.watching()
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        self.manager.recalling()
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        self.manager.forgetting()
    }
}

#[async_trait]
impl ListSessions for Guarded {
    async fn by_principal(
        &self,
        tag: &PrincipalTag,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page> {
        let listing = self.manager.listing().ok_or_else(cannot_list)?;
        self.within(listing.by_principal(tag, cursor, limit)).await
    }

    async fn scan(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page> {
        let listing = self.manager.listing().ok_or_else(cannot_list)?;
        self.within(listing.scan(cursor, limit)).await
    }
}

fn cannot_list() -> Error {
    Error::new(ErrorKind::Config, "actix", "the manager cannot list sessions: take one that can")
}

/// Counts the sessions created in one second.
struct Newcomers {
    per_second: NonZeroU32,
    clock: Arc<dyn Clock>,
    /// The second that is being counted, and how many it had so far.
    seen: Mutex<(u64, u32)>,
}

impl Newcomers {
    fn admit(&self) -> Result<()> {
        let second = self.clock.now().as_millis() / 1000;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != second {
            *seen = (second, 0);
        }
        if seen.1 >= self.per_second.get() {
            return Err(Error::new(
                ErrorKind::Full,
                "actix",
                "more sessions were begun in this second than the middleware was told to let in",
            ));
        }
        seen.1 += 1;
        Ok(())
    }
}
