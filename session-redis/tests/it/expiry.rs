//! The server clears away; the clock decides.

use std::{sync::Arc, time::Duration};

use session_core::{Clock, Expect, ManualClock, Outcome, Removal, SessionManager, Version};
use session_redis::{RedisConfig, RedisSessionManager};

use crate::support::{
    HOUR, Server, block_on, create, ending, lasting, new_id, now, text, touch, until,
};

fn manager(server: &Server, slack: Duration) -> RedisSessionManager {
    let config = RedisConfig::new(server.url()).slack(slack);
    block_on(RedisSessionManager::with_config(&config)).expect("a manager")
}

#[test]
fn the_server_keeps_a_session_for_what_is_left_of_it_and_the_slack() {
    let server = Server::start(&[]);
    let manager = manager(&server, Duration::from_secs(100));
    let record = lasting(new_id(), 1, None, HOUR, 2 * HOUR, b"value");
    let key = format!("session:s:{}", text(record.id()));
    create(&manager, &record);
    let left: u64 = server.ask(&["PTTL", &key]);
    assert!((3_600_000..=3_700_000).contains(&left), "{left}");
    let later = now().saturating_add(Duration::from_secs(5_400));
    touch(&manager, record.id(), later);
    let left: u64 = server.ask(&["PTTL", &key]);
    assert!((5_400_000..=5_500_000).contains(&left), "{left}");
    // Beyond the absolute deadline no touch leads.
    touch(&manager, record.id(), later.saturating_add(9 * HOUR));
    let left: u64 = server.ask(&["PTTL", &key]);
    assert!((7_100_000..=7_300_000).contains(&left), "{left}");
}

#[test]
fn the_server_removes_what_is_past_its_time() {
    let server = Server::start(&[]);
    let manager = manager(&server, Duration::ZERO);
    let short = Duration::from_millis(30);
    let record = lasting(new_id(), 1, None, short, short, b"value");
    let key = format!("session:s:{}", text(record.id()));
    assert_eq!(block_on(manager.put(&record, Expect::Absent)).unwrap(), Outcome::Stored);
    until("the server removes it", || (!server.ask::<bool>(&["EXISTS", &key])).then_some(()));
}

#[test]
fn a_program_s_clock_far_from_the_server_s_ends_no_session() {
    let server = Server::start(&[]);
    for start in [now().saturating_sub(1_000 * HOUR), now().saturating_add(1_000 * HOUR)] {
        let clock = Arc::new(ManualClock::at(start));
        let config = RedisConfig::new(server.url()).clock(clock.clone());
        let manager = block_on(RedisSessionManager::with_config(&config)).expect("a manager");
        let end = start.saturating_add(HOUR);
        let record = ending(new_id(), 1, None, end, end, b"value");
        create(&manager, &record);
        let left: u64 = server.ask(&["PTTL", &format!("session:s:{}", text(record.id()))]);
        assert!(left > 3_590_000, "{left}");
        assert!(block_on(manager.get(record.id())).unwrap().is_some());
        clock.advance(HOUR);
        assert!(block_on(manager.get(record.id())).unwrap().is_none());
        assert_eq!(clock.now(), end);
    }
}

#[test]
fn deadlines_at_the_end_of_time_are_no_error() {
    let server = Server::start(&[]);
    let manager = manager(&server, Duration::MAX);
    let end = session_core::Timestamp::MAX;
    let tag = session_core::PrincipalTag::from_bytes([1; 16]);
    let record = ending(new_id(), 1, Some(tag), end, end, b"value");
    assert_eq!(block_on(manager.put(&record, Expect::Absent)).unwrap(), Outcome::Stored);
    let touched = block_on(manager.touch(record.id(), Version::FIRST, end)).unwrap();
    assert_eq!(touched, Outcome::Stored);
    assert!(block_on(manager.get(record.id())).unwrap().is_some());
}

#[test]
fn what_is_expired_for_one_program_is_removed_for_all() {
    let server = Server::start(&[]);
    let base = now();
    let at = |clock: &Arc<ManualClock>| {
        let config = RedisConfig::new(server.url()).clock(clock.clone());
        block_on(RedisSessionManager::with_config(&config)).expect("a manager")
    };
    let (right, ahead) = (
        Arc::new(ManualClock::at(base)),
        Arc::new(ManualClock::at(base.saturating_add(Duration::from_secs(60)))),
    );
    let (right, ahead) = (at(&right), at(&ahead));
    let end = base.saturating_add(Duration::from_secs(30));
    let record = ending(new_id(), 1, None, end, end, b"value");
    create(&right, &record);
    let another = Version::new(7);
    assert_eq!(block_on(ahead.remove(record.id(), Some(another))).unwrap(), Removal::Gone);
    assert!(block_on(right.get(record.id())).unwrap().is_some(), "another version was meant");
    assert_eq!(block_on(ahead.remove(record.id(), None)).unwrap(), Removal::Gone);
    assert!(block_on(right.get(record.id())).unwrap().is_none());
}
