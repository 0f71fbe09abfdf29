//! Behaviour of the crate, from outside.

mod cookie;
mod keys;
mod known;
mod lab;
mod memory;
mod record;
mod secrets;
mod suite;
