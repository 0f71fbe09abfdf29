//! `ManagedSession`: what a handler holds.

mod changes;
mod handle;
mod reading;
mod state;
mod value;
mod writing;

pub(crate) use self::{
    changes::Change,
    state::{Mark, Phase, State},
};
pub use self::{
    handle::{Finished, ManagedSession, Saved},
    reading::Status,
};
