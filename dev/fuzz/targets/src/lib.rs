//! What is fuzzed: one function for each target, that takes any bytes and panics where something is
//! wrong.
//!
//! `cargo xtask fuzz` lets libFuzzer find the bytes; the tests of this crate replay what it found
//! before, in `dev/fuzz/corpus`, and every crash it ever found, in `dev/fuzz/crashes`.

#![expect(
    clippy::missing_panics_doc,
    reason = "a finding is a panic: that is what a target is for"
)]
#![expect(clippy::expect_used, reason = "what is not under test has to work")]

mod cookies;
mod corpus;
mod faults;
mod file;
mod operations;
mod record;
mod world;

pub use self::{
    cookies::{cookie_header, cookie_value},
    corpus::{inputs, pack, unpack},
    faults::faults,
    file::session_file,
    operations::operations,
    record::record_bytes,
};

/// A target.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: [(&str, Target); 6] = [
    ("cookie_header", cookie_header),
    ("cookie_value", cookie_value),
    ("record_bytes", record_bytes),
    ("session_file", session_file),
    ("operations", operations),
    ("faults", faults),
];
