//! Something on the way forgets a connection that nothing passes over.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use session_core::{Expect, Outcome, SessionManager};
use session_redis::{RedisConfig, RedisSessionManager};

use crate::support::{Proxy, Server, block_on, create, new_id, record, until};

#[test]
fn calls_after_a_silence_find_that_the_connection_was_forgotten_and_succeed() {
    let server = Server::start(&[]);
    let proxy = Proxy::forgetting(server.port, Duration::from_millis(200));
    let config = RedisConfig::new(proxy.url()).keep_alive(Duration::from_secs(1));
    let manager = block_on(RedisSessionManager::with_config(&config)).expect("a manager");
    let kept = record(new_id(), 1, b"kept");
    create(&manager, &kept);
    let silence = || {
        let began = Instant::now();
        until("a silence", || (began.elapsed() > Duration::from_millis(1_100)).then_some(()));
    };
    let before = proxy.connections();
    silence();
    let reads: Vec<_> = (0..8)
        .map(|_| {
            let (manager, kept) = (manager.clone(), Arc::clone(&kept));
            thread::spawn(move || block_on(manager.get(kept.id())).expect("an answer").is_some())
        })
        .collect();
    for read in reads {
        assert!(read.join().expect("no panic"));
    }
    assert!(proxy.connections() > before, "over another connection");
    silence();
    let put = block_on(manager.put(&record(new_id(), 1, b"new"), Expect::Absent));
    assert_eq!(put.expect("a write is sent over a connection that answers"), Outcome::Stored);
}

#[test]
fn a_call_over_a_way_that_goes_mute_says_which_server_did_not_answer() {
    let server = Server::start(&[]);
    let proxy = Proxy::forgetting(server.port, Duration::from_secs(3_600));
    let config = RedisConfig::new(proxy.url()).timeout(Duration::from_millis(300));
    let manager = block_on(RedisSessionManager::with_config(&config)).expect("a manager");
    let id = new_id();
    assert!(block_on(manager.get(&id)).expect("an answer").is_none());
    proxy.mute();
    let error = block_on(manager.get(&id)).expect_err("no answer");
    assert!(error.to_string().contains(&format!("127.0.0.1:{}", proxy.port)), "{error}");
    assert!(error.to_string().contains("within the time-out"), "{error}");
}
