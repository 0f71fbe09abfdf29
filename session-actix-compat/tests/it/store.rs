//! The trait of actix-session, call by call.

use std::{collections::HashMap, fs, path::Path, time::Duration};

use actix_session::storage::{SessionKey, SessionStore};
use session_actix_compat::{ManagerStore, ManagerStoreBuilder};
use session_core::{ErrorKind, KeyRing, MemorySessionManager, SessionInterface};
use session_fs::FileBackedSessionManager;

use crate::support::{HOUR, builder, key, load, state, store};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn parse(text: &str) -> SessionKey {
    text.to_owned().try_into().unwrap()
}

#[actix_web::test]
async fn what_was_saved_is_loaded_under_its_key() {
    let (store, _) = store();
    let ada = store.save(state("ada"), &HOUR).await.unwrap();
    let eve = store.save(state("eve"), &HOUR).await.unwrap();
    assert_eq!(load(&store, &ada).await.as_deref(), Some("ada"));
    assert_eq!(load(&store, &eve).await.as_deref(), Some("eve"));
    let empty = store.save(HashMap::new(), &HOUR).await.unwrap();
    assert_eq!(store.load(&empty).await.unwrap(), Some(HashMap::new()));
}

#[actix_web::test]
async fn an_update_replaces_the_state_under_the_same_key() {
    let (store, _) = store();
    let key = store.save(state("ada"), &HOUR).await.unwrap();
    let text = key.as_ref().to_owned();
    let other = [("name".to_owned(), "eve".to_owned())].into();
    let key = store.update(key, other, &HOUR).await.unwrap();
    assert_eq!(key.as_ref(), text);
    let loaded = store.load(&key).await.unwrap().unwrap();
    assert_eq!(loaded, [("name".to_owned(), "eve".to_owned())].into());
}

#[actix_web::test]
async fn what_was_deleted_stays_deleted() {
    let (store, _) = store();
    let key = store.save(state("ada"), &HOUR).await.unwrap();
    store.delete(&key).await.unwrap();
    store.delete(&key).await.unwrap();
    store.update_ttl(&key, &HOUR).await.unwrap();
    let text = key.as_ref().to_owned();
    let late = store.update(key, state("ada"), &HOUR).await;
    assert!(late.is_err(), "a slow request must not bring it back, nor be told that it did");
    assert_eq!(load(&store, &parse(&text)).await, None);
}

#[actix_web::test]
async fn a_session_ends_when_its_time_to_live_is_over() {
    let (store, clock) = store();
    let key = store.save(state("ada"), &HOUR).await.unwrap();
    clock.advance(seconds(3599));
    assert!(load(&store, &key).await.is_some());
    clock.advance(seconds(1));
    assert_eq!(load(&store, &key).await, None);
    // Loading is no use; an update and a new time to live are.
    let key = store.save(state("ada"), &HOUR).await.unwrap();
    for _ in 0..3 {
        clock.advance(seconds(3000));
        store.update_ttl(&key, &HOUR).await.unwrap();
    }
    clock.advance(seconds(3000));
    let key = store.update(key, state("eve"), &(HOUR * 2)).await.unwrap();
    clock.advance(seconds(7199));
    assert_eq!(load(&store, &key).await.as_deref(), Some("eve"));
    clock.advance(seconds(1));
    assert_eq!(load(&store, &key).await, None);
}

#[actix_web::test]
async fn a_session_ends_with_its_lifetime_however_busy_it_is() {
    let (builder, clock) = builder();
    let store = builder.lifetime(seconds(5000)).build().unwrap();
    let key = store.save(state("ada"), &(HOUR * 24)).await.unwrap();
    clock.advance(seconds(4999));
    store.update_ttl(&key, &HOUR).await.unwrap();
    let key = store.update(key, state("eve"), &HOUR).await.unwrap();
    assert!(load(&store, &key).await.is_some());
    clock.advance(seconds(1));
    assert_eq!(load(&store, &key).await, None);
}

#[actix_web::test]
async fn a_time_to_live_of_nothing_is_refused() {
    let (store, _) = store();
    for ttl in [HOUR - HOUR, -HOUR] {
        assert!(store.save(state("ada"), &ttl).await.is_err());
    }
}

#[actix_web::test]
async fn a_key_that_was_not_given_out_here_is_unknown() {
    let manager = std::sync::Arc::new(MemorySessionManager::new());
    let store = ManagerStore::new(manager.clone(), key(0)).unwrap();
    let given = store.save(state("ada"), &HOUR).await.unwrap();
    let mut tampered = given.as_ref().to_owned();
    let last = tampered.pop().unwrap();
    tampered.push(if last == 'A' { 'B' } else { 'A' });
    for text in ["", "x", &tampered, &"x".repeat(4064)] {
        assert_eq!(load(&store, &parse(text)).await, None, "{text}");
    }
    // The same secret over the same records, but not for actix-session.
    let interface = SessionInterface::builder(manager.clone(), key(0)).build().unwrap();
    assert!(interface.open([given.as_ref().as_bytes()]).await.unwrap().is_new());
    let other = ManagerStore::new(manager, key(1)).unwrap();
    assert_eq!(load(&other, &given).await, None);
    assert!(load(&store, &given).await.is_some());
}

#[actix_web::test]
async fn a_key_of_one_realm_is_unknown_in_another() {
    let manager = std::sync::Arc::new(MemorySessionManager::new());
    let of = |realm: Option<&str>| {
        let builder = ManagerStore::builder(manager.clone(), key(0));
        realm.map_or(ManagerStore::new(manager.clone(), key(0)), |it| builder.realm(it).build())
    };
    let (shop, blog, none) = (of(Some("shop")), of(Some("blog")), of(None));
    let (shop, blog, none) = (shop.unwrap(), blog.unwrap(), none.unwrap());
    let given = shop.save(state("ada"), &HOUR).await.unwrap();
    assert_eq!(load(&shop, &given).await.as_deref(), Some("ada"));
    for other in [blog, none] {
        assert_eq!(load(&other, &given).await, None);
    }
}

#[test]
fn settings_that_cannot_work_are_refused_when_the_store_is_built() {
    let refused = |set: fn(ManagerStoreBuilder) -> ManagerStoreBuilder| {
        let error = set(builder().0).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    };
    let said = refused(|it| it.lifetime(Duration::ZERO));
    assert!(said.contains("the lifetime is less than a second"), "{said}");
    for set in [(|it| it.max_bytes(0)) as fn(ManagerStoreBuilder) -> ManagerStoreBuilder, |it| {
        it.max_bytes(2 << 20)
    }] {
        assert!(refused(set).contains("size limit"));
    }
    let one = builder().0.lifetime(seconds(1)).build().unwrap();
    assert!(format!("{one:?}").contains("1s"));
}

#[actix_web::test]
async fn a_key_of_a_retired_secret_is_replaced_by_the_next_update() {
    let manager = std::sync::Arc::new(MemorySessionManager::new());
    let before = ManagerStore::new(manager.clone(), key(0)).unwrap();
    let old = before.save(state("ada"), &HOUR).await.unwrap();
    let text = old.as_ref().to_owned();
    let ring = KeyRing::new(key(1)).retired(key(0));
    let after = ManagerStore::new(manager.clone(), ring).unwrap();
    let new = after.update(old, state("eve"), &HOUR).await.unwrap();
    assert_ne!(new.as_ref(), text);
    let alone = ManagerStore::new(manager, key(1)).unwrap();
    assert_eq!(load(&alone, &new).await.as_deref(), Some("eve"));
}

fn bytes(folder: &Path) -> Vec<u8> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { bytes(&path) } else { fs::read(path).unwrap() })
        .collect()
}

#[actix_web::test]
async fn what_is_stored_tells_neither_the_key_nor_the_state() {
    let folder = tempfile::tempdir().unwrap();
    let manager = FileBackedSessionManager::new(folder.path().join("sessions")).unwrap();
    let store = ManagerStore::new(manager, key(0)).unwrap();
    let given = store.save(state("very-private"), &HOUR).await.unwrap();
    let stored = bytes(folder.path());
    let has = |text: &str| stored.windows(text.len()).any(|it| it == text.as_bytes());
    assert!(stored.len() > 100 && !has("very-private") && !has("user"));
    // The key begins with the sid, which is the name of the file and no secret.
    let token = &given.as_ref()[given.as_ref().len() - 40..];
    assert!(!has(token) && !has(&token[..16]));
    assert_eq!(load(&store, &given).await.as_deref(), Some("very-private"));
}

#[actix_web::test]
async fn of_updates_at_once_one_state_is_kept_whole() {
    let (store, _) = store();
    let key = store.save(state("first"), &HOUR).await.unwrap();
    let updates = (0..20).map(|number| {
        let (store, key) = (store.clone(), parse(key.as_ref()));
        actix_web::rt::spawn(async move {
            let state = HashMap::from(
                [("a", number), ("b", number)]
                    .map(|(name, number)| (name.to_owned(), number.to_string())),
            );
            store.update(key, state, &HOUR).await.map(drop)
        })
    });
    for update in updates.collect::<Vec<_>>() {
        update.await.unwrap().unwrap();
    }
    let state = store.load(&key).await.unwrap().unwrap();
    assert_eq!((state.len(), &state["a"]), (2, &state["b"]));
}

#[actix_web::test]
async fn a_state_beyond_the_limit_is_refused_and_the_one_before_kept() {
    let store = builder().0.max_bytes(1000).build().unwrap();
    let key = store.save(state("ada"), &HOUR).await.unwrap();
    let text = key.as_ref().to_owned();
    assert!(store.update(key, state(&"x".repeat(1000)), &HOUR).await.is_err());
    assert_eq!(load(&store, &parse(&text)).await.as_deref(), Some("ada"));
}

#[test]
fn debug_tells_no_secret() {
    let (store, _) = store();
    assert_eq!(format!("{store:?}"), "ManagerStore { lifetime: 2678400s, .. }");
}
