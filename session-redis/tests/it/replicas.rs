//! Writes that wait for replicas.

use std::{sync::Arc, thread};

use session_core::{Expect, Outcome, SessionManager};
use session_redis::{RedisConfig, RedisSessionManager};

use crate::support::{Server, block_on, follows, new_id, record};

#[test]
fn writes_that_come_together_are_confirmed_together() {
    let master = Server::start(&["--repl-diskless-sync-delay", "0"]);
    let port = master.port.to_string();
    let replica = Server::start(&["--replicaof", "127.0.0.1", &port]);
    follows(&replica, &master);
    let config = RedisConfig::new(master.url()).replicas(1);
    let manager = block_on(RedisSessionManager::with_config(&config)).expect("a manager");
    let manager = Arc::new(manager);
    let writers: Vec<_> = (0..16)
        .map(|_| {
            let manager = Arc::clone(&manager);
            thread::spawn(move || {
                for _ in 0..50 {
                    let put = block_on(manager.put(&record(new_id(), 1, b"v"), Expect::Absent));
                    assert_eq!(put.expect("put"), Outcome::Stored);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().expect("no panic");
    }
    assert_eq!(replica.ask::<u64>(&["DBSIZE"]), 800, "what was answered is there");
    let stats: String = master.ask(&["INFO", "commandstats"]);
    let waits = stats.lines().find_map(|it| it.strip_prefix("cmdstat_wait:calls="));
    let waits: u64 = waits.and_then(|it| it.split(',').next()?.parse().ok()).expect("waits");
    assert!(waits < 400, "{waits} for 800 writes");
}
