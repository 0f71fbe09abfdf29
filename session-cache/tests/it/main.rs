//! Behaviour of the cache, from outside.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]
#![expect(clippy::cast_possible_truncation, reason = "the counts of a test fit in every word")]

mod abilities;
mod bounds;
mod coherence;
mod failing;
mod feed;
mod flights;
mod forget;
mod parent;
mod races;
#[path = "../support/mod.rs"]
mod support;
mod touch;
