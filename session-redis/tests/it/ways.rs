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
fn tls_leads_to_a_server_whose_certificate_is_trusted() {
    use session_core::ErrorKind;
    use session_redis::TlsCertificates;

    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let rcgen::CertifiedKey { cert, signing_key } = certified.expect("a certificate");
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    let (certificate, key) =
        (file("certificate.pem", cert.pem()), file("key.pem", signing_key.serialize_pem()));
    let port = crate::support::free_port();
    let server = Server::start(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &certificate,
        "--tls-auth-clients",
        "no",
    ]);
    let url = format!("rediss://localhost:{port}");
    let roots = || TlsCertificates { client_tls: None, root_cert: Some(cert.pem().into_bytes()) };
    let open = |config: &RedisConfig| block_on(RedisSessionManager::with_config(config));

    // Whoever links rustls chooses its cryptography; nobody has yet in this process.
    let error = open(&RedisConfig::new(&url)).expect_err("no provider");
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("provider"), "{error}");
    rustls::crypto::ring::default_provider().install_default().expect("the first");
    works(&RedisConfig::new(&url).certificates(roots()));
    let error = open(&RedisConfig::new(&url)).expect_err("nobody vouches for the certificate");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let none = TlsCertificates { client_tls: None, root_cert: Some(b"none".to_vec()) };
    let error = open(&RedisConfig::new(&url).certificates(none)).expect_err("no certificate");
    assert!(matches!(error.kind(), ErrorKind::Config | ErrorKind::Unavailable), "{error}");
    drop(server);
}
