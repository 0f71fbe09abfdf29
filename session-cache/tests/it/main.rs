//! Behaviour of the cache, from outside.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]
#![expect(clippy::cast_possible_truncation, reason = "the counts of a test fit in every word")]

mod abilities;
mod bounds;
mod coherence;
mod failing;
mod feed;
mod forget;
mod parent;
mod races;
mod sessions;
mod shared_loads;
#[path = "../support/mod.rs"]
mod support;
mod touch;
mod uncertain_writes;
