//! Server-side web sessions: what a session is, and how it is kept, opened and saved, without
//! knowing where or by which web framework.
//!
//! - **Writing an application?** Take a backend crate (`session-fs`, with `session-cache` in front)
//!   and `session-actix`; you meet [`ManagedSession`] in your handlers and [`SessionInterface`] in
//!   your configuration.
//! - **Writing a backend?** Implement [`SessionManager`] and run its tests (`conformance_tests!`,
//!   feature `conformance`).
//! - **Writing middleware for another framework?** [`SessionInterface::open`] takes cookie values
//!   ([`verify`](SessionInterface::verify) too, and opens a session that is in memory without a
//!   future); [`ManagedSession::finish`] tells which cookie to send.
//!
//! # What is promised
//!
//! | | |
//! | --- | --- |
//! | Nothing is lost when requests of one browser overlap | changes are applied to the newest record, again and again if need be; [`update`](ManagedSession::update) and [`take`](ManagedSession::take) are atomic across processes |
//! | Nothing ended comes back | after a logout, a revocation or expiry no request under way stores anything, and no request that came with the token from before a login; what a loss of power, a failover or a restored backup can undo is in `SECURITY.md` of the repository |
//! | A stolen store logs nobody in | it holds sealed values, and a hash of each token |
//! | A stolen key alone logs nobody in | a token has 128 random bits no key leads to |
//! | Forged cookies never reach the store | the MAC is checked first |
//! | A visitor who stores nothing costs nothing | no record, no cookie, no store call |
//!
//! # Example
//!
//! ```
//! use session_core::{MemorySessionManager, SessionInterface, SigningKey};
//!
//! # let secret: Vec<u8> = (0..32).collect();
//! # async fn run(secret: &[u8]) -> session_core::Result<()> {
//! let key = SigningKey::hmac_sha256(secret)?;
//! let interface = SessionInterface::builder(MemorySessionManager::new(), key).build()?;
//! let session = interface.open([]).await?;
//! session.insert("cart", &["apples", "pears"])?;
//! session.bind("user 17").await?;
//! # Ok(()) }
//! # let mut run = std::pin::pin!(run(&secret));
//! # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
//! # assert!(matches!(run.as_mut().poll(&mut context), std::task::Poll::Ready(Ok(()))));
//! ```
//!
//! # Features
//!
//! - `conformance`: the suite backends test themselves with. Adds API and changes nothing; exempt
//!   from semver.
//!
//! # Limits
//!
//! A session holds 64 KiB unless set otherwise, and never more than [`Record::MAX_BYTES`] stored.
//! What a thief gains, and from what, is in `SECURITY.md` of the repository; in short, someone who
//! can *write* the store can put an older copy of a record back until its absolute deadline, and
//! hide sessions from their owner's list.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod abilities;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
mod cookie;
#[cfg(all(doc, not(doctest)))]
pub mod docs;
mod error;
mod id;
mod interface;
mod keys;
mod manager;
mod memory;
mod observer;
mod park;
mod queue;
mod random;
mod record;
mod session;
mod sweeper;
mod timer;
mod token;
mod version;

pub use self::{
    abilities::{
        Cursor, ForgetSessions, ListSessions, Page, Probe, ProbeVersions, RecallSessions,
        SweepSessions, Swept, Watch, WatchChanges, WatchSessions,
    },
    clock::{Clock, ManualClock, SystemClock, Timestamp},
    error::{Error, ErrorKind, Result},
    id::SessionId,
    interface::{
        CookieAction, IssuedCookie, MaxSessions, Opening, SessionHandle, SessionInfo,
        SessionInterface, SessionInterfaceBuilder, Verified,
    },
    keys::{KeyRing, SigningKey},
    manager::{Expect, Outcome, Removal, SessionManager},
    memory::MemorySessionManager,
    observer::{Event, Fingerprint, Observer, Reason},
    record::{PrincipalTag, Record},
    session::{AsKey, Finished, Key, KeyName, ManagedSession, Saved, Status},
    sweeper::{Sweeper, SweeperFigures},
    timer::Timer,
    version::Version,
};

// Compiles and runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
