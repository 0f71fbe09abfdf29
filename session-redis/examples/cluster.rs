//! Sessions in a Redis or Valkey Cluster: `cluster redis://NODE:PORT redis://NODE:PORT`.

use session_core::{SessionId, SessionManager};
use session_redis::{RedisConfig, RedisSessionManager};

#[tokio::main(flavor = "current_thread")]
async fn main() -> session_core::Result<()> {
    // Some of the nodes are enough: they know the others.
    let nodes: Vec<_> = std::env::args().skip(1).collect();
    let config = RedisConfig::cluster(nodes)
        // Against most of what a failover can lose: every write waits for one replica.
        .replicas(1);
    let manager = RedisSessionManager::with_config(&config).await?;
    assert!(!manager.exists(&SessionId::random()?).await?);
    Ok(())
}
