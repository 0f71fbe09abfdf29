//! The long documents: why it is built this way, what it defends, how to write a backend.
//!
//! Links in them to other files lead there in the repository only.

/// Why it is built this way, and the roads not taken.
#[doc = ""]
#[doc = include_str!("../docs/DESIGN.md")]
pub mod design {}

/// What is defended against whom, and how to report a weakness.
#[doc = ""]
#[doc = include_str!("../docs/SECURITY.md")]
pub mod security {}

/// How to keep sessions in another store, and test it.
#[doc = ""]
#[doc = include_str!("../docs/BACKENDS.md")]
pub mod backends {}
