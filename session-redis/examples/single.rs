//! A session in one Redis or Valkey server: `single redis://HOST:PORT`.

use session_core::{CookieAction, SessionInterface, SigningKey};
use session_redis::{RedisConfig, RedisSessionManager};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://127.0.0.1:6379".into());
    // A program of yours reads its secret from a file or from the environment.
    let secret: Vec<u8> = (0..32).collect();
    let config = RedisConfig::new(url).prefix("example:");
    let manager = RedisSessionManager::with_config(&config).await?;
    let interface =
        SessionInterface::builder(manager, SigningKey::hmac_sha256(&secret)?).build()?;

    let session = interface.open([]).await?;
    session.insert("fruit", "apple")?;
    let CookieAction::Set(cookie) = session.finish().await?.cookie else {
        return Err("a new session has a cookie".into());
    };

    let again = interface.open([cookie.value().as_bytes()]).await?;
    assert_eq!(again.get::<String>("fruit")?.as_deref(), Some("apple"));
    again.destroy().await?;
    Ok(())
}
