//! Servers of the tests' own, on free ports, that end with the tests however these end.

#![allow(dead_code, reason = "each test binary uses a part of it")]

mod cluster;
mod server;
mod waiting;

pub(crate) use self::{
    cluster::Cluster,
    server::{Server, ask},
    waiting::{block_on, until},
};
