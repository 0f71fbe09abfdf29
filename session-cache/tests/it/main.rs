//! Behaviour of the cache, from outside.

mod abilities;
mod bounds;
mod coherence;
mod failing;
mod feed;
mod flights;
mod parent;
mod races;
#[path = "../support/mod.rs"]
mod support;
mod touch;
