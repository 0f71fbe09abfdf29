//! Sessions in the server that Sentinels call the master: `sentinel NAME redis://SENTINEL:26379`.

use session_core::{SessionId, SessionManager};
use session_redis::{RedisConfig, RedisSessionManager};

#[tokio::main(flavor = "current_thread")]
async fn main() -> session_core::Result<()> {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_else(|| "mymaster".into());
    let mut config = RedisConfig::sentinel(args, name);
    // The login of the server; that of the Sentinels is in their URLs.
    if let Ok(password) = std::env::var("REDIS_PASSWORD") {
        config = config.username("sessions").password(password);
    }
    let manager = RedisSessionManager::with_config(&config).await?;
    assert!(!manager.exists(&SessionId::random()?).await?);
    Ok(())
}
