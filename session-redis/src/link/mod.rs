//! The way to the servers: what is connected to, and connections that come back.

#[cfg(feature = "cluster")]
mod cluster;
mod connection;
mod line;
#[cfg(feature = "sentinel")]
mod sentinel;
mod source;

pub(crate) use self::{
    connection::{Connection, Request, Target},
    line::Line,
    source::{Source, addresses, one},
};
