//! Server-side sessions for actix-web: the middleware and the `Session` extractor, over any
//! session manager.

mod config;
mod cookie;
mod error;
mod extract;
mod guarded;
mod headers;
mod key;
mod middleware;
mod session;
mod set_cookie;
mod skip;
mod slot;
pub mod testing;
mod writing;

pub use self::{
    config::SessionMiddlewareBuilder,
    error::{Error, Result},
    extract::{OpenedSession, SessionExt},
    key::{AsKey, Key},
    middleware::{Main, SessionMiddleware, SessionService},
    session::Session,
};
