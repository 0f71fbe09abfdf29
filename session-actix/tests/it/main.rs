//! Behaviour of session-actix, from outside: over real connections, and through real applications.

mod answers;
mod config;
mod demo;
mod failure;
mod handle;
mod names;
mod overlap;
mod protocols;
mod streaming;
mod support;
mod wire;
