//! What the tests share.

mod demo;
mod tls;

pub(crate) use self::{
    demo::{Demo, PROGRAM},
    tls::exchange_over_tls,
};
