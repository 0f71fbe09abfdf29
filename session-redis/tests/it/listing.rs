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
    asked(&[("evalsha", 1), ("getrange", 1), ("set", 1)]);
    assert_eq!(listed(&manager, &ALICE), [id]);
}

#[test]
fn an_index_holds_each_session_once_until_it_is_removed() {
    let server = Server::start(&[]);
    let manager = manager(&server);
    let count = |tag: &str| server.ask::<u64>(&["ZCARD", &index(tag)]);
    let id = new_id();
    let put = |version: u64, tag: PrincipalTag| {
        let expect = match version {
            1 => Expect::Absent,
            _ => Expect::Version(Version::new(version - 1)),
        };
        block_on(manager.put(&tagged(id, version, tag, b"v"), expect)).unwrap()
    };
    assert_eq!(put(1, ALICE), Outcome::Stored);
    // A later end of the same session: its entry lasts longer.
    assert_eq!(put(2, ALICE), Outcome::Stored);
    assert_eq!(count("a1"), 1);
    // A refused write takes no entry that a session needs.
    assert_eq!(put(1, ALICE), Outcome::Conflict);
    assert_eq!(listed(&manager, &ALICE), [id]);
    assert_eq!(put(3, BOB), Outcome::Stored);
    assert_eq!(listed(&manager, &BOB), [id]);
    assert!(server.ask::<u64>(&["PTTL", &index("b0")]) > 3_600_000, "the index ends too");
    assert_eq!(block_on(manager.remove(&id, None)).unwrap(), Removal::Removed);
    until("the entry leaves", || (count("b0") == 0).then_some(()));
    assert_eq!(listed(&manager, &ALICE), [], "what is gone is in no list");
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
fn entries_of_sessions_that_idled_away_leave_when_they_were_looked_for_twice() {
    let server = Server::start(&[]);
    let config =
        RedisConfig::new(server.url()).slack(Duration::ZERO).timeout(Duration::from_millis(200));
    let manager = block_on(RedisSessionManager::with_config(&config)).expect("a manager");
    for _ in 0..50 {
        create(&manager, &lasting(new_id(), 1, Some(ALICE), Duration::from_millis(20), HOUR, b"v"));
    }
    let kept = tagged(new_id(), 1, ALICE, b"v");
    create(&manager, &kept);
    until("they idle away", || (server.ask::<u64>(&["DBSIZE"]) == 2).then_some(()));
    until("their entries leave", || {
        assert_eq!(listed(&manager, &ALICE), [*kept.id()]);
        (server.ask::<u64>(&["ZCARD", &index("a1")]) == 1).then_some(())
    });
}

#[test]
fn a_session_whose_end_comes_nearer_between_two_pages_is_listed() {
    let server = Server::start(&[]);
    let manager = manager(&server);
    let put = |id: SessionId, version: u64, lifetime: Duration| {
        let expect = match version {
            1 => Expect::Absent,
            _ => Expect::Version(Version::new(version - 1)),
        };
        let record = lasting(id, version, Some(ALICE), lifetime, lifetime, b"v");
        assert_eq!(block_on(manager.put(&record, expect)).unwrap(), Outcome::Stored);
    };
    let (first, second) = (new_id(), new_id());
    put(first, 1, 10 * HOUR);
    put(second, 1, 20 * HOUR);
    let page = block_on(manager.by_principal(&ALICE, None, 1)).unwrap();
    assert_eq!(page.ids, [first]);
    put(second, 2, 5 * HOUR);
    let page = block_on(manager.by_principal(&ALICE, page.next.as_ref(), 1)).unwrap();
    assert_eq!(page.ids, [second]);
}

#[test]
fn entries_that_are_due_together_are_all_listed_whatever_the_pages() {
    let server = Server::start(&[]);
    let manager = manager(&server);
    let mut connection = server.connect();
    let mut expected = HashSet::new();
    for at in 0..40 {
        let record = tagged(new_id(), 1, ALICE, b"v");
        create(&manager, &record);
        // Four at a time.
        let due = format!("{}", 4_000_000_000_000_u64 + at / 4);
        let mut add = redis::cmd("ZADD");
        add.arg(index("a1")).arg(due).arg(record.id().as_bytes());
        add.query::<()>(&mut connection).expect("an answer");
        expected.insert(*record.id());
    }
    for limit in [1, 3, 7, 100] {
        let (mut found, mut cursor) = (Vec::new(), None::<Cursor>);
        loop {
            let page = block_on(manager.by_principal(&ALICE, cursor.as_ref(), limit)).unwrap();
            assert!(page.ids.len() <= limit);
            found.extend(page.ids);
            let Some(next) = page.next else { break };
            cursor = Some(next);
        }
        assert_eq!(found.len(), 40, "none twice");
        assert_eq!(found.into_iter().collect::<HashSet<_>>(), expected);
    }
}

#[test]
fn a_touch_brings_back_an_entry_that_a_failover_lost() {
    let server = Server::start(&[]);
    let manager = manager(&server);
    let record = tagged(new_id(), 1, ALICE, b"v");
    create(&manager, &record);
    assert!(server.ask::<bool>(&["DEL", &index("a1")]));
    assert_eq!(listed(&manager, &ALICE), []);
    touch(&manager, record.id(), crate::support::now().saturating_add(HOUR));
    until("it is listed again", || (listed(&manager, &ALICE) == [*record.id()]).then_some(()));
    assert!(server.ask::<u64>(&["PTTL", &index("a1")]) > 3_600_000, "until its end");
}

#[test]
fn a_list_costs_as_much_for_each_session_however_many_there_are() {
    let server = Server::start(&[]);
    let manager = manager(&server);
    let mut cost = Vec::new();
    for (tag, sessions) in [(ALICE, 200), (BOB, 2_000)] {
        for _ in 0..sessions {
            create(&manager, &tagged(new_id(), 1, tag, b"v"));
        }
        commands(&server);
        let (mut found, mut cursor) = (0, None::<Cursor>);
        loop {
            let page = block_on(manager.by_principal(&tag, cursor.as_ref(), 100)).unwrap();
            found += page.ids.len();
            let Some(next) = page.next else { break };
            cursor = Some(next);
        }
        assert_eq!(found, sessions);
        let asked: u64 = commands(&server).into_iter().map(|(_, calls)| calls).sum();
        cost.push((asked, u64::try_from(sessions).expect("a number")));
    }
    let [(few, of_few), (many, of_many)] = cost[..] else { panic!("two lists") };
    assert!(2 * many * of_few <= 3 * few * of_many, "{few} and {many} commands");
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
