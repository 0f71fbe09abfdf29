//! Stores a session, touches it, reads it back and removes it.
//!
//! `cargo run -p session-fs --example round_trip`

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

#[path = "../tests/support/mod.rs"]
mod records;

use std::time::Duration;

use session_core::{Clock, Expect, SessionManager, SystemClock, Version};
use session_fs::FileBackedSessionManager;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parent = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let manager = FileBackedSessionManager::new(parent.path().join("sessions"))?;
        let in_an_hour = SystemClock::new().now().saturating_add(Duration::from_secs(3_600));

        // An application never makes a record itself: it seals them through
        // `session_core::SessionInterface`.
        let record = records::record(records::new_id(), 1, in_an_hour, b"sealed bytes");
        println!("put:    {:?}", manager.put(&record, Expect::Absent).await?);
        let later = in_an_hour.saturating_add(Duration::from_secs(60));
        println!("touch:  {:?}", manager.touch(record.id(), Version::FIRST, later).await?);
        println!("get:    {:?}", manager.get(record.id()).await?);
        println!("remove: {:?}", manager.remove(record.id(), None).await?);
        println!("get:    {:?}", manager.get(record.id()).await?);
        Ok(())
    })
}
