//! Where the sessions are kept.

use std::{error::Error, fs, sync::Arc};

use session_cache::{CacheConfig, CachingSessionManager};
use session_core::{MemorySessionManager, SessionManager};
use session_fs::FileBackedSessionManager;

use super::flags::{Flags, Store};

/// A manager as the flags ask for it: files behind a cache, unless told otherwise.
pub(crate) fn open(flags: &Flags) -> Result<Arc<dyn SessionManager>, Box<dyn Error>> {
    let files = match &flags.store {
        // Memory in front of memory would save nothing.
        Store::Memory => return Ok(Arc::new(MemorySessionManager::new())),
        Store::Fs(folder) => {
            if let Some(parent) = folder.parent() {
                fs::create_dir_all(parent)
                    .map_err(|error| format!("the folder {}: {error}", parent.display()))?;
            }
            FileBackedSessionManager::new(folder)?
        }
    };
    if flags.cache == 0 {
        return Ok(Arc::new(files));
    }
    let config = CacheConfig::new().capacity(flags.cache);
    Ok(Arc::new(CachingSessionManager::with_config(files, flags.coherence, config)?))
}
