//! Behaviour of the crate, from outside.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

#[cfg(target_os = "linux")]
mod access_times;
mod damage;
mod folder;
mod listing;
mod odd_files;
mod probing;
#[path = "../support/mod.rs"]
mod records;
mod store;
mod sweeping;
mod thieves;
