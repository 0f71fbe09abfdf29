//! Behaviour of session-actix, from outside: over real connections, and through real applications.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod activity;
mod answers;
mod config;
mod failure;
mod handle;
mod logs;
mod names;
mod protocols;
mod readme;
mod streaming;
mod support;
mod wire;
