//! Session managers under actix-session and actix-identity, from outside.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod example;
mod identity;
mod neighbours;
mod outage;
mod store;
mod support;
