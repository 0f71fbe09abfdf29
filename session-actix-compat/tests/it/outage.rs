//! A store that is out is not a store without sessions.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use actix_session::storage::{LoadError, SessionStore};
use async_trait::async_trait;
use session_actix_compat::ManagerStore;
use session_core::{Error, ErrorKind, MemorySessionManager, Result, SessionManager};
use testkit::{Hooked, Hooks, Verb};

use crate::support::{HOUR, key, load, state};

/// A real store that cannot be reached while `out` is set.
#[derive(Clone, Debug, Default)]
struct Outage {
    store: MemorySessionManager,
    out: Arc<AtomicBool>,
}

#[async_trait]
impl Hooks for Outage {
    fn parent(&self) -> &dyn SessionManager {
        &self.store
    }

    async fn before(&self, _: Verb) -> Result<()> {
        if self.out.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "test", "the store is out"));
        }
        Ok(())
    }
}

#[actix_web::test]
async fn an_outage_is_an_error_of_every_call_and_ends_no_session() {
    let manager = Hooked::<Outage>::default();
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
