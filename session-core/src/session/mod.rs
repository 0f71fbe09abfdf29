//! `ManagedSession`: what a handler holds.
//!
//! `life.rs` has what a session can be to a request, `state.rs` all transitions, `pending.rs` what
//! the handler asked for and `view.rs` how the session looks with it. `commit.rs` writes it, by
//! steps that `plan.rs` and `privilege.rs` decide; `newest.rs` judges the record that another
//! writer left. The other files are methods of the handle.

mod activity;
mod commit;
mod handle;
mod key;
mod life;
mod login;
mod newest;
mod pending;
mod plan;
mod privilege;
mod reading;
mod state;
mod value;
mod view;
mod writing;

#[cfg(feature = "conformance")]
pub(crate) use self::value::decode;
pub(crate) use self::{
    commit::{MAX_CONFLICTS, contended, unpoisoned},
    life::{Claim, Life, LoadedSession, Presented, Standing, Unknown},
    plan::unreadable,
};
pub use self::{
    handle::{Finished, ManagedSession, Saved},
    key::{AsKey, Key, KeyName},
    reading::Status,
};
use self::{
    life::{Before, Known},
    pending::Pending,
    plan::Purpose,
    state::{CookieDue, Phase, State},
};
