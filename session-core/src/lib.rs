//! Server-side web sessions.

mod abilities;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod cookie;
mod error;
mod id;
mod keys;
mod manager;
mod memory;
mod random;
mod record;
mod token;

pub use self::{
    abilities::{
        Cursor, ListSessions, Page, Probe, ProbeVersions, SweepSessions, Swept, Watch,
        WatchChanges, WatchSessions,
    },
    clock::{Clock, ManualClock, SystemClock, Timestamp},
    error::{Error, ErrorKind, Result},
    id::SessionId,
    keys::{KeyRing, SigningKey},
    manager::{Expect, Outcome, Removal, SessionManager, Version},
    memory::MemorySessionManager,
    record::{PrincipalTag, Record},
};
