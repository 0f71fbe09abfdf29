//! Keeps web sessions in Redis or Valkey: one server, one behind Sentinels, or a Cluster.
//!
//! Use it for several machines that share sessions, with
//! [`CachingSessionManager`](https://docs.rs/session-cache) and its mode `Watching` in front, which
//! makes most reads free. For one machine, files cost less.
//!
//! | | |
//! | --- | --- |
//! | sweep | no: the server removes what is expired |
//! | list, probe, watch | yes |
//! | survives a restart | as far as the server's data does: with `appendonly yes` |
//! | several processes | yes, on any number of machines |
//! | bounded | by the server's memory: with `noeviction` a full one is [`ErrorKind::Full`](session_core::ErrorKind::Full), and what was stored is unharmed |
//!
//! # Examples
//!
//! ```no_run
//! use session_core::{SessionInterface, SigningKey};
//! use session_redis::RedisSessionManager;
//!
//! # async fn run(secret: &[u8]) -> session_core::Result<()> {
//! let manager = RedisSessionManager::new("redis://127.0.0.1:6379").await?;
//! let sessions = SessionInterface::builder(manager, SigningKey::hmac_sha256(secret)?).build()?;
//! # drop(sessions);
//! # Ok(()) }
//! ```
//!
//! # How it stores
//!
//! A session is one string, its record as it is. `get` is `GET`, `exists` and a probe are
//! `GETRANGE` of the header; `put`, `touch` and `remove` are scripts, so that comparing a version
//! and writing the next is one step. The index of a principal is a sorted set whose entries leave
//! when they are due.
//!
//! | key | holds |
//! | --- | --- |
//! | `session:s:<sid>` | a record; its time to live is what is left of it, and the [slack](RedisConfig::slack) |
//! | `session:p:<tag>` | the index of a principal: sids, sorted by when they are due |
//!
//! # Limits
//!
//! Replicas are asynchronous: what a server answered and had not passed on is lost when it fails
//! and a replica takes its place, a logout among it. [`RedisConfig::replicas`] waits for replicas,
//! which makes that unlikely. In a Cluster the index of a principal may lose an entry in this way
//! while its session remains on another server: no list names it then, until its next touch or
//! login. A scan that overlaps a restart or a change of the Cluster may miss sessions; a list by
//! principal does not.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod config;
mod diagnosis;
mod endpoint;
mod engine;
mod error;
mod feed;
mod list;
mod manager;
mod names;
mod pool;
mod request;
mod script;
mod start;
mod store;
mod topology;

#[cfg(feature = "tls")]
pub use redis::{ClientTlsConfig, TlsCertificates};

pub use self::{config::RedisConfig, manager::RedisSessionManager};
