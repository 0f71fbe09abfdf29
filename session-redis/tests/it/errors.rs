//! What the server refuses, and what is said of it.

use std::{error::Error as _, time::Duration};

use session_core::{Error, ErrorKind, Expect, Outcome, Removal, SessionManager, Version};
use session_redis::{RedisConfig, RedisSessionManager};

use crate::support::{
    Server, block_on, create, follows, free_port, new_id, now, record, text, until,
};

fn open(config: &RedisConfig) -> Result<RedisSessionManager, Error> {
    block_on(RedisSessionManager::with_config(config))
}

fn manager(server: &Server) -> RedisSessionManager {
    open(&RedisConfig::new(server.url())).expect("a manager")
}

/// All that a log may show of an error.
fn shown(error: &Error) -> String {
    let mut shown = format!("{error} {error:?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        shown = format!("{shown} {error} {error:?}");
        cause = error.source();
    }
    shown
}

#[track_caller]
fn refused(result: Result<RedisSessionManager, Error>, kind: ErrorKind, says: &str) {
    let error = result.expect_err("refused");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(says), "{error}");
    assert!(!shown(&error).contains("secret"), "{}", shown(&error));
}

#[test]
fn what_cannot_be_right_is_refused_at_the_start_with_what_to_change() {
    let server = Server::start(&[]);
    server.ask::<()>(&["CONFIG", "SET", "requirepass", "secret"]);
    let port = server.port;
    let config = |url: &str| RedisConfig::new(url);
    let (kind, none) = (ErrorKind::Config, "user or the password");
    refused(open(&config(&server.url())), kind, none);
    refused(open(&config(&format!("redis://:secret-not@127.0.0.1:{port}"))), kind, none);
    refused(open(&config(&format!("redis://u:secret-not@127.0.0.1:{port}"))), kind, none);
    refused(open(&config(&server.url()).password("secret-not")), kind, none);
    let url = format!("redis://:secret@127.0.0.1:{port}/9999");
    refused(open(&config(&url)), kind, "no database of that number");
    refused(open(&config("http://secret@127.0.0.1")), kind, "redis://");
    refused(open(&config("secret")), kind, "redis://");
    refused(open(&config(&server.url()).prefix("a{b}")), kind, "prefix");
    refused(open(&config(&server.url()).heartbeat(Duration::from_millis(1))), kind, "heartbeat");
    let right = config(&server.url()).password("secret").database(3);
    assert!(!format!("{right:?}{:?}", open(&right).expect("right")).contains("secret"));
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let url = format!("redis://:secret@127.0.0.1:{}", free_port());
    refused(open(&RedisConfig::new(url)), ErrorKind::Unavailable, "nothing listens");
}

#[test]
fn a_cluster_and_sentinels_need_urls_and_a_cluster_one_database() {
    let none: [&str; 0] = [];
    refused(open(&RedisConfig::cluster(none)), ErrorKind::Config, "at least one");
    refused(open(&RedisConfig::sentinel(none, "name")), ErrorKind::Config, "at least one");
    let other = RedisConfig::cluster(["redis://127.0.0.1/1"]);
    refused(open(&other), ErrorKind::Config, "database 0");
}

#[test]
fn a_full_server_says_so_and_keeps_what_it_has() {
    let server = Server::start(&["--maxmemory-policy", "noeviction"]);
    let manager = manager(&server);
    block_on(async {
        let old = record(new_id(), 1, &[1; 500]);
        let gone = record(new_id(), 1, b"gone");
        for record in [&old, &gone] {
            assert_eq!(manager.put(record, Expect::Absent).await.unwrap(), Outcome::Stored);
        }
        server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
        let new = record(*old.id(), 2, &[2; 9_000]);
        let error = manager.put(&new, Expect::Version(Version::FIRST)).await.expect_err("full");
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        let error = manager.put(&record(new_id(), 1, b"new"), Expect::Absent).await;
        assert_eq!(error.expect_err("full").kind(), ErrorKind::Full);
        let found = manager.get(old.id()).await.unwrap().expect("the old record");
        assert!(found.to_bytes() == old.to_bytes(), "whole");
        // What makes room works on.
        let later = now().saturating_add(Duration::from_secs(7_000));
        let touched = manager.touch(old.id(), Version::FIRST, later).await.unwrap();
        assert_eq!(touched, Outcome::Stored);
        assert_eq!(manager.remove(gone.id(), None).await.unwrap(), Removal::Removed);
        server.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
        let stored = manager.put(&new, Expect::Version(Version::FIRST)).await.unwrap();
        assert_eq!(stored, Outcome::Stored);
    });
}

#[test]
fn a_replica_takes_no_writes_and_says_what_to_name_instead() {
    let master = Server::start(&[]);
    let port = master.port.to_string();
    let replica = Server::start(&["--replicaof", "127.0.0.1", &port]);
    follows(&replica, &master);
    let config = RedisConfig::new(replica.url());
    refused(open(&config), ErrorKind::Unavailable, "read-only replica");
    replica.ask::<()>(&["REPLICAOF", "NO", "ONE"]);
    let manager = manager(&replica);
    replica.ask::<()>(&["REPLICAOF", "127.0.0.1", &port]);
    follows(&replica, &master);
    block_on(async {
        assert!(manager.get(&new_id()).await.unwrap().is_none());
        let error = manager.put(&record(new_id(), 1, b"v"), Expect::Absent).await.expect_err("no");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("read-only replica"), "{error}");
    });
}

#[test]
fn a_server_that_is_loading_is_unavailable_and_then_answers() {
    let mut server = Server::start(&[
        "--loading-process-events-interval-bytes",
        "1024",
        "--rdbcompression",
        "no",
    ]);
    let manager = manager(&server);
    let kept = record(new_id(), 1, b"kept");
    create(&manager, &kept);
    let mut connection = server.connect();
    for key in 0..50 {
        crate::support::ask::<()>(
            &mut connection,
            &["SET", &format!("k{key}"), &"x".repeat(2_000)],
        );
    }
    server.ask::<()>(&["SAVE"]);
    server.signal("KILL");
    server.restart_with(&["--key-load-delay", "20000"]);
    let mut loading = 0;
    let found = until("the server has loaded", || match block_on(manager.get(kept.id())) {
        Ok(found) => Some(found),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            loading += u32::from(error.to_string().contains("loading"));
            None
        }
    });
    assert!(found.is_some(), "an outage is never an absent session");
    assert!(loading > 0, "the server was met while it was loading");
}

#[test]
fn what_others_wrote_is_corrupt_and_left_alone() {
    let server = Server::start(&[]);
    let manager = manager(&server);
    let mut connection = server.connect();
    block_on(async {
        let future = "SSNR\u{2}\0\0\0".to_owned() + &"x".repeat(200);
        for (words, kind) in [
            (["SET", "", "somebody's text"], ErrorKind::Corrupt),
            (["SET", "", &"text ".repeat(50)], ErrorKind::Corrupt),
            (["LPUSH", "", "a list"], ErrorKind::Corrupt),
            (["SET", "", &future], ErrorKind::Unsupported),
        ] {
            let id = new_id();
            let key = format!("session:s:{}", text(&id));
            crate::support::ask::<()>(&mut connection, &[words[0], &key, words[2]]);
            let before: Vec<u8> = crate::support::ask(&mut connection, &["DUMP", &key]);
            let kinds = [
                manager.get(&id).await.map(drop),
                manager.exists(&id).await.map(drop),
                manager.put(&record(id, 1, b"new"), Expect::Absent).await.map(drop),
                manager.touch(&id, Version::FIRST, now()).await.map(drop),
                manager.remove(&id, None).await.map(drop),
            ]
            .map(|result| result.expect_err("no record of ours").kind());
            // A probe of something short is no more than absent, or corrupt.
            assert_eq!(kinds, [kind; 5], "{words:?}");
            let after: Vec<u8> = crate::support::ask(&mut connection, &["DUMP", &key]);
            assert!(before == after, "left alone");
        }
    });
}

#[test]
fn a_right_that_is_taken_away_later_is_named_and_no_key_or_user_is() {
    let server = Server::start(&[]);
    let user = "ACL SETUSER reader on >secret ~* +@all";
    server.ask::<()>(&user.split(' ').collect::<Vec<_>>());
    let config = RedisConfig::new(server.url()).username("reader").password("secret");
    let manager = open(&config).expect("a login");
    server.ask::<()>(&["ACL", "SETUSER", "reader", "-evalsha"]);
    let id = new_id();
    block_on(async {
        assert!(manager.get(&id).await.unwrap().is_none());
        let error = manager.put(&record(id, 1, b"v"), Expect::Absent).await.expect_err("no");
        assert!(error.to_string().contains("ACL"), "{error}");
        assert!(error.to_string().contains("'evalsha'"), "{error}");
        let shown = shown(&error);
        assert!(!shown.contains(&text(&id)) && !shown.contains("reader"), "{shown}");
    });
}

#[test]
fn an_error_that_repeats_its_arguments_is_not_passed_on() {
    let mut server = Server::start(&[]);
    let manager = manager(&server);
    let id = new_id();
    server.signal("KILL");
    server.restart_with(&["--rename-command", "EVALSHA", ""]);
    let error = until("the server answers", || {
        let error = block_on(manager.put(&record(id, 1, b"v"), Expect::Absent)).expect_err("no");
        error.to_string().contains("unknown command").then_some(error)
    });
    let shown = shown(&error);
    assert!(!shown.contains(&text(&id)) && !shown.contains("session:"), "{shown}");
    let refused = open(&RedisConfig::new(server.url())).expect_err("refused at the start");
    assert!(refused.kind() == ErrorKind::Config && refused.to_string().contains("evalsha"));
}

#[test]
fn replicas_that_are_waited_for_and_do_not_answer_make_a_write_unavailable() {
    let master = Server::start(&["--repl-diskless-sync-delay", "0"]);
    let port = master.port.to_string();
    let replica = Server::start(&["--replicaof", "127.0.0.1", &port]);
    follows(&replica, &master);
    let config = RedisConfig::new(master.url()).replicas(1).timeout(Duration::from_secs(10));
    let manager = open(&config).expect("a manager");
    let impatient = open(&config.timeout(Duration::from_millis(300))).expect("a manager");
    block_on(async {
        let first = record(new_id(), 1, b"first");
        assert_eq!(manager.put(&first, Expect::Absent).await.unwrap(), Outcome::Stored);
        let there: bool = replica.ask(&["EXISTS", &format!("session:s:{}", text(first.id()))]);
        assert!(there, "the replica has what was answered");
        assert_eq!(manager.put(&first, Expect::Absent).await.unwrap(), Outcome::Conflict);
        let foreign = new_id();
        assert_eq!(manager.remove(&foreign, None).await.unwrap(), Removal::Gone);
        replica.signal("STOP");
        let second = record(*first.id(), 2, b"second");
        let error = impatient.put(&second, Expect::Version(Version::FIRST)).await;
        let error = error.expect_err("no replica confirms");
        assert!(error.to_string().contains("in doubt"), "{error}");
        // Nothing was written, so nothing is missing.
        let stale = impatient.put(&second, Expect::Version(Version::FIRST)).await.unwrap();
        assert_eq!(stale, Outcome::Conflict);
        master.ask::<()>(&["SET", &format!("session:s:{}", text(&foreign)), "foreign"]);
        let error = impatient.remove(&foreign, None).await.expect_err("not ours");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(impatient.get(first.id()).await.unwrap().is_some(), "reads wait for nobody");
        replica.signal("CONT");
    });
}
