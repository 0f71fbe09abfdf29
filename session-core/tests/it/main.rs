//! Behaviour of the crate, from outside.

mod memory;
mod suite;
