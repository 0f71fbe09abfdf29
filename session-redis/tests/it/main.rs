//! What the manager promises beyond the contract, against servers of the tests' own.

mod errors;
mod examples;
mod expiry;
// mod failover;
// mod faults;
mod feed;
mod listing;
mod log;
mod scripts;
#[path = "../support/mod.rs"]
mod support;
