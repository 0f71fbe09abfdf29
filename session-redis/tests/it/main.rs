//! What the manager promises beyond the contract, against servers of the tests' own.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod acl;
mod demoted;
mod errors;
mod examples;
mod expiry;
#[cfg(all(feature = "cluster", feature = "sentinel"))]
mod failover;
mod faults;
mod feed;
mod listing;
mod log;
#[cfg(feature = "cluster")]
mod moving;
mod scripts;
#[path = "../support/mod.rs"]
mod support;
mod ways;
mod workers;
