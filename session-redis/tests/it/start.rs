//! What is tried when a manager is made.

use session_core::{Error, ErrorKind};
use session_redis::{RedisConfig, RedisSessionManager};

use crate::{
    acl::{finder, user},
    support::{Cluster, Server, block_on, hello, scripted, until},
};

fn refused(config: &RedisConfig) -> Error {
    block_on(RedisSessionManager::with_config(config)).expect_err("refused")
}

#[track_caller]
fn says(config: &RedisConfig, kind: ErrorKind, words: &[&str]) {
    let error = refused(config);
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

#[test]
fn a_server_of_an_older_release_is_refused_with_its_version() {
    let old = scripted(|words| match words[0].as_slice() {
        b"HELLO" => hello("6.2.5", "master"),
        _ => b"+OK\r\n".to_vec(),
    });
    let config = RedisConfig::new(format!("redis://{old}"));
    says(&config, ErrorKind::Config, &["6.2.5", "Redis 7 or Valkey 8", &old.to_string()]);
    let older = scripted(|_| b"-ERR unknown command\r\n".to_vec());
    let config = RedisConfig::new(format!("redis://{older}"));
    says(&config, ErrorKind::Config, &["Redis 7 or Valkey 8"]);
}

#[test]
fn every_right_that_is_missing_is_named_at_once_with_the_line_that_gives_it() {
    let server = Server::start(&[]);
    let config = RedisConfig::new(server.url()).username("sessions").password("PASSWORD");
    let words = user();
    let rights: Vec<_> = words.iter().filter(|it| it.starts_with('+')).collect();
    assert!(rights.len() > 20);
    // The first three are for logging in, and for a database beside the first.
    for right in rights.iter().filter(|it| !["+hello", "+select", "+info"].contains(*it)) {
        server.ask::<()>(&words);
        let taken = right.replace('+', "-");
        server.ask::<()>(&["ACL", "SETUSER", "sessions", &taken]);
        let error = refused(&config);
        let line = format!("ACL SETUSER <user> {right}`");
        assert!(error.kind() == ErrorKind::Config && error.to_string().contains(&line), "{error}");
        server.ask::<()>(&["ACL", "DELUSER", "sessions"]);
    }
    server.ask::<()>(&words);
    server.ask::<()>(&["ACL", "SETUSER", "sessions", "resetkeys", "-evalsha", "-client|tracking"]);
    says(&config, ErrorKind::Config, &["<user> ~session:* +", "+evalsha", "+client|tracking"]);
    assert_eq!(server.ask::<u64>(&["DBSIZE"]), 0, "nothing is written to try it");
}

#[test]
fn what_a_cluster_needs_is_tried_on_all_of_it() {
    let cluster = Cluster::start(3, false);
    for node in cluster.nodes() {
        node.ask::<()>(&user());
    }
    let login = |config: RedisConfig| config.username("sessions").password("PASSWORD");
    let config = login(RedisConfig::cluster(cluster.urls()));
    says(&config, ErrorKind::Config, &["+cluster|shards", "+cluster|info", "+asking"]);
    for node in cluster.nodes() {
        let more = ["+cluster|shards", "+cluster|info", "+asking"];
        node.ask::<()>(&[&["ACL", "SETUSER", "sessions"], &more[..]].concat());
    }
    drop(block_on(RedisSessionManager::with_config(&config)).expect("a manager"));
    cluster.masters[1].ask::<()>(&["ACL", "SETUSER", "sessions", "-evalsha"]);
    says(&config, ErrorKind::Config, &["+evalsha", &cluster.masters[1].port.to_string()]);
}

#[test]
fn servers_of_another_kind_than_is_configured_are_refused_with_the_kind_they_are() {
    let (master, other) = (Server::start(&[]), Server::start(&[]));
    let sentinel = Server::sentinel("sessions", &master);
    let cluster = Cluster::start(1, false);
    says(&RedisConfig::new(sentinel.url()), ErrorKind::Config, &["RedisConfig::sentinel"]);
    let node = RedisConfig::new(cluster.masters[0].url());
    says(&node, ErrorKind::Config, &["RedisConfig::cluster"]);
    let alone = RedisConfig::cluster([master.url()]);
    says(&alone, ErrorKind::Unavailable, &["in no Cluster", "RedisConfig::new"]);
    let data = RedisConfig::sentinel([master.url()], "sessions");
    says(&data, ErrorKind::Unavailable, &["no Sentinel", "26379", &master.port.to_string()]);
    let unknown = RedisConfig::sentinel([sentinel.url()], "another");
    says(&unknown, ErrorKind::Config, &["no Sentinel knows", "sentinel monitor"]);
    other.ask::<()>(&["REPLICAOF", "127.0.0.1", &master.port.to_string()]);
    says(&RedisConfig::new(other.url()), ErrorKind::Unavailable, &["read-only replica"]);
}

#[test]
fn the_rights_in_the_readme_are_enough_for_sentinels_and_nothing_else_is_tried() {
    let master = Server::start(&[]);
    let sentinel = Server::sentinel("sessions", &master);
    master.ask::<()>(&user());
    sentinel.ask::<()>(&finder());
    let url = format!("redis://finder:PASSWORD@127.0.0.1:{}", sentinel.port);
    let config = RedisConfig::sentinel([url], "sessions").username("sessions").password("PASSWORD");
    crate::acl::works(&config);
    for server in [&master, &sentinel] {
        let log: Vec<redis::Value> = server.ask(&["ACL", "LOG"]);
        assert!(log.is_empty(), "nothing was refused: {log:?}");
    }
}

#[test]
fn a_feed_that_cannot_begin_is_warned_of_once_with_its_cause() {
    let server = Server::start(&[]);
    server.ask::<()>(&["ACL", "SETUSER", "deaf", "on", ">secret", "~*", "+@all"]);
    let config = RedisConfig::new(server.url()).username("deaf").password("secret");
    let (_manager, recorder, _watch) = crate::feed::watched(&config);
    let port = format!("127.0.0.1:{}", server.port);
    let warned = || crate::log::warnings().matches(&port).count();
    assert_eq!(warned(), 0);
    server.ask::<()>(&["ACL", "SETUSER", "deaf", "-client|tracking"]);
    let mut connection = server.connect();
    let clients: String = crate::support::ask(&mut connection, &["CLIENT", "LIST"]);
    let feed = clients.lines().find(|client| client.contains(" name=session:feed "));
    let id = feed.and_then(|it| it.strip_prefix("id=")?.split(' ').next()).expect("the feed");
    crate::support::ask::<()>(&mut connection, &["CLIENT", "KILL", "ID", id]);
    recorder.hears(crate::feed::Told::Broken);
    let mut refused = || -> usize {
        let log: Vec<redis::Value> = crate::support::ask(&mut connection, &["ACL", "LOG"]);
        let count = format!("{log:?}").split("\"count\"").nth(1).map(str::to_owned);
        let digits = |it: String| it.chars().filter(char::is_ascii_digit).collect::<String>();
        count.and_then(|it| digits(it.split(',').nth(1)?.to_owned()).parse().ok()).unwrap_or(0)
    };
    until("it is tried again and again", || (refused() >= 3).then_some(()));
    assert_eq!(warned(), 1);
    assert!(crate::log::warnings().contains("client|tracking"), "{}", crate::log::warnings());
    server.ask::<()>(&["ACL", "SETUSER", "deaf", "+client|tracking"]);
    recorder.hears(crate::feed::Told::Alive);
}
