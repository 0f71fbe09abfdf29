//! The same small application on every library.

mod actix;
mod gate;
mod ours;
mod tower;

use crate::Result;

pub use gate::Gate;

#[derive(Clone, Copy)]
pub enum Peer {
    Ours,
    OursCached,
    OursRedis,
    OursRedisCached,
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
            Self::OursRedis,
            Self::OursRedisCached,
            Self::ActixCookie,
            Self::ActixRedis,
            Self::TowerMemory,
            Self::TowerMoka,
            Self::TowerRedis,
        ];
        all.into_iter().filter(move |peer| redis || !peer.is_on_redis())
    }

    /// Those that keep sessions in Redis.
    pub fn is_on_redis(self) -> bool {
        matches!(
            self,
            Self::OursRedis | Self::OursRedisCached | Self::ActixRedis | Self::TowerRedis
        )
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "session-fs",
            Self::OursCached => "session-cache over session-fs",
            Self::OursRedis => "session-redis",
            Self::OursRedisCached => "session-cache over session-redis",
            Self::ActixCookie => "actix-session 0.11, cookie",
            Self::ActixRedis => "actix-session 0.11, Redis",
            Self::TowerMemory => "tower-sessions 0.15, memory",
            Self::TowerMoka => "tower-sessions 0.14, moka",
            Self::TowerRedis => "tower-sessions 0.14, Redis",
        }
    }

    /// `redis`: the URL of the server for those that need one.
    pub fn serve(self, redis: Option<&str>) -> Result<Server> {
        let redis = redis.unwrap_or_default().to_owned();
        match self {
            Self::Ours => ours::files(false),
            Self::OursCached => ours::files(true),
            Self::OursRedis => ours::redis(&redis, false),
            Self::OursRedisCached => ours::redis(&redis, true),
            Self::ActixCookie => actix::cookie(),
            Self::ActixRedis => actix::redis(redis),
            Self::TowerMemory => tower::memory(),
            Self::TowerMoka => tower::moka(),
            Self::TowerRedis => tower::redis(redis),
        }
    }
}
