//! A store that a test interferes with, call by call.

use std::{
    fmt,
    future::pending,
    sync::{Arc, Mutex},
    task::Poll,
};

use async_trait::async_trait;
use session_core::{
    Error, ErrorKind, Expect, ForgetSessions, ListSessions, MemorySessionManager, Outcome,
    ProbeVersions, RecallSessions, Record, Removal, Result, SessionId, SessionManager,
    SweepSessions, Timestamp, Version, WatchSessions,
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verb {
    Get,
    Put,
    Touch,
    Remove,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    /// It waits once before it takes place, and once after.
    Waits,
    /// It takes place at once.
    Passes,
    Hangs,
    Fails(ErrorKind),
}

type Hook = dyn Fn(Verb, &SessionId) -> Fate + Send + Sync;

#[derive(Clone)]
pub(crate) struct Hooked {
    store: MemorySessionManager,
    hook: Arc<Mutex<Arc<Hook>>>,
}

impl Hooked {
    pub(crate) fn new(store: &MemorySessionManager) -> Self {
        let pass: Arc<Hook> = Arc::new(|_, _| Fate::Passes);
        Self { store: store.clone(), hook: Arc::new(Mutex::new(pass)) }
    }

    pub(crate) fn set(&self, hook: impl Fn(Verb, &SessionId) -> Fate + Send + Sync + 'static) {
        *self.hook.lock().unwrap() = Arc::new(hook);
    }

    async fn call<T>(
        &self,
        verb: Verb,
        id: &SessionId,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let hook = Arc::clone(&self.hook.lock().unwrap());
        match hook(verb, id) {
            Fate::Passes => call.await,
            Fate::Waits => {
                give_way().await;
                let answer = call.await;
                give_way().await;
                answer
            }
            Fate::Hangs => pending().await,
            Fate::Fails(kind) => Err(Error::new(kind, "test", "the test says so")),
        }
    }
}

async fn give_way() {
    let mut gave_way = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut gave_way, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooked")
    }
}

#[async_trait]
impl SessionManager for Hooked {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        self.call(Verb::Get, id, self.store.exists(id)).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        self.call(Verb::Get, id, self.store.get(id)).await
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        self.call(Verb::Put, record.id(), self.store.put(record, expect)).await
    }

    async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        self.call(Verb::Touch, id, self.store.touch(id, version, expires_at)).await
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        self.call(Verb::Remove, id, self.store.remove(id, only)).await
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        None
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        self.store.listing()
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        None
    }

    fn watching(&self) -> Option<&dyn WatchSessions> {
        self.store.watching()
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        None
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        None
    }
}
