//! Server-side web sessions.

mod abilities;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod cookie;
mod error;
mod id;
mod interface;
mod keys;
mod manager;
mod memory;
mod observer;
mod queue;
mod random;
mod record;
mod session;
mod token;

pub use self::{
    abilities::{
        Cursor, ListSessions, Page, Probe, ProbeVersions, SweepSessions, Swept, Watch,
        WatchChanges, WatchSessions,
    },
    clock::{Clock, ManualClock, SystemClock, Timestamp},
    error::{Error, ErrorKind, Result},
    id::SessionId,
    interface::{
        CookieAction, IssuedCookie, MaxSessions, SessionHandle, SessionInfo, SessionInterface,
        SessionInterfaceBuilder,
    },
    keys::{KeyRing, SigningKey},
    manager::{Expect, Outcome, Removal, SessionManager, Version},
    memory::MemorySessionManager,
    observer::{Event, Fingerprint, Observer, Reason},
    record::{PrincipalTag, Record},
    session::{Finished, ManagedSession, Saved},
};
