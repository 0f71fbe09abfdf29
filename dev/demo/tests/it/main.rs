//! The demo from outside: as a program, over HTTP.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod demo;
mod lost;
mod overlap;
mod tls;
