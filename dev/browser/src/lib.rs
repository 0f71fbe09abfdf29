//! The demo site, started as it is shipped, and a browser to look at it with.
//!
//! The tests are two binaries, since a machine may have what one of them needs and lack what the
//! other does: `cargo xtask test --without browser` or `--without clients` leaves one out.
//!
//! Everything here panics where it fails, as tests do.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod browser;
mod clients;
mod demo;
mod driver;

pub use self::{
    browser::Browser,
    clients::{Answer, Client, Curl, Requests},
    demo::Demo,
    driver::Driver,
};
