//! A server that speaks TLS.

use std::path::PathBuf;

use super::{Server, free_port};

/// With a certificate of its own, for the name `localhost`.
pub(crate) struct TlsServer {
    _server: Server,
    _folder: tempfile::TempDir,
    pub(crate) url: String,
    /// The certificate, in a file.
    pub(crate) certificate: PathBuf,
}

impl TlsServer {
    pub(crate) fn start() -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let rcgen::CertifiedKey { cert, signing_key } = certified.expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a file");
            path
        };
        let certificate = file("certificate.pem", cert.pem());
        let key = file("key.pem", signing_key.serialize_pem());
        let port = free_port();
        let server = Server::start(&[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &certificate.display().to_string(),
            "--tls-key-file",
            &key.display().to_string(),
            "--tls-ca-cert-file",
            &certificate.display().to_string(),
            "--tls-auth-clients",
            "no",
        ]);
        let url = format!("rediss://localhost:{port}");
        Self { _server: server, _folder: folder, url, certificate }
    }
}
