//! tower-sessions on SQLite.

use tower_sessions_sqlx_store::{
    SqliteStore,
    sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Server, tower::before};
use crate::Result;

#[derive(Clone, Copy)]
pub enum Synchronous {
    /// A loss of power may take the last writes.
    Normal,
    /// Each write is on the disk before it is answered.
    Full,
}

/// With a write-ahead log, in which both settings are quicker than without.
pub fn serve(synchronous: Synchronous, workers: usize) -> Result<Server> {
    let folder = tempfile::tempdir()?;
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("sessions.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match synchronous {
            Synchronous::Normal => SqliteSynchronous::Normal,
            Synchronous::Full => SqliteSynchronous::Full,
        });
    before::serve(Some(folder), workers, || async move {
        let pool = SqlitePoolOptions::new().connect_with(options).await;
        let store = SqliteStore::new(pool.map_err(|error| error.to_string())?);
        store.migrate().await.map_err(|error| error.to_string())?;
        Ok(store)
    })
}
