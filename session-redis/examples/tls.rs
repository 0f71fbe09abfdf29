//! Sessions in a server that is reached by TLS: `tls rediss://HOST:PORT CA.pem`.

use session_core::{SessionId, SessionManager};
use session_redis::{RedisConfig, RedisSessionManager, TlsCertificates};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The program chooses whose cryptography rustls uses, once and for all that use it.
    let provider = rustls::crypto::ring::default_provider();
    provider.install_default().map_err(|_| "a provider was chosen already")?;

    let mut args = std::env::args().skip(1);
    let mut config = RedisConfig::new(args.next().unwrap_or_default());
    // Without a file, the roots the system trusts.
    if let Some(file) = args.next() {
        let root_cert = Some(std::fs::read(file)?);
        config = config.certificates(TlsCertificates { client_tls: None, root_cert });
    }
    let manager = RedisSessionManager::with_config(&config).await?;
    assert!(!manager.exists(&SessionId::random()?).await?);
    Ok(())
}
