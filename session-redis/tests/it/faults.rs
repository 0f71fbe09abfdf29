//! Servers that die, hang and hang up in the middle of load.

use std::{
    future::Future,
    task::{Context, Waker},
    time::Duration,
};

use session_core::SessionManager;
use session_redis::{RedisConfig, RedisSessionManager};

use crate::support::{Load, Server, block_on, new_id, until};

const WRITERS: usize = 3;

/// A server that has on its disk what it answers.
fn durable() -> Server {
    Server::start(&["--appendonly", "yes", "--appendfsync", "always"])
}

fn impatient(server: &Server) -> RedisSessionManager {
    let config = RedisConfig::new(server.url())
        .timeout(Duration::from_millis(400))
        .connect_timeout(Duration::from_millis(200));
    block_on(RedisSessionManager::with_config(&config)).expect("a manager")
}

#[test]
fn what_was_answered_survives_kill_nine_of_the_server() {
    let mut server = durable();
    let load = Load::start(&impatient(&server), WRITERS);
    for _ in 0..3 {
        load.goes_on(50);
        server.signal("KILL");
        load.is_hit();
        server.restart();
    }
    load.goes_on(50);
    load.end();
}

#[test]
fn a_connection_that_is_killed_is_replaced() {
    let server = durable();
    let load = Load::start(&impatient(&server), WRITERS);
    for _ in 0..20 {
        load.goes_on(5);
        // The killer's own connection is spared.
        server.ask::<()>(&["CLIENT", "KILL", "TYPE", "normal"]);
    }
    load.goes_on(50);
    load.end();
}

#[test]
fn nobody_waits_for_a_frozen_server_and_its_return_is_noticed() {
    let server = durable();
    let load = Load::start(&impatient(&server), WRITERS);
    for _ in 0..2 {
        load.goes_on(20);
        server.signal("STOP");
        load.is_hit();
        load.is_hit();
        server.signal("CONT");
    }
    load.goes_on(50);
    load.end();
}

#[test]
fn a_server_that_pauses_its_clients_is_waited_for_no_longer_than_the_time_out() {
    let server = durable();
    let load = Load::start(&impatient(&server), WRITERS);
    load.goes_on(20);
    server.ask::<()>(&["CLIENT", "PAUSE", "1500", "ALL"]);
    load.is_hit();
    load.goes_on(50);
    load.end();
}

#[test]
fn a_call_that_nobody_polls_keeps_no_other_from_connecting() {
    let server = Server::start(&[]);
    let manager = block_on(RedisSessionManager::new(&server.url())).expect("a manager");
    let id = new_id();
    server.ask::<()>(&["CLIENT", "KILL", "TYPE", "normal"]);
    let lost = || format!("{manager:?}").contains("connected: false").then_some(());
    until("the connection is lost", lost);
    server.signal("STOP");
    let mut left = Box::pin(manager.get(&id));
    let polled = left.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "it waits for a connection");
    server.signal("CONT");
    assert!(block_on(manager.get(&id)).expect("an answer").is_none());
    assert!(block_on(left).expect("an answer").is_none());
}
