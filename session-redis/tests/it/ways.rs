//! The ways to a server: a Unix socket, TLS.

use session_core::SessionManager;
use session_redis::{RedisConfig, RedisSessionManager};

use crate::support::{Server, block_on, create, new_id, record};

fn works(config: &RedisConfig) {
    let manager = block_on(RedisSessionManager::with_config(config)).expect("a manager");
    let record = record(new_id(), 1, b"value");
    create(&manager, &record);
    assert!(block_on(manager.get(record.id())).expect("get").is_some());
}

#[test]
fn a_unix_socket_leads_to_a_server() {
    let server = Server::start(&["--unixsocket", "socket"]);
    let socket = server.folder().join("socket");
    works(&RedisConfig::new(format!("unix://{}", socket.display())));
}

#[cfg(feature = "tls")]
#[test]
fn tls_leads_to_a_server_whose_certificate_is_trusted_and_mistakes_are_named() {
    use session_core::ErrorKind;
    use session_redis::TlsCertificates;

    let server = crate::support::TlsServer::start();
    let url = &server.url;
    let root_cert = std::fs::read(&server.certificate).expect("the certificate");
    let roots = || TlsCertificates { client_tls: None, root_cert: Some(root_cert.clone()) };
    let open = |config: &RedisConfig| block_on(RedisSessionManager::with_config(config));

    // Whoever links rustls chooses its cryptography; nobody has yet in this process.
    let error = open(&RedisConfig::new(url)).expect_err("no provider");
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("provider"), "{error}");
    rustls::crypto::ring::default_provider().install_default().expect("the first");
    works(&RedisConfig::new(url).certificates(roots()));
    let error = open(&RedisConfig::new(url)).expect_err("nobody vouches for the certificate");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let none = TlsCertificates { client_tls: None, root_cert: Some(b"none".to_vec()) };
    let error = open(&RedisConfig::new(url).certificates(none)).expect_err("no certificate");
    assert!(matches!(error.kind(), ErrorKind::Config | ErrorKind::Unavailable), "{error}");
    crate::urls::mistakes_about_tls_are_named(&server);
}
