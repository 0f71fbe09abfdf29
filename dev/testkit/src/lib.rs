//! What the tests of several crates share.
//!
//! Everything here panics where it fails, as tests do.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod demo;
mod hooks;
mod http;

pub use self::{
    demo::{Demo, cargo, demo},
    hooks::{Hooked, Hooks, Verb},
    http::{Browser, Response, exchange},
};
