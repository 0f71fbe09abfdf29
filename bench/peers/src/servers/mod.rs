//! The same small application on every library.

mod actix;
mod gate;
mod ours;
mod tower;

use crate::{Result, redis::Redis};

pub use gate::Gate;

#[derive(Clone, Copy)]
pub enum Peer {
    Ours,
    OursCached,
    ActixCookie,
    ActixRedis,
    TowerMemory,
    TowerMoka,
    TowerRedis,
}

/// A server that runs until the process ends.
pub struct Server {
    pub url: String,
    _folder: Option<tempfile::TempDir>,
}

impl Peer {
    pub fn all(redis: bool) -> impl Iterator<Item = Self> {
        let all = [
            Self::Ours,
            Self::OursCached,
            Self::ActixCookie,
            Self::ActixRedis,
            Self::TowerMemory,
            Self::TowerMoka,
            Self::TowerRedis,
        ];
        all.into_iter()
            .filter(move |peer| redis || !matches!(peer, Self::ActixRedis | Self::TowerRedis))
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "session-fs",
            Self::OursCached => "session-cache over session-fs",
            Self::ActixCookie => "actix-session 0.11, cookie",
            Self::ActixRedis => "actix-session 0.11, Redis",
            Self::TowerMemory => "tower-sessions 0.15, memory",
            Self::TowerMoka => "tower-sessions 0.14, moka",
            Self::TowerRedis => "tower-sessions 0.14, Redis",
        }
    }

    pub fn serve(self, redis: Option<&Redis>) -> Result<Server> {
        let redis = redis.map(|redis| redis.url.clone()).unwrap_or_default();
        match self {
            Self::Ours => ours::serve(false),
            Self::OursCached => ours::serve(true),
            Self::ActixCookie => actix::cookie(),
            Self::ActixRedis => actix::redis(redis),
            Self::TowerMemory => tower::memory(),
            Self::TowerMoka => tower::moka(),
            Self::TowerRedis => tower::redis(redis),
        }
    }
}
