//! Where the sessions are kept.

use std::{error::Error, fs, sync::Arc};

use session_cache::{CacheConfig, CachingSessionManager, Coherence};
use session_core::{MemorySessionManager, SessionManager};
use session_fs::FileBackedSessionManager;
use session_redis::{RedisConfig, RedisSessionManager};

use super::flags::{Flags, Store};

/// A manager as the flags ask for it: a store behind a cache, unless told otherwise.
pub(crate) async fn open(flags: &Flags) -> Result<Arc<dyn SessionManager>, Box<dyn Error>> {
    let (store, coherence): (Arc<dyn SessionManager>, _) = match &flags.store {
        // Memory in front of memory would save nothing.
        Store::Memory => return Ok(Arc::new(MemorySessionManager::new())),
        Store::Fs(folder) => {
            if let Some(parent) = folder.parent() {
                fs::create_dir_all(parent)
                    .map_err(|error| format!("the folder {}: {error}", parent.display()))?;
            }
            (Arc::new(FileBackedSessionManager::new(folder)?), Coherence::Checked)
        }
        Store::Redis(url) => {
            let config = RedisConfig::new(url).connection_per_worker(true);
            (Arc::new(RedisSessionManager::with_config(&config).await?), Coherence::Watching)
        }
    };
    if flags.cache == 0 {
        return Ok(store);
    }
    let config = CacheConfig::new().capacity(flags.cache);
    let coherence = flags.coherence.unwrap_or(coherence);
    Ok(Arc::new(CachingSessionManager::with_config(store, coherence, config)?))
}
