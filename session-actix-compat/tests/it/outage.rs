//! A store that is out is not a store without sessions.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actix_session::storage::{LoadError, SessionStore};
use async_trait::async_trait;
use session_actix_compat::ManagerStore;
use session_core::{
    Error, ErrorKind, Expect, ForgetSessions, ListSessions, MemorySessionManager, Outcome,
    ProbeVersions, RecallSessions, Record, Removal, Result, SessionId, SessionManager,
    SweepSessions, Timestamp, Version, WatchSessions,
};

use crate::support::{HOUR, key, load, state};

/// A real store that cannot be reached while `out` is set.
#[derive(Clone, Debug, Default)]
struct Flaky {
    store: MemorySessionManager,
    out: Arc<AtomicBool>,
}

impl Flaky {
    fn ask(&self) -> Result<&MemorySessionManager> {
        if self.out.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "test", "the store is out"));
        }
        Ok(&self.store)
    }
}

#[async_trait]
impl SessionManager for Flaky {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        self.ask()?.exists(id).await
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        self.ask()?.get(id).await
    }

    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        self.ask()?.put(record, expect).await
    }

    async fn touch(&self, id: &SessionId, version: Version, at: Timestamp) -> Result<Outcome> {
        self.ask()?.touch(id, version, at).await
    }

    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        self.ask()?.remove(id, only).await
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        None
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        None
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

#[actix_web::test]
async fn an_outage_is_an_error_of_every_call_and_ends_no_session() {
    let manager = Flaky::default();
    let store = ManagerStore::new(manager.clone(), key(0)).unwrap();
    let given = store.save(state("ada"), &HOUR).await.unwrap();
    manager.out.store(true, Ordering::SeqCst);
    assert!(matches!(store.load(&given).await, Err(LoadError::Other(_))));
    assert!(store.save(state("eve"), &HOUR).await.is_err());
    assert!(store.update_ttl(&given, &HOUR).await.is_err());
    assert!(store.delete(&given).await.is_err());
    let copy = given.as_ref().to_owned().try_into().unwrap();
    assert!(store.update(copy, state("eve"), &HOUR).await.is_err());
    manager.out.store(false, Ordering::SeqCst);
    assert_eq!(load(&store, &given).await.as_deref(), Some("ada"));
}
