//! The application's manager as the interface calls it: no call without a limit, and a cap on new
//! sessions.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    Cursor, Error, ErrorKind, Expect, ListSessions, Outcome, Page, PrincipalTag, Record, Removal,
    Result, SessionId, SessionManager, Timer, Timestamp, Version, timer,
};

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) manager: Arc<dyn SessionManager>,
    pub(crate) timer: Option<Arc<dyn Timer>>,
    /// How long a call may take.
    pub(super) limit: Duration,
    pub(super) newcomers: Option<Newcomers>,
}

impl Store {
    /// What the manager has under `id`; a cached record may be as old as the cache allows.
    pub(crate) async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        self.call(self.manager.get(id)).await
    }

    /// What the store itself has under `id`.
    pub(crate) async fn get_past_caches(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        if let Some(caches) = self.manager.forgetting() {
            caches.forget(id);
        }
        self.get(id).await
    }

    pub(crate) async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        self.call(self.manager.put(record, expect)).await
    }

    /// Whether one more session may be created now.
    pub(crate) fn admit(&self, now: Timestamp) -> Result<()> {
        self.newcomers.as_ref().map_or(Ok(()), |newcomers| newcomers.admit(now))
    }

    pub(crate) async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        self.call(self.manager.touch(id, version, expires_at)).await
    }

    pub(crate) async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        self.call(self.manager.remove(id, only)).await
    }

    pub(crate) async fn by_principal(
        &self,
        tag: &PrincipalTag,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page> {
        self.call(self.listing()?.by_principal(tag, cursor, limit)).await
    }

    pub(crate) async fn scan(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page> {
        self.call(self.listing()?.scan(cursor, limit)).await
    }

    /// What `wait` returns, or `None` if it took longer than a call may.
    pub(crate) async fn within<T>(&self, wait: impl Future<Output = T>) -> Option<T> {
        timer::within(self.timer.as_deref(), self.limit, wait).await
    }

    fn listing(&self) -> Result<&dyn ListSessions> {
        self.manager.listing().ok_or_else(|| {
            Error::config("the manager cannot list sessions: choose a backend that can")
        })
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        self.within(call).await.unwrap_or_else(|| {
            let message = format!(
                "the store did not answer within {:?}: see whether it is up, or raise \
                 `store_timeout`",
                self.limit
            );
            Err(Error::new(ErrorKind::Unavailable, "core", message))
        })
    }
}

/// Counts the sessions created in one second.
#[derive(Debug)]
pub(crate) struct Newcomers {
    per_second: NonZeroU32,
    /// The second that is being counted, and how many it had so far.
    seen: Mutex<(u64, u32)>,
}

impl Newcomers {
    pub(super) fn new(per_second: NonZeroU32) -> Self {
        Self { per_second, seen: Mutex::default() }
    }

    fn admit(&self, now: Timestamp) -> Result<()> {
        let second = now.as_millis() / 1000;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0 != second {
            *seen = (second, 0);
        }
        if seen.1 >= self.per_second.get() {
            let message = format!(
                "{} sessions were created in this second, as many as \
                 `max_new_sessions_per_second` allows: try again later",
                self.per_second
            );
            return Err(Error::new(ErrorKind::Full, "core", message));
        }
        seen.1 += 1;
        Ok(())
    }
}
