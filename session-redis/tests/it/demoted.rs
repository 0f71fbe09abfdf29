//! A master that is demoted between a write and the wait for its replicas. No real one can be made
//! to be at just that moment, so this one only says so.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use session_core::{ErrorKind, Expect, SessionManager};
use session_redis::{RedisConfig, RedisSessionManager};

use crate::support::{block_on, hello, new_id, record, scripted};

#[test]
fn a_write_that_was_done_is_not_sent_again_because_its_wait_was_refused() {
    let written = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&written);
    let address = scripted(move |words| match words[0].as_slice() {
        b"HELLO" => hello("7.0.15", "master"),
        // The scripts that store; that which is tried at the start has no arguments.
        b"EVALSHA" if words.len() > 4 => {
            counted.fetch_add(1, Ordering::SeqCst);
            b"$1\r\nS\r\n".to_vec()
        }
        b"WAIT" if words[1] != b"0" => b"-MASTERDOWN Link with MASTER is down\r\n".to_vec(),
        _ => b"+OK\r\n".to_vec(),
    });
    let config = RedisConfig::new(format!("redis://{address}")).replicas(1);
    let manager = block_on(RedisSessionManager::with_config(&config)).expect("a manager");
    let record = record(new_id(), 1, b"value");
    let error = block_on(manager.put(&record, Expect::Absent)).expect_err("nobody waited");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(written.load(Ordering::SeqCst), 1);
}
