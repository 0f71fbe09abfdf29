//! Behaviour of the crate, from outside.

mod known;
mod memory;
mod suite;
