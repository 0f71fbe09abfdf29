//! A bounded cache in front of a manager.

use session_cache::{CacheConfig, CachingSessionManager, Coherence};
use session_core::{MemorySessionManager, SessionInterface, SigningKey};

fn main() -> session_core::Result<()> {
    // A program of yours reads its secret from a file or from the environment.
    let secret: Vec<u8> = (0..32).collect();
    let store = MemorySessionManager::new();
    let config = CacheConfig::new().capacity(50_000).max_bytes(64 << 20);
    let cache = CachingSessionManager::with_config(store, Coherence::Checked, config)?;
    let sessions = SessionInterface::builder(cache, SigningKey::hmac_sha256(&secret)?).build()?;
    assert_eq!(sessions.cookie_name(), "__Host-sid");
    Ok(())
}
