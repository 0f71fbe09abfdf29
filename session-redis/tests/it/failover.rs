//! Another server takes over.

use std::{
    future::Future,
    net::TcpListener,
    task::{Context, Waker},
    thread,
    time::Duration,
};

use session_core::{ErrorKind, Expect, ListSessions, Outcome, SessionManager};
use session_redis::{RedisConfig, RedisSessionManager};
use tokio::runtime::Builder;

use crate::{
    feed::{Told, watched},
    support::{Cluster, Load, Server, block_on, create, follows, new_id, record, until},
};

fn manager(config: RedisConfig) -> RedisSessionManager {
    // One replica each: what was answered is with the one that will take over.
    let config = config
        .replicas(1)
        .timeout(Duration::from_secs(1))
        .connect_timeout(Duration::from_millis(300));
    block_on(RedisSessionManager::with_config(&config)).expect("a manager")
}

#[test]
fn a_planned_failover_in_a_cluster_and_the_death_of_a_master_lose_no_answered_write() {
    let cluster = Cluster::start(3, true);
    let load = Load::start(&manager(RedisConfig::cluster(cluster.urls())), 6);
    load.goes_on(20);
    cluster.replicas[0].ask::<()>(&["CLUSTER", "FAILOVER"]);
    until("the replica takes over", || cluster.replicas[0].leads().then_some(()));
    until("the master steps back", || {
        let info: String = cluster.masters[0].ask(&["INFO", "replication"]);
        (info.contains("role:slave") && info.contains("link_status:up")).then_some(())
    });
    load.goes_on(20);
    load.end();
    // Of a part that lost its master nobody is left to confirm, so nobody is asked to.
    let config = RedisConfig::cluster(cluster.urls())
        .timeout(Duration::from_secs(1))
        .connect_timeout(Duration::from_millis(300));
    let manager = block_on(RedisSessionManager::with_config(&config)).expect("a manager");
    let kept: Vec<_> = (0..30).map(|_| record(new_id(), 1, b"kept")).collect();
    for record in &kept {
        create(&manager, record);
    }
    until("the replicas have all", || {
        let held =
            |servers: &[Server]| servers.iter().map(|it| it.ask::<u64>(&["DBSIZE"])).sum::<u64>();
        (held(&cluster.masters) == held(&cluster.replicas)).then_some(())
    });
    cluster.masters[1].signal("KILL");
    until("a replica takes over", || cluster.replicas[1].leads().then_some(()));
    for record in &kept {
        until("every session is there", || match block_on(manager.get(record.id())) {
            Ok(found) => {
                assert!(found.is_some(), "an outage logged somebody out");
                Some(())
            }
            Err(_) => None,
        });
    }
    // A master that hangs is no better than one that died, and harder to notice.
    cluster.masters[2].signal("STOP");
    until("a replica takes over", || cluster.replicas[2].leads().then_some(()));
    let load = Load::start(&manager, 6);
    load.goes_on(20);
    load.end();
    for record in &kept {
        let found = until("reads go on", || block_on(manager.get(record.id())).ok());
        assert!(found.is_some(), "an outage logged somebody out");
    }
}

/// A master, its replica, and a Sentinel that knows both.
fn watched_by_a_sentinel() -> (Server, Server, Server) {
    let args = ["--repl-diskless-sync-delay", "0", "--min-replicas-max-lag", "10"];
    let master = Server::start(&args);
    let port = master.port.to_string();
    let replica = Server::start(&[&args[..], &["--replicaof", "127.0.0.1", &port]].concat());
    follows(&replica, &master);
    let sentinel = Server::sentinel("sessions", &master);
    until("the Sentinel knows both", || {
        let info: String = sentinel.ask(&["INFO", "sentinel"]);
        info.contains("status=ok").then_some(()).filter(|()| info.contains("slaves=1"))
    });
    (master, replica, sentinel)
}

#[test]
fn sentinels_name_the_next_master_and_the_manager_follows() {
    let (master, replica, sentinel) = watched_by_a_sentinel();
    let config = RedisConfig::sentinel([sentinel.url()], "sessions")
        .timeout(Duration::from_secs(1))
        .connect_timeout(Duration::from_millis(300));
    let manager = block_on(RedisSessionManager::with_config(&config)).expect("a manager");
    let kept = record(new_id(), 1, b"kept");
    create(&manager, &kept);
    until("the replica has it", || (replica.ask::<u64>(&["DBSIZE"]) == 1).then_some(()));
    master.signal("KILL");
    until("the replica takes over, and is asked", || match block_on(manager.get(kept.id())) {
        Ok(found) => {
            assert!(found.is_some(), "an outage logged somebody out");
            replica.leads().then_some(())
        }
        Err(_) => None,
    });
    let stored = until("writes are taken", || {
        let next = record(new_id(), 1, b"next");
        block_on(manager.put(&next, Expect::Absent)).ok()
    });
    assert_eq!(stored, Outcome::Stored);
    let wrong = RedisConfig::sentinel([sentinel.url()], "another");
    let error = block_on(RedisSessionManager::with_config(&wrong)).expect_err("no such name");
    assert!(error.to_string().contains("Sentinel"), "{error}");
}

#[test]
fn once_the_feed_is_with_the_next_master_no_call_goes_to_the_last_one() {
    let (master, replica, sentinel) = watched_by_a_sentinel();
    let config = RedisConfig::sentinel([sentinel.url()], "sessions")
        .connection_per_worker(true)
        .heartbeat(Duration::from_millis(400))
        .connect_timeout(Duration::from_millis(300));
    let (manager, recorder, _watch) = watched(&config);
    let kept = record(new_id(), 1, b"kept");
    create(&manager, &kept);
    let worker = Builder::new_current_thread().enable_all().build().expect("a runtime");
    assert!(worker.block_on(manager.get(kept.id())).expect("an answer").is_some());
    until("the replica has it", || (replica.ask::<u64>(&["DBSIZE"]) == 1).then_some(()));
    // Nobody calls meanwhile, so no call is there to find the connections silent.
    master.signal("STOP");
    recorder.hears(Told::Broken);
    recorder.hears(Told::Alive);
    assert!(replica.leads());
    assert!(worker.block_on(manager.get(kept.id())).expect("an answer").is_some());
    assert!(block_on(manager.get(kept.id())).expect("an answer").is_some());
}

#[test]
fn the_feed_of_a_cluster_begins_though_the_first_nodes_that_were_named_are_silent() {
    let cluster = Cluster::start(3, false);
    let silent: Vec<_> =
        (0..4).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    let urls = silent
        .iter()
        .map(|node| format!("redis://{}", node.local_addr().expect("the address of the listener")));
    let config = RedisConfig::cluster(urls.chain(cluster.urls()))
        .connect_timeout(Duration::from_millis(500));
    let (manager, recorder, _watch) = watched(&config);
    let record = record(new_id(), 1, b"v");
    create(&manager, &record);
    recorder.hears(Told::Changed(*record.id()));
}

#[test]
fn a_scan_that_nobody_polls_keeps_no_other_call_from_the_sentinels() {
    let master = Server::start(&[]);
    let sentinel = Server::sentinel("sessions", &master);
    let config = RedisConfig::sentinel([sentinel.url()], "sessions");
    let manager = block_on(RedisSessionManager::with_config(&config)).expect("a manager");
    master.ask::<()>(&["CLIENT", "KILL", "TYPE", "normal"]);
    let lost = || format!("{manager:?}").contains("connected: false").then_some(());
    until("the connection is lost", lost);
    sentinel.signal("STOP");
    let mut left = Box::pin(manager.scan(None, 10));
    let polled = left.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "it waits for the Sentinel");
    sentinel.signal("CONT");
    assert!(block_on(manager.get(&new_id())).expect("an answer").is_none());
    assert!(block_on(left).expect("an answer").ids.is_empty());
}

#[test]
fn a_scan_of_a_frozen_cluster_ends_with_the_time_out() {
    let cluster = Cluster::start(3, false);
    let config = RedisConfig::cluster(cluster.urls())
        .timeout(Duration::from_millis(400))
        .connect_timeout(Duration::from_secs(3_600));
    let manager = block_on(RedisSessionManager::with_config(&config)).expect("a manager");
    for node in cluster.nodes() {
        node.signal("STOP");
    }
    let scan = thread::spawn(move || block_on(manager.scan(None, 10)));
    until("the scan ends", || scan.is_finished().then_some(()));
    let error = scan.join().expect("no panic").expect_err("no answer");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn a_frozen_master_of_a_cluster_keeps_nobody_from_the_others() {
    let cluster = Cluster::start(3, false);
    for node in cluster.nodes() {
        node.ask::<()>(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let config = RedisConfig::cluster(cluster.urls())
        .timeout(Duration::from_secs(1))
        .connect_timeout(Duration::from_millis(500));
    let manager = block_on(RedisSessionManager::with_config(&config)).expect("a manager");
    let on = |master: &Server| loop {
        let record = record(new_id(), 1, b"v");
        let before: u64 = master.ask(&["DBSIZE"]);
        create(&manager, &record);
        if master.ask::<u64>(&["DBSIZE"]) > before {
            break *record.id();
        }
    };
    let (frozen, other) = (on(&cluster.masters[0]), on(&cluster.masters[1]));
    cluster.masters[0].signal("STOP");
    let clone = manager.clone();
    let asked = thread::spawn(move || {
        for _ in 0..5 {
            block_on(clone.get(&frozen)).expect_err("it cannot answer");
        }
    });
    let mut answers = 0;
    until("the frozen one was asked", || {
        assert!(block_on(manager.get(&other)).expect("an answer").is_some());
        answers += 1;
        asked.is_finished().then_some(())
    });
    asked.join().expect("no answer from the frozen one");
    assert!(answers > 5, "{answers}");
    cluster.masters[0].signal("CONT");
    let found = until("it answers again", || block_on(manager.get(&frozen)).ok());
    assert!(found.is_some(), "an outage logged somebody out");
}
