//! Behaviour of session-actix, from outside: over real connections, and through real applications.

mod answers;
mod config;
mod demo;
mod failure;
mod handle;
mod names;
<<<<<<< HEAD
mod protocols;
=======
mod overlap;
>>>>>>> main
mod streaming;
mod support;
mod wire;
