//! Opens a session, stores a value in it, and finds it again by its cookie.
//!
//! `cargo run -p session-fs --example round_trip`

use session_core::{CookieAction, SessionInterface, SigningKey};
use session_fs::FileBackedSessionManager;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    // A program of yours reads its secret from a file or from the environment.
    let secret: Vec<u8> = (0..32).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let manager = FileBackedSessionManager::new(folder.path().join("sessions"))?;
        let key = SigningKey::hmac_sha256(&secret)?;
        let interface = SessionInterface::builder(manager, key).build()?;

        let session = interface.open([]).await?;
        session.insert("fruit", "apple")?;
        let CookieAction::Set(cookie) = session.finish().await?.cookie else {
            return Err("a new session has a cookie".into());
        };

        let again = interface.open([cookie.value().as_bytes()]).await?;
        assert_eq!(again.get::<String>("fruit")?.as_deref(), Some("apple"));
        again.destroy().await?;
        Ok(())
    })
}
