//! Server-side sessions for actix-web: the middleware and the `Session` extractor, over any
//! session manager.
//!
//! For applications whose sessions must end when they are told to, and lose nothing while they
//! last. Not for sessions that live in the cookie itself: there is no such manager, for such a
//! session cannot be ended.
//!
//! | you want | take |
//! | --- | --- |
//! | sessions in an application | [`SessionMiddleware`], and [`Session`] in handlers |
//! | other attributes, lifetimes, limits | [`SessionMiddleware::builder`] |
//! | keys that know the type of their value | [`Key`] |
//! | the session in middleware | [`SessionExt`] |
//! | the session in a guard | [`OpenedSession`] |
//! | two sessions in one application | [`SessionMiddlewareBuilder::named`] |
//! | a session in your tests | [`testing`] |
//! | to end sessions from outside a request | [`SessionMiddleware::interface`] |
//!
//! # Example
//!
//! A whole server, with sessions in files:
//!
//! ```no_run
//! use actix_web::{App, HttpServer, web};
//! use session_actix::{Result, Session, SessionMiddleware};
//! use session_core::SigningKey;
//! use session_fs::FileBackedSessionManager;
//!
//! async fn visits(session: Session) -> Result<String> {
//!     let visits = session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1).await?;
//!     Ok(format!("visit {visits}\n"))
//! }
//!
//! #[actix_web::main]
//! async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
//!     tracing_subscriber::fmt::init();
//!     let key = SigningKey::from_file("session.key")?;
//!     let sessions = SessionMiddleware::new(FileBackedSessionManager::new("sessions")?, key)?;
//!     let app = move || App::new().wrap(sessions.clone()).route("/", web::get().to(visits));
//!     HttpServer::new(app).bind("127.0.0.1:8080")?.run().await?;
//!     Ok(())
//! }
//! ```
//!
//! # How it works
//!
//! The middleware gives each request a place for a session and goes on. The first that asks, a
//! handler or other middleware, has the `Cookie` header read, the MAC of the cookie verified and,
//! if it is genuine, the record fetched; all later ones get the same session. When the handler has
//! answered, what it changed is stored, and only then the head of the response leaves, with a
//! `Set-Cookie` if the browser must learn something.
//!
//! # Limits
//!
//! Store calls are timed by tokio, so they need its runtime, as actix-web has it. A client that
//! resets its connection has its handler dropped by actix-web, and nothing is saved for it; one
//! that closes its sending side only is served to the end. In HTTP/1.1 and HTTP/2 alike.

mod config;
mod error;
mod extract;
mod headers;
mod http;
mod middleware;
mod session;
mod slot;
pub mod testing;
mod writing;

pub use self::{
    config::SessionMiddlewareBuilder,
    error::{Error, Result},
    extract::{OpenedSession, Opening, SessionExt},
    middleware::{Main, SessionMiddleware, SessionService},
    session::Session,
};
pub use session_core::{AsKey, Key, KeyName};
