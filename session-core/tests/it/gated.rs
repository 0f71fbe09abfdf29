//! A store whose calls wait for each other, for requests at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use async_trait::async_trait;
use session_core::{
    Cursor, Expect, ForgetSessions, ListSessions, MemorySessionManager, Outcome, Page,
    PrincipalTag, ProbeVersions, RecallSessions, Record, Removal, Result, SessionId,
    SessionInterface, SessionInterfaceBuilder, SessionManager, SweepSessions, Timestamp, Version,
    WatchSessions,
};

use crate::world::World;

/// Opens for good when enough have come to it.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    awaited: AtomicUsize,
}

impl Gate {
    /// Closes until `comers` have come.
    pub(crate) fn close(&self, comers: usize) {
        self.awaited.store(comers, Ordering::SeqCst);
    }

    /// Comes, and does not wait.
    pub(crate) fn come(&self) {
        let less = |awaited: usize| Some(awaited.saturating_sub(1));
        let _ = self.awaited.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
    }

    async fn pass(&self) {
        self.come();
        std::future::poll_fn(|_| {
            if self.awaited.load(Ordering::SeqCst) == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Gated {
    store: MemorySessionManager,
    /// Puts wait here before they are answered.
    pub(crate) puts: Arc<Gate>,
    /// Lists of a principal's sessions wait here before they are answered.
    pub(crate) lists: Arc<Gate>,
}

/// A server on the store of the world, with gates that are open.
pub(crate) fn gated(
    settings: impl FnOnce(SessionInterfaceBuilder) -> SessionInterfaceBuilder,
) -> (World, Gated, SessionInterface) {
    let world = World::new();
    let manager = Gated { store: world.store.clone(), puts: Arc::default(), lists: Arc::default() };
    let server = world.on(manager.clone(), settings);
    (world, manager, server)
}

#[async_trait]
impl SessionManager for Gated {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        self.store.exists(id).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        self.store.get(id).await
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        let outcome = self.store.put(record, expect).await;
        self.puts.pass().await;
        outcome
    }

    async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        self.store.touch(id, version, expires_at).await
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        self.store.remove(id, only).await
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        None
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        Some(self)
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        None
    }

    fn watching(&self) -> Option<&dyn WatchSessions> {
        None
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        None
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        None
    }
}

#[async_trait]
impl ListSessions for Gated {
    async fn by_principal(
        &self,
        tag: &PrincipalTag,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page> {
        let page = self.store.by_principal(tag, cursor, limit).await;
        self.lists.pass().await;
        page
    }

    async fn scan(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page> {
        self.store.scan(cursor, limit).await
    }
}
