//! Who is in charge, and how all who ask find out.

use std::{
    future::Future, net::Ipv4Addr, pin::pin, sync::mpsc, task::Poll, thread, time::Duration,
};

use session_cache::{CachingSessionManager, Coherence};
use session_core::{Expect, ListSessions, SessionId, SessionManager, Version};
use session_redis::{RedisConfig, RedisSessionManager};
use tokio::runtime::{Builder, Runtime};

use crate::{
    feed::{Told, watched},
    support::{Cluster, Proxy, Server, block_on, create, follows, new_id, record, text, until},
};

fn worker() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn open(config: &RedisConfig) -> RedisSessionManager {
    block_on(RedisSessionManager::with_config(config)).expect("a manager")
}

/// A server, its replica, and three Sentinels that know all of them.
fn watched_by_three() -> (Server, Server, Vec<Server>) {
    let master = Server::start(&["--repl-diskless-sync-delay", "0"]);
    let port = master.port.to_string();
    let replica =
        Server::start(&["--repl-diskless-sync-delay", "0", "--replicaof", "127.0.0.1", &port]);
    follows(&replica, &master);
    let sentinels: Vec<_> = (0..3).map(|_| Server::sentinel("sessions", &master)).collect();
    for sentinel in &sentinels {
        until("the Sentinel knows all", || {
            let info: String = sentinel.ask(&["INFO", "sentinel"]);
            (info.contains("slaves=1,sentinels=3") && info.contains("status=ok")).then_some(())
        });
    }
    (master, replica, sentinels)
}

#[test]
fn every_worker_and_the_cache_come_back_when_a_machine_with_master_and_sentinel_dies() {
    let (master, replica, sentinels) = watched_by_three();
    let config = RedisConfig::sentinel(sentinels.iter().map(Server::url), "sessions");
    let manager = open(&config.connection_per_worker(true));
    let cache = CachingSessionManager::new(manager.clone(), Coherence::Watching).expect("a cache");
    let kept = record(new_id(), 1, b"kept");
    create(&manager, &kept);
    let workers: Vec<_> = (0..8).map(|_| worker()).collect();
    for worker in &workers {
        assert!(worker.block_on(manager.get(kept.id())).expect("an answer").is_some());
    }
    until("the replica has it", || (replica.ask::<u64>(&["DBSIZE"]) == 1).then_some(()));
    sentinels[0].signal("STOP");
    master.signal("STOP");
    until("the replica takes over", || replica.leads().then_some(()));
    for worker in &workers {
        let found = until("a worker is back", || worker.block_on(manager.get(kept.id())).ok());
        assert!(found.is_some(), "an outage logged somebody out");
    }
    until("the cache is on", || {
        let hits = cache.figures().hits;
        block_on(cache.get(kept.id())).ok();
        (cache.figures().hits > hits).then_some(())
    });
}

#[test]
fn a_worker_whose_handler_blocks_keeps_no_other_from_the_master() {
    let master = Server::start(&[]);
    let sentinel = Server::sentinel("sessions", &master);
    let config = RedisConfig::sentinel([sentinel.url()], "sessions").connection_per_worker(true);
    for yields in [1, 3, 6] {
        let manager = open(&config);
        let (says, is_blocked) = mpsc::channel();
        let (go_on, goes_on) = mpsc::channel::<()>();
        let blocker = {
            let manager = manager.clone();
            thread::spawn(move || {
                worker().block_on(async move {
                    let id = new_id();
                    let mut get = pin!(manager.get(&id));
                    for _ in 0..yields {
                        let ended = std::future::poll_fn(|context| {
                            Poll::Ready(get.as_mut().poll(context).is_ready())
                        });
                        if ended.await {
                            break;
                        }
                        tokio::task::yield_now().await;
                    }
                    says.send(()).expect("the test waits");
                    goes_on.recv().expect("the test goes on");
                });
            })
        };
        is_blocked.recv().expect("the worker is blocked");
        assert!(worker().block_on(manager.get(&new_id())).expect("an answer").is_none());
        go_on.send(()).expect("the worker waits");
        blocker.join().expect("the worker ends");
    }
}

/// A session that the server holds, of many.
fn on(manager: &RedisSessionManager, server: &Server) -> SessionId {
    loop {
        let record = record(new_id(), 1, b"v");
        create(manager, &record);
        let key = format!("session:s:{}", text(record.id()));
        let keys: Vec<String> = server.ask(&["KEYS", "*"]);
        if keys.contains(&key) {
            return *record.id();
        }
    }
}

/// Whether a second read of the same session is one from the cache.
fn is_cached(cache: &CachingSessionManager, id: &SessionId) -> bool {
    let read = || block_on(cache.get(id)).expect("an answer").is_some();
    assert!(read());
    let hits = cache.figures().hits;
    assert!(read());
    cache.figures().hits > hits
}

fn cached(manager: &RedisSessionManager) -> CachingSessionManager {
    CachingSessionManager::new(manager.clone(), Coherence::Watching).expect("a cache")
}

#[test]
fn the_keys_of_living_servers_are_cached_while_one_of_a_cluster_is_dead() {
    let cluster = Cluster::start(3, false);
    for node in cluster.nodes() {
        node.ask::<()>(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let manager = open(&RedisConfig::cluster(cluster.urls()));
    let cache = cached(&manager);
    let (dead, living) = (on(&manager, &cluster.masters[0]), on(&manager, &cluster.masters[1]));
    until("the cache is on", || is_cached(&cache, &living).then_some(()));
    cluster.masters[0].signal("KILL");
    until("the dead one is missed", || block_on(cache.get(&dead)).is_err().then_some(()));
    until("the cache is on", || is_cached(&cache, &living).then_some(()));
    // Also for a program that starts now.
    let late = cached(&open(&RedisConfig::cluster(cluster.urls())));
    until("the cache is on", || is_cached(&late, &living).then_some(()));
}

#[test]
fn what_a_server_answers_that_is_not_watched_is_not_cached() {
    let cluster = Cluster::start(2, false);
    let manager = open(&RedisConfig::cluster(cluster.urls()));
    let cache = cached(&manager);
    let [deaf, watched] = &cluster.masters[..] else { panic!("two servers") };
    let (unseen, seen) = (on(&manager, deaf), on(&manager, watched));
    until("the cache is on", || is_cached(&cache, &unseen).then_some(()));
    deaf.ask::<()>(&["ACL", "SETUSER", "default", "-client|tracking"]);
    let clients: String = deaf.ask(&["CLIENT", "LIST"]);
    let feed = clients.lines().find(|client| client.contains(" name=session:feed "));
    let id = feed.and_then(|it| it.strip_prefix("id=")?.split(' ').next()).expect("the feed");
    deaf.ask::<()>(&["CLIENT", "KILL", "ID", id]);
    until("the cache is on", || is_cached(&cache, &seen).then_some(()));
    for version in 2..20 {
        assert!(!is_cached(&cache, &unseen));
        let expect = Expect::Version(Version::new(version - 1));
        let put = block_on(manager.put(&record(unseen, version, b"next"), expect));
        assert_eq!(put.expect("put"), session_core::Outcome::Stored);
        let found = block_on(cache.get(&unseen)).expect("an answer").expect("it is there");
        assert_eq!(found.version(), Version::new(version), "nothing said that it changed");
    }
    deaf.ask::<()>(&["ACL", "SETUSER", "default", "+client|tracking"]);
    until("it is watched again", || is_cached(&cache, &unseen).then_some(()));
}

#[test]
fn a_cluster_that_announces_names_is_reached_by_them_for_everything() {
    let cluster = Cluster::start(3, false);
    let elsewhere = Ipv4Addr::new(127, 0, 0, 3);
    for node in cluster.nodes() {
        node.ask::<()>(&["CONFIG", "SET", "cluster-announce-hostname", "localhost"]);
        node.ask::<()>(&["CONFIG", "SET", "cluster-preferred-endpoint-type", "hostname"]);
    }
    until("all know the names", || {
        let known = |node: &Server| {
            node.ask::<String>(&["CLUSTER", "NODES"]).matches(",localhost").count() == 3
        };
        cluster.nodes().all(known).then_some(())
    });
    // The addresses that the servers know each other by are none that a client reaches.
    for node in cluster.nodes() {
        node.ask::<()>(&["CONFIG", "SET", "bind", &elsewhere.to_string()]);
    }
    let _proxies: Vec<_> = cluster
        .nodes()
        .map(|node| Proxy::replacing((elsewhere, node.port), "127.0.0.1", "192.0.2.1"))
        .collect();
    let seed = format!("redis://localhost:{}", cluster.masters[0].port);
    let (manager, recorder, _watch) = watched(&RedisConfig::cluster([seed]));
    let mut made: Vec<_> = (0..30)
        .map(|_| {
            let record = record(new_id(), 1, b"v");
            create(&manager, &record);
            until("it is read", || block_on(manager.get(record.id())).ok().flatten());
            recorder.hears(Told::Changed(*record.id()));
            *record.id()
        })
        .collect();
    let mut page = block_on(manager.scan(None, 1_000)).expect("a page");
    let mut scanned = page.ids;
    while let Some(next) = page.next {
        page = block_on(manager.scan(Some(&next), 1_000)).expect("a page");
        scanned.append(&mut page.ids);
    }
    scanned.sort_by_key(|id| *id.as_bytes());
    made.sort_by_key(|id| *id.as_bytes());
    assert_eq!(scanned, made);
}

#[test]
fn a_pause_of_the_server_empties_no_cache_and_remakes_no_connection() {
    let server = Server::start(&[]);
    let config = RedisConfig::new(server.url())
        .heartbeat(Duration::from_millis(400))
        .timeout(Duration::from_secs(20));
    let manager = open(&config);
    let cache = cached(&manager);
    let recalled =
        |id: &SessionId| cache.recalling().expect("a cache recalls").recall(id).is_some();
    let ids: Vec<_> = (0..20)
        .map(|_| {
            let record = record(new_id(), 1, b"v");
            create(&manager, &record);
            *record.id()
        })
        .collect();
    until("all are cached", || {
        for id in &ids {
            assert!(block_on(cache.get(id)).expect("an answer").is_some());
        }
        ids.iter().all(&recalled).then_some(())
    });
    let mut connection = server.connect();
    let mut connections = || -> String {
        let info: String = crate::support::ask(&mut connection, &["INFO", "stats"]);
        info.lines().find(|it| it.starts_with("total_connections_received")).unwrap_or("").into()
    };
    let (before, loads) = (connections(), cache.figures().loads);
    server.signal("STOP");
    until("the cache rests", || (!recalled(&ids[0])).then_some(()));
    server.signal("CONT");
    until("the cache is used again", || recalled(&ids[0]).then_some(()));
    assert!(ids.iter().all(&recalled), "all of it");
    assert_eq!((connections(), cache.figures().loads), (before, loads));
}
