//! Keeps web sessions in files: crash-safe, swept, shared between processes, one file a session.
//!
//! Use it for one machine, with one process or several. For several machines take a store they all
//! reach; for records that need not outlive the process,
//! [`MemorySessionManager`](session_core::MemorySessionManager).
//!
//! | | |
//! | --- | --- |
//! | sweep, list, probe | yes |
//! | watch | no: files tell nobody; a cache asks for versions instead |
//! | survives a restart, and `kill -9` at any point | yes |
//! | survives a loss of power | with [`Durability::Synced`] |
//! | several processes | yes, of one machine |
//! | bounded | by the disk: a full one is [`ErrorKind::Full`](session_core::ErrorKind::Full), and what was stored is unharmed |
//!
//! # Examples
//!
//! ```
//! use session_core::{SessionId, SessionManager};
//! use session_fs::FileBackedSessionManager;
//!
//! # let parent = tempfile::tempdir()?;
//! # let path = parent.path().join("sessions");
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let manager = FileBackedSessionManager::new(path)?;
//! assert!(!manager.exists(&SessionId::random()?).await?);
//! # Ok::<(), session_core::Error>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it stores
//!
//! A session's file has two slots, each with a sequence and a checksum. A put writes the slot that
//! is not current, so the current record is whole whatever becomes of the write, and no file is
//! made or renamed for it. A touch writes one of two small cells in the same way. A record that
//! outgrows its slots goes to a larger file that takes the place of the old one. Writers hold an
//! advisory lock on the file; readers hold none, and read again what looks half-written.
//!
//! After each write the file is dated: by the end of its session, and by its version.
//!
//! # When a call waits
//!
//! On Linux each call is tried with what the kernel has in memory first (`openat2` with
//! `RESOLVE_CACHED`, `preadv2` with `RWF_NOWAIT`), on the thread it is polled on. Only what is not
//! there, a new or growing or removed file, a record of more than 2 KiB to write, a file of more
//! than 256 KiB to read, a lock that is held, and every sync go to the pool of blocking threads, in
//! one hop. A touch, and a small write into a file that was just read from the page cache, are made
//! where they are: they copy some hundred bytes within the cache, and a hop costs more than that.
//! Files are opened with `O_NOATIME` where the system allows it (their owner, or root): they are
//! dated ahead, to the end of their session, and `relatime` would write the inode at every read.
//!
//! Whether such a write would wait cannot be asked: ext4 does not tell (`RWF_NOWAIT` is for its
//! reads alone). It waits while the file system is frozen, or its journal full, or when the system
//! slows down whoever writes. Each write therefore says when it began, and while one takes longer
//! than a millisecond, and for ten seconds after, all others hop: what is stuck holds up the
//! threads that began to write in that first millisecond. `cargo run --release -p session-fs
//! --example tail` tells how long small puts hold their threads on a machine of yours.
//!
//! A probe of a file that was read before looks at its name, which the kernel has in memory unless
//! memory is very short.
//!
//! On other systems every call hops. What they lack is turned off in tests on Linux too, which run
//! the conformance suite without it.
//!
//! # Limits
//!
//! Unix only. On network file systems one process alone: [`FsConfig::single_process`]. A newest
//! write that is damaged later cannot be told from one that never finished: then the one before it
//! is answered.

#[cfg(not(unix))]
compile_error!("session-fs needs a Unix: folders are opened once, and files relative to them");

mod blocking;
mod config;
mod dates;
mod error;
#[cfg(test)]
#[path = "../tests/faults/mod.rs"]
mod faults;
mod folder;
mod manager;
mod names;
mod native;
mod progress;
mod slots;
mod stalls;
mod store;
mod stripes;
mod sweeper;
mod syscalls;

pub use self::{
    config::{Durability, FsConfig},
    manager::FileBackedSessionManager,
    progress::SweepProgress,
};

// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
