//! The feed of changes, beyond the contract.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use session_core::{SessionId, SessionManager, WatchChanges, WatchSessions};
use session_redis::{RedisConfig, RedisSessionManager};

use crate::support::{Server, block_on, create, lasting, new_id, record, until};

#[derive(Debug, Clone, Copy, Eq, PartialEq)]
pub(crate) enum Told {
    Changed(SessionId),
    Alive,
    Broken,
}

#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<Told>>, AtomicUsize);

impl Recorder {
    /// How often the feed broke.
    pub(crate) fn breaks(&self) -> usize {
        self.1.load(Ordering::SeqCst)
    }

    fn tell(&self, told: Told) {
        self.1.fetch_add(usize::from(told == Told::Broken), Ordering::SeqCst);
        self.0.lock().expect("no panic while locked").push(told);
    }

    /// Waits until `wanted` is told, and forgets all that was told up to then.
    #[track_caller]
    pub(crate) fn hears(&self, wanted: Told) {
        until("the watcher is told", || {
            let mut told = self.0.lock().expect("no panic while locked");
            let at = told.iter().position(|it| *it == wanted)?;
            told.drain(..=at);
            Some(())
        });
    }

    fn has_heard(&self, told: Told) -> bool {
        self.0.lock().expect("no panic while locked").contains(&told)
    }
}

impl WatchChanges for Recorder {
    fn changed(&self, id: &SessionId) {
        self.tell(Told::Changed(*id));
    }

    fn alive(&self) {
        self.tell(Told::Alive);
    }

    fn broken(&self) {
        self.tell(Told::Broken);
    }
}

pub(crate) fn watched(
    config: &RedisConfig,
) -> (RedisSessionManager, Arc<Recorder>, session_core::Watch) {
    let manager = block_on(RedisSessionManager::with_config(config)).expect("a manager");
    let recorder = Arc::new(Recorder::default());
    let watch = manager.watch(recorder.clone()).expect("a watch");
    recorder.hears(Told::Alive);
    (manager, recorder, watch)
}

#[test]
fn what_the_server_removes_by_itself_is_told() {
    let server = Server::start(&[]);
    let config = RedisConfig::new(server.url()).slack(Duration::ZERO);
    let (manager, recorder, _watch) = watched(&config);
    let short = Duration::from_millis(20);
    let record = lasting(new_id(), 1, None, short, short, b"v");
    create(&manager, &record);
    recorder.hears(Told::Changed(*record.id()));
    recorder.hears(Told::Changed(*record.id()));
    server.ask::<()>(&["FLUSHALL"]);
    recorder.hears(Told::Broken);
    recorder.hears(Told::Alive);
}

#[test]
fn a_frozen_server_breaks_the_feed_and_its_return_mends_it() {
    let server = Server::start(&[]);
    let config = RedisConfig::new(server.url()).heartbeat(Duration::from_millis(400));
    let (manager, recorder, _watch) = watched(&config);
    server.signal("STOP");
    recorder.hears(Told::Broken);
    assert!(!recorder.has_heard(Told::Alive));
    server.signal("CONT");
    recorder.hears(Told::Alive);
    let record = record(new_id(), 1, b"v");
    create(&manager, &record);
    recorder.hears(Told::Changed(*record.id()));
}

#[test]
fn a_server_that_is_no_master_any_more_breaks_the_feed() {
    let (server, other) = (Server::start(&[]), Server::start(&[]));
    let config = RedisConfig::new(server.url()).heartbeat(Duration::from_millis(400));
    let (_manager, recorder, _watch) = watched(&config);
    server.ask::<()>(&["REPLICAOF", "127.0.0.1", &other.port.to_string()]);
    recorder.hears(Told::Broken);
    server.ask::<()>(&["REPLICAOF", "NO", "ONE"]);
    recorder.hears(Told::Alive);
}

#[test]
fn dropping_the_guard_ends_the_feed() {
    let server = Server::start(&[]);
    let (_manager, first, watch) = watched(&RedisConfig::new(server.url()).prefix("a:"));
    let tracking = || server.ask::<String>(&["CLIENT", "LIST"]).contains(" name=a:feed ");
    assert!(tracking());
    drop(watch);
    until("the server tells nobody", || (!tracking()).then_some(()));
    drop(first);
}

#[test]
fn another_prefix_is_another_store() {
    let server = Server::start(&[]);
    let (ours, recorder, _watch) = watched(&RedisConfig::new(server.url()).prefix("a:"));
    let theirs = RedisConfig::new(server.url()).prefix("ab:");
    let theirs = block_on(RedisSessionManager::with_config(&theirs)).expect("a manager");
    let (id, last) = (new_id(), new_id());
    create(&theirs, &record(id, 1, b"v"));
    create(&ours, &record(last, 1, b"v"));
    recorder.hears(Told::Changed(last));
    assert!(!recorder.has_heard(Told::Changed(id)));
    assert!(block_on(ours.get(&id)).unwrap().is_none());
}

#[test]
fn every_server_of_a_cluster_tells() {
    let cluster = crate::support::Cluster::start(3, false);
    let (manager, recorder, _watch) = watched(&RedisConfig::cluster(cluster.urls()));
    for _ in 0..30 {
        let record = record(new_id(), 1, b"v");
        create(&manager, &record);
        recorder.hears(Told::Changed(*record.id()));
    }
    for master in &cluster.masters {
        assert!(master.ask::<String>(&["CLIENT", "LIST"]).contains(" name=session:feed "));
    }
}
