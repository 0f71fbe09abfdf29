//! The way to the servers: what is connected to, and connections that come back.

#[cfg(feature = "cluster")]
mod cluster;
mod connection;
mod line;
#[cfg(feature = "sentinel")]
mod sentinel;
mod source;
mod way;
mod ways;

use self::line::Line;
pub(crate) use self::{
    connection::{Connection, Request, Target},
    source::{Source, addresses, one},
    way::{Plan, Way},
    ways::Ways,
};
