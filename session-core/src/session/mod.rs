//! `ManagedSession`: what a handler holds.

mod changes;
mod handle;
mod reading;
mod state;
mod value;
mod writing;

pub use self::handle::{Finished, ManagedSession, Saved};
pub(crate) use self::{
    changes::Change,
    state::{Phase, State},
};
