//! Leaving the thread that must not wait.

use session_core::{Error, ErrorKind, Result};

/// Runs `work`, which may wait for the disk: on tokio's pool of blocking threads when called from a
/// tokio runtime, else right here. Whether or not the future is dropped, `work` runs to its end.
pub(crate) async fn hop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return work() };
    match runtime.spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Error::new(
            ErrorKind::Unavailable,
            "fs",
            "the runtime ended before the file system was asked",
        )
        .with_source(error)),
    }
}
