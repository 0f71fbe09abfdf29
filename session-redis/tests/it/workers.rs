//! Workers with connections of their own.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};

use session_core::{Expect, Outcome, Record, SessionManager};
use session_redis::{RedisConfig, RedisSessionManager};
use tokio::runtime::{Builder, Runtime};

use crate::support::{self, Server, block_on, create, new_id, until};

/// A runtime of one thread, as each worker of actix-web is.
fn worker() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// The connections that have read a record and done nothing since.
fn readers(server: &Server) -> usize {
    server.ask::<String>(&["CLIENT", "LIST"]).matches(" cmd=get ").count()
}

fn stored(config: &RedisConfig) -> (RedisSessionManager, Arc<Record>) {
    let manager = block_on(RedisSessionManager::with_config(config)).expect("a manager");
    let record = support::record(new_id(), 1, b"value");
    create(&manager, &record);
    (manager, record)
}

async fn read(manager: &RedisSessionManager, record: &Record) {
    assert!(manager.get(record.id()).await.expect("get").is_some());
}

#[test]
fn workers_share_a_connection_unless_it_is_said_otherwise() {
    let server = Server::start(&[]);
    let (manager, record) = stored(&RedisConfig::new(server.url()));
    let (first, second) = (worker(), worker());
    first.block_on(read(&manager, &record));
    second.block_on(read(&manager, &record));
    // Without timers and sockets, which the manager's own thread has.
    Builder::new_current_thread().build().expect("a runtime").block_on(read(&manager, &record));
    assert_eq!(readers(&server), 1);
}

#[test]
fn a_worker_has_a_connection_of_its_own_that_ends_with_it() {
    let server = Server::start(&[]);
    let (manager, record) = stored(&RedisConfig::new(server.url()).connection_per_worker(true));
    let (first, second) = (worker(), worker());
    for _ in 0..3 {
        first.block_on(read(&manager, &record));
        second.block_on(read(&manager, &record));
    }
    assert_eq!(readers(&server), 2);
    block_on(read(&manager, &record));
    let several = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    several.expect("a runtime").block_on(read(&manager, &record));
    assert_eq!(readers(&server), 3, "and one for everybody else");
    drop(first);
    until("the connection has ended", || (readers(&server) == 2).then_some(()));
    drop(manager);
    until("those of the manager have ended", || {
        second.block_on(tokio::task::yield_now());
        (readers(&server) == 0).then_some(())
    });
}

#[test]
fn a_read_outlives_the_worker_it_was_begun_on() {
    let server = Server::start(&[]);
    let (manager, record) = stored(&RedisConfig::new(server.url()).connection_per_worker(true));
    let (first, second) = (worker(), worker());
    first.block_on(read(&manager, &record));
    let mut get = pin!(manager.get(record.id()));
    first.block_on(poll_fn(|context| {
        assert!(get.as_mut().poll(context).is_pending(), "nothing has been sent yet");
        Poll::Ready(())
    }));
    drop(first);
    assert!(second.block_on(get).expect("get").is_some());
}

#[test]
fn a_worker_whose_connection_is_killed_makes_another_one() {
    let server = Server::start(&[]);
    let (manager, record) = stored(&RedisConfig::new(server.url()).connection_per_worker(true));
    let worker = worker();
    worker.block_on(read(&manager, &record));
    server.ask::<()>(&["CLIENT", "KILL", "TYPE", "normal"]);
    worker.block_on(read(&manager, &record));
    let another = support::record(new_id(), 1, b"value");
    let outcome = worker.block_on(manager.put(&another, Expect::Absent)).expect("put");
    assert_eq!(outcome, Outcome::Stored);
}
