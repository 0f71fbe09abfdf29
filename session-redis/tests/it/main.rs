//! What the manager promises beyond the contract, against servers of the tests' own.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod acl;
mod demoted;
mod errors;
mod examples;
mod expiry;
mod failover;
mod faults;
mod feed;
mod idle;
mod listing;
mod log;
mod moving;
mod replicas;
mod scripts;
mod start;
#[path = "../support/mod.rs"]
mod support;
mod topology;
mod urls;
mod ways;
mod workers;
