//! What the tests share.

mod faulty;
mod project;
mod server;

use session_actix::{SessionMiddleware, SessionMiddlewareBuilder};
use session_core::{ErrorKind, SigningKey};

pub(crate) use testkit::{Browser, Response, exchange};

pub(crate) use self::{
    faulty::{Faults, Faulty, Mode},
    project::Program,
    server::Server,
};

pub(crate) fn key() -> SigningKey {
    SigningKey::hmac_sha256((0..32).collect::<Vec<u8>>()).unwrap()
}

/// The settings most tests use, over `manager`.
pub(crate) fn builder(manager: &Faulty) -> SessionMiddlewareBuilder {
    SessionMiddleware::builder(manager.clone(), key())
}

pub(crate) fn sessions(manager: &Faulty) -> SessionMiddleware {
    builder(manager).build().unwrap()
}

pub(crate) fn kind<T>(result: session_actix::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// `Ok`, with the error handlers of session-actix have.
#[expect(clippy::unnecessary_wraps, reason = "closures cannot name what they return")]
pub(crate) fn ok<T>(value: T) -> session_actix::Result<T> {
    Ok(value)
}
