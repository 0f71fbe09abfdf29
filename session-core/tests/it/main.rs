//! Behaviour of the crate, from outside.

#![allow(
    clippy::unchecked_time_subtraction,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and subtracts constants"
)]

mod failures;
mod lifetimes;
mod memory;
mod model;
mod overlap;
mod principals;
mod rotation;
mod session;
mod suite;
mod world;
