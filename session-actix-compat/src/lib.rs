//! Any session manager as a store of actix-session.
//!
// The program in it is for actix-session 0.11, so it is compiled where that is.
#![cfg_attr(any(feature = "v0_11", not(doctest)), doc = include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "v0_10", feature = "v0_11")),
    allow(dead_code, unused_imports, unused_macros, reason = "there is no trait to implement")
)]

mod builder;
mod store;
mod traits;

pub use self::{builder::ManagerStoreBuilder, store::ManagerStore};
