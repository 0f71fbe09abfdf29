//! What the tests share.

use std::{collections::HashMap, sync::Arc};

use actix_session::storage::{SessionKey, SessionStore};
use actix_web::cookie::time::Duration;
use session_actix_compat::{ManagerStore, ManagerStoreBuilder};
use session_core::{ManualClock, MemorySessionManager, SigningKey};

pub(crate) const HOUR: Duration = Duration::HOUR;

pub(crate) fn key(first: u8) -> SigningKey {
    SigningKey::hmac_sha256((first..first + 32).collect::<Vec<u8>>()).unwrap()
}

/// A store over a manager in memory, and the clock of both.
pub(crate) fn store() -> (ManagerStore, Arc<ManualClock>) {
    let (builder, clock) = builder();
    (builder.build().unwrap(), clock)
}

/// The settings of [`store`].
pub(crate) fn builder() -> (ManagerStoreBuilder, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let manager = MemorySessionManager::with_clock(clock.clone());
    (ManagerStore::builder(manager, key(0)).clock(clock.clone()), clock)
}

pub(crate) fn state(value: &str) -> HashMap<String, String> {
    [("user".to_owned(), value.to_owned())].into()
}

pub(crate) async fn load(store: &ManagerStore, key: &SessionKey) -> Option<String> {
    store.load(key).await.unwrap().map(|mut state| state.remove("user").unwrap())
}
