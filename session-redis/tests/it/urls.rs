//! Mistakes in URLs, and servers that cannot be connected to: each has its own sentence.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
    time::Duration,
};

use session_core::ErrorKind;
use session_redis::{RedisConfig, RedisSessionManager};

use crate::support::{Server, block_on, free_port};

#[track_caller]
fn says(config: &RedisConfig, kind: ErrorKind, words: &[&str]) {
    let error = block_on(RedisSessionManager::with_config(config)).expect_err("refused");
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
}

#[test]
fn a_mistake_in_a_url_is_refused_with_what_to_write() {
    for (url, words) in [
        ("127.0.0.1:6379", "not a Redis URL"),
        ("http://127.0.0.1", "not a Redis URL"),
        ("redis://", "not a Redis URL"),
        ("redis://host:port", "not a Redis URL"),
        ("redis://127.0.0.1/?db=3", "redis://host/3"),
        ("redis://127.0.0.1/?password=secret", "before the host"),
        ("redis://127.0.0.1/?protocol=resp3", "RESP3 is always spoken"),
        ("redis://127.0.0.1/?family=4", "not known here"),
        ("redis://127.0.0.1/#insecure", "certificates are always checked"),
        ("redis://0.0.0.0:6379", "where a server listens"),
        ("redis://[::]:6379", "where a server listens"),
        ("redis://127.0.0.1/sessions", "RedisConfig::prefix"),
        ("redis://::1:6379", "stands in brackets"),
        ("redis://:secret/x@127.0.0.1", "percent-encoded"),
        ("redis://:secret#x@127.0.0.1", "percent-encoded"),
        ("redis://:secret?x@127.0.0.1", "percent-encoded"),
        ("unix:///run/redis.sock?timeout=3", "time-outs are set by `RedisConfig`"),
    ] {
        says(&RedisConfig::new(url), ErrorKind::Config, &[words]);
    }
    let sentinel = RedisConfig::sentinel(["redis://127.0.0.1:26379/5"], "sessions");
    says(&sentinel, ErrorKind::Config, &["a Sentinel has no databases"]);
}

#[test]
fn a_password_with_any_character_works_percent_encoded() {
    let server = Server::start(&[]);
    server.ask::<()>(&["CONFIG", "SET", "requirepass", "a/b#c?d@e%f:g"]);
    let url = format!("redis://:a%2Fb%23c%3Fd%40e%25f%3Ag@127.0.0.1:{}", server.port);
    drop(block_on(RedisSessionManager::new(&url)).expect("a login"));
}

/// A port at which something answers that is no Redis server.
fn answering(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the address of the listener");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 256]);
            let _ = stream.write_all(answer);
        }
    });
    format!("redis://{address}")
}

#[test]
fn a_server_that_cannot_be_reached_is_named_with_the_cause_and_what_to_change() {
    let kind = ErrorKind::Unavailable;
    let address = format!("127.0.0.1:{}", free_port());
    let nothing = RedisConfig::new(format!("redis://:secret@{address}"));
    says(&nothing, kind, &[&address, "nothing listens", "os error 111"]);
    let unknown = RedisConfig::new("redis://no-such-host.invalid");
    says(&unknown, kind, &["no-such-host.invalid:6379", "does not resolve"]);
    let socket = RedisConfig::new("unix:///nowhere/redis.sock");
    says(&socket, kind, &["/nowhere/redis.sock", "no socket", "os error 2"]);
    let http = answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    says(&RedisConfig::new(http), kind, &["an HTTP server answers"]);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("the address of the listener").to_string();
    let slow = RedisConfig::new(format!("redis://{address}"));
    let slow = slow.connect_timeout(Duration::from_millis(200));
    says(&slow, kind, &[&address, "within the time-out"]);
}

#[test]
fn a_server_with_all_the_connections_it_allows_says_so() {
    let server = Server::start(&["--maxclients", "10"]);
    let connections: Vec<_> = (0..40)
        .map_while(|_| {
            let client = redis::Client::open(server.url()).expect("a URL");
            client.get_connection_with_timeout(Duration::from_secs(5)).ok()
        })
        .collect();
    assert!(connections.len() >= 9, "{}", connections.len());
    says(&RedisConfig::new(server.url()), ErrorKind::Unavailable, &["maxclients", "max number"]);
}

#[test]
fn a_server_in_protected_mode_says_so() {
    let denied: &[u8] = b"-DENIED Redis is running in protected mode because ...\r\n";
    let config = RedisConfig::new(answering(denied));
    says(&config, ErrorKind::Unavailable, &["protected mode", "set a password"]);
}

/// Once a provider of cryptography is chosen, which is once for a process.
#[cfg(feature = "tls")]
pub(crate) fn mistakes_about_tls_are_named(server: &crate::support::TlsServer) {
    let kind = ErrorKind::Unavailable;
    says(&RedisConfig::new(&server.url), kind, &["not trusted", "RedisConfig::certificates"]);
    let plain = server.url.replace("rediss:", "redis:");
    says(&RedisConfig::new(plain), kind, &["speaks TLS", "rediss://"]);
    let other = Server::start(&[]);
    let tls = other.url().replace("redis:", "rediss:").replace("127.0.0.1", "localhost");
    says(&RedisConfig::new(tls), kind, &["does not speak TLS", "redis://"]);
    let none = session_redis::TlsCertificates { client_tls: None, root_cert: None };
    let config = RedisConfig::new(other.url()).certificates(none);
    says(&config, ErrorKind::Config, &["rediss://"]);
}
