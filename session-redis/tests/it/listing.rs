//! Indexes, scans, and what they cost.

use std::{collections::HashSet, time::Duration};

use session_core::{
    Cursor, ErrorKind, Expect, ListSessions, Outcome, PrincipalTag, Removal, SessionId,
    SessionManager, Version,
};
use session_redis::{RedisConfig, RedisSessionManager};

use crate::support::{
    HOUR, Server, ask, block_on, create, lasting, new_id, record, tagged, touch, until,
};

const ALICE: PrincipalTag = PrincipalTag::from_bytes([0xa1; 16]);
const BOB: PrincipalTag = PrincipalTag::from_bytes([0xb0; 16]);

fn manager(server: &Server) -> RedisSessionManager {
    let config = RedisConfig::new(server.url()).slack(Duration::ZERO);
    block_on(RedisSessionManager::with_config(&config)).expect("a manager")
}

fn index(tag: &str) -> String {
    format!("session:p:{}", tag.repeat(16))
}

fn listed(manager: &RedisSessionManager, tag: &PrincipalTag) -> Vec<SessionId> {
    block_on(manager.by_principal(tag, None, 100)).unwrap().ids
}

/// How often the server ran each command since it was asked last.
fn commands(server: &Server) -> Vec<(String, u64)> {
    let mut connection = server.connect();
    let stats: String = ask(&mut connection, &["INFO", "commandstats"]);
    ask::<()>(&mut connection, &["CONFIG", "RESETSTAT"]);
    let of_calls = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let calls = rest.split(',').next()?.parse().ok()?;
        Some((name.to_owned(), calls))
    };
    let ours =
        |name: &str| !["info", "config|resetstat", "hello", "client|setinfo"].contains(&name);
    stats.lines().filter_map(of_calls).filter(|(name, _)| ours(name)).collect()
}

#[test]
fn a_call_is_one_command_unless_the_index_has_to_change() {
    let server = Server::start(&[]);
    let manager = manager(&server);
    let id = new_id();
    let asked = |expected: &[(&str, u64)]| {
        let found: HashSet<_> = commands(&server).into_iter().collect();
        let expected: HashSet<_> =
            expected.iter().map(|(name, calls)| ((*name).to_owned(), *calls)).collect();
        assert_eq!(found, expected);
    };
    let put = |version: u64, tag: Option<PrincipalTag>, lifetime: Duration| {
        let expect = match version {
            1 => Expect::Absent,
            _ => Expect::Version(Version::new(version - 1)),
        };
        let end = session_core::Timestamp::from_millis(4_000_000_000_000).saturating_add(lifetime);
        let record = crate::support::ending(id, version, tag, end, end, b"value");
        assert_eq!(block_on(manager.put(&record, expect)).unwrap(), Outcome::Stored);
    };
    // The scripts are seen first.
    let early = record(new_id(), 1, b"v");
    create(&manager, &early);
    touch(&manager, early.id(), crate::support::now().saturating_add(HOUR));
    block_on(manager.remove(early.id(), None)).unwrap();
    let other = tagged(new_id(), 1, BOB, b"v");
    create(&manager, &other);
    until("the policy was asked for", || {
        server.ask::<String>(&["INFO", "commandstats"]).contains("cmdstat_info").then_some(())
    });
    commands(&server);

    put(1, None, HOUR);
    asked(&[("evalsha", 1), ("getrange", 1), ("set", 1)]);
    block_on(manager.get(&id)).unwrap();
    asked(&[("get", 1)]);
    block_on(manager.exists(&id)).unwrap();
    asked(&[("getrange", 1)]);
    put(2, None, HOUR);
    asked(&[("evalsha", 1), ("getrange", 1), ("set", 1)]);
    let later = crate::support::now().saturating_add(HOUR);
    let touched = block_on(manager.touch(&id, Version::new(2), later)).unwrap();
    assert_eq!(touched, Outcome::Stored);
    asked(&[("evalsha", 1), ("getrange", 1), ("setrange", 1), ("pexpire", 1)]);
    // A login: the server says that it needs the index, is given it, and is asked again.
    put(3, Some(ALICE), HOUR);
    let login = commands(&server);
    assert!(login.contains(&("evalsha".to_owned(), 3)), "{login:?}");
    put(4, Some(ALICE), HOUR);
    asked(&[("evalsha", 1), ("getrange", 2), ("set", 1)]);
    assert_eq!(listed(&manager, &ALICE), [id]);
}

#[test]
fn an_index_holds_each_session_once_and_goes_with_the_last() {
    let server = Server::start(&[]);
    let manager = manager(&server);
    let count = |tag: &str| server.ask::<u64>(&["ZCARD", &index(tag)]);
    let becomes = |tag: &str, expected: u64| {
        until("the index changes", || (count(tag) == expected).then_some(()));
    };
    let id = new_id();
    let put = |version: u64, tag: PrincipalTag| {
        let expect = match version {
            1 => Expect::Absent,
            _ => Expect::Version(Version::new(version - 1)),
        };
        block_on(manager.put(&tagged(id, version, tag, b"v"), expect)).unwrap()
    };
    assert_eq!(put(1, ALICE), Outcome::Stored);
    // A later end of the same session: one entry takes the place of the other.
    assert_eq!(put(2, ALICE), Outcome::Stored);
    becomes("a1", 1);
    // What was refused leaves nothing behind.
    assert_eq!(put(1, ALICE), Outcome::Conflict);
    becomes("a1", 1);
    assert_eq!(put(3, BOB), Outcome::Stored);
    becomes("a1", 0);
    becomes("b0", 1);
    assert!(server.ask::<u64>(&["PTTL", &index("b0")]) > 3_600_000, "the index ends too");
    assert_eq!(block_on(manager.remove(&id, None)).unwrap(), Removal::Removed);
    becomes("b0", 0);
}

#[test]
fn entries_of_dead_sessions_leave_when_the_index_is_used() {
    let server = Server::start(&[]);
    let manager = manager(&server);
    let short = Duration::from_millis(20);
    for _ in 0..5 {
        let record = lasting(new_id(), 1, Some(ALICE), short, short, b"v");
        create(&manager, &record);
    }
    let lasting = tagged(new_id(), 1, ALICE, b"v");
    create(&manager, &lasting);
    until("the dead leave", || (listed(&manager, &ALICE) == [*lasting.id()]).then_some(()));
    assert_eq!(server.ask::<u64>(&["ZCARD", &index("a1")]), 1);
}

#[test]
fn a_scan_passes_over_what_is_not_ours_in_pages_that_end() {
    let server = Server::start(&[]);
    let manager = manager(&server);
    let mut connection = server.connect();
    let mut expected = HashSet::new();
    for at in 0..300 {
        ask::<()>(&mut connection, &["SET", &format!("session:s:other-{at}"), "x"]);
        ask::<()>(&mut connection, &["SET", &format!("elsewhere:{at}"), "x"]);
        let record = record(new_id(), 1, b"v");
        create(&manager, &record);
        expected.insert(*record.id());
    }
    for limit in [1, 7, 5_000] {
        let mut found = HashSet::new();
        let mut cursor: Option<Cursor> = None;
        loop {
            let page = block_on(manager.scan(cursor.as_ref(), limit)).unwrap();
            assert!(page.ids.len() <= limit);
            found.extend(page.ids);
            let Some(next) = page.next else { break };
            cursor = Some(next);
        }
        assert_eq!(found, expected);
    }
    let foreign = Cursor::new(*b"nonsense");
    let error = block_on(manager.scan(Some(&foreign), 1)).expect_err("no cursor of ours");
    assert_eq!(error.kind(), ErrorKind::Config);
}
