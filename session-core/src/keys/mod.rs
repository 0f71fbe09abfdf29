//! Keys: what signs cookies and seals records.

mod mac;
mod ring;
mod seal;
mod signing;

pub(crate) use self::{
    mac::{Algorithm, Mac},
    ring::{InUse, Standing},
};
pub use self::{ring::KeyRing, signing::SigningKey};
