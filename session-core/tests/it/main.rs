//! Behaviour of the crate, from outside.

#![allow(
    clippy::unchecked_time_subtraction,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and subtracts constants"
)]

mod activity;
mod bounds;
mod cookie;
mod deploy;
mod failures;
mod gated;
mod hooked;
mod keys;
mod known;
mod lab;
mod lifetimes;
mod lists;
mod lost;
mod memory;
mod model;
mod overlap;
mod principals;
mod recall;
mod record;
mod retries;
mod rotation;
mod secrets;
mod session;
mod suite;
mod sweeper;
mod thieves;
mod unreadable;
mod values;
mod world;
