//! Keeps web sessions in files: crash-safe, swept, shared between processes, one file a session.

#[cfg(not(unix))]
compile_error!("session-fs needs a Unix: folders are opened once, and files relative to them");

mod blocking;
mod calls;
mod config;
mod error;
#[cfg(test)]
mod faults;
mod manager;
mod names;
mod progress;
mod slots;
mod store;
mod stripes;
mod sweeper;
mod system;

pub use self::{
    config::{Durability, FsConfig},
    manager::FileBackedSessionManager,
    progress::SweepProgress,
};
