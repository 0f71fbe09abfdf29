//! Servers of the tests' own, on free ports, that end with the tests however these end.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

mod cluster;
mod load;
mod proxy;
mod records;
mod scripted;
mod server;
#[cfg(feature = "tls")]
mod tls;
mod waiting;

#[cfg(feature = "tls")]
pub(crate) use self::tls::TlsServer;
pub(crate) use self::{
    cluster::{Cluster, follows},
    load::Load,
    proxy::Proxy,
    records::{HOUR, create, ending, lasting, new_id, now, record, tagged, text, touch},
    scripted::{hello, scripted},
    server::{Server, ask, free_port},
    waiting::{a_moment, block_on, until},
};
