//! The same small application on every library, and on none.

mod actix;
mod bare;
mod gate;
mod ours;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tower;

use session_cache::Coherence;
use session_fs::Durability;

use crate::Result;

pub use gate::Gate;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Peer {
    BareActix,
    BareAxum,
    Working,
    OursMemory,
    Ours,
    OursSynced,
    OursExclusive,
    OursCached,
    OursRedis,
    OursRedisCached,
    ActixSigned,
    ActixCookie,
    ActixRedis,
    TowerMemory,
    TowerMoka,
    TowerSqlite,
    TowerSqliteFull,
    TowerRedis,
}

/// A server that runs until the process ends.
pub struct Server {
    pub url: String,
    /// Where it keeps what is to be removed with it.
    _folder: Option<tempfile::TempDir>,
}

/// What a session holds besides the counter: five values in all.
const FIELDS: [(&str, &str); 4] = [
    ("name", "Ada Lovelace"),
    ("language", "en-GB"),
    ("theme", "dark"),
    ("last page", "/orders/2026/open"),
];

impl Peer {
    const ALL: &[Self] = &[
        Self::BareActix,
        Self::BareAxum,
        Self::Working,
        Self::OursMemory,
        Self::Ours,
        Self::OursSynced,
        Self::OursExclusive,
        Self::OursCached,
        Self::OursRedis,
        Self::OursRedisCached,
        Self::ActixSigned,
        Self::ActixCookie,
        Self::ActixRedis,
        Self::TowerMemory,
        Self::TowerMoka,
        Self::TowerSqlite,
        Self::TowerSqliteFull,
        Self::TowerRedis,
    ];

    const OVERLAP: &[Self] = &[
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

    /// Those that were built: see the features.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|peer| peer.is_built())
    }

    /// Those of them that differ in what becomes of requests that overlap.
    pub fn overlapping() -> impl Iterator<Item = Self> {
        Self::OVERLAP.iter().copied().filter(|peer| peer.is_built())
    }

    pub fn is_built(self) -> bool {
        let is_on_sqlite = matches!(self, Self::TowerSqlite | Self::TowerSqliteFull);
        (cfg!(feature = "redis") || !self.is_on_redis())
            && (cfg!(feature = "sqlite") || !is_on_sqlite)
    }

    /// Those that keep sessions in Redis.
    pub fn is_on_redis(self) -> bool {
        matches!(
            self,
            Self::OursRedis | Self::OursRedisCached | Self::ActixRedis | Self::TowerRedis
        )
    }

    pub fn keeps_sessions(self) -> bool {
        !matches!(self, Self::BareActix | Self::BareAxum | Self::Working)
    }

    pub fn is_ours(self) -> bool {
        matches!(
            self,
            Self::OursMemory
                | Self::Ours
                | Self::OursSynced
                | Self::OursExclusive
                | Self::OursCached
                | Self::OursRedis
                | Self::OursRedisCached
        )
    }

    /// The server it is built on, without sessions.
    pub fn base(self) -> Self {
        match self {
            Self::BareAxum
            | Self::TowerMemory
            | Self::TowerMoka
            | Self::TowerSqlite
            | Self::TowerSqliteFull
            | Self::TowerRedis => Self::BareAxum,
            _ => Self::BareActix,
        }
    }

    /// What an acknowledged write outlives.
    pub fn durability(self) -> &'static str {
        match self {
            Self::BareActix | Self::BareAxum | Self::Working => "",
            Self::OursMemory | Self::TowerMemory | Self::TowerMoka => "memory",
            // Redis does not write to a disk here, and is another process.
            Self::Ours
            | Self::OursExclusive
            | Self::OursCached
            | Self::OursRedis
            | Self::OursRedisCached
            | Self::ActixRedis
            | Self::TowerRedis
            | Self::TowerSqlite => "process crash",
            Self::OursSynced | Self::TowerSqliteFull => "power loss",
            Self::ActixSigned | Self::ActixCookie => "kept by the browser",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::BareActix => "bare actix-web",
            Self::BareAxum => "bare axum",
            Self::Working => "actix-web that works 2, 8 and 20 us",
            Self::OursMemory => "session-core, memory",
            Self::Ours => "session-fs",
            Self::OursSynced => "session-fs, Synced",
            Self::OursExclusive => "session-cache over session-fs, exclusive",
            Self::OursCached => "session-cache over session-fs",
            Self::OursRedis => "session-redis",
            Self::OursRedisCached => "session-cache over session-redis",
            Self::ActixSigned => "actix-session 0.11, signed cookie",
            Self::ActixCookie => "actix-session 0.11, private cookie",
            Self::ActixRedis => "actix-session 0.11, Redis",
            Self::TowerMemory => "tower-sessions 0.15, memory",
            Self::TowerMoka => "tower-sessions 0.14, moka",
            Self::TowerSqlite => "tower-sessions 0.14, SQLite",
            Self::TowerSqliteFull => "tower-sessions 0.14, SQLite, synchronous",
            Self::TowerRedis => "tower-sessions 0.14, Redis",
        }
    }

    /// How it is set up, where that is not its default.
    pub fn setting(self) -> &'static str {
        match self {
            Self::OursSynced => "`Durability::Synced`",
            Self::OursExclusive => "`Coherence::Exclusive`",
            Self::OursCached => "`Coherence::Checked`",
            Self::OursRedis => "`connection_per_worker`",
            Self::OursRedisCached => "`connection_per_worker`, `Coherence::Watching`",
            Self::ActixCookie | Self::ActixRedis => "encrypted cookie, its default",
            Self::TowerMoka => "10,000 entries",
            Self::TowerSqlite => "WAL, `synchronous=NORMAL`",
            Self::TowerSqliteFull => "WAL, `synchronous=FULL`",
            _ => "",
        }
    }

    /// `redis`: the URL of the server for those that need one.
    #[cfg_attr(not(feature = "redis"), expect(unused_variables, reason = "nobody needs one"))]
    pub fn serve(self, redis: Option<&str>, workers: usize) -> Result<Server> {
        match self {
            Self::BareActix => bare::actix(workers),
            Self::BareAxum => bare::axum(workers),
            Self::Working => bare::working(workers, [2, 8, 20]),
            Self::OursMemory => ours::memory(workers),
            Self::Ours => ours::files(Durability::Buffered, None, workers),
            Self::OursSynced => ours::files(Durability::Synced, None, workers),
            Self::OursExclusive => {
                ours::files(Durability::Buffered, Some(Coherence::Exclusive), workers)
            }
            Self::OursCached => {
                ours::files(Durability::Buffered, Some(Coherence::Checked), workers)
            }
            #[cfg(feature = "redis")]
            Self::OursRedis => ours::redis(redis.unwrap_or_default(), None, workers),
            #[cfg(feature = "redis")]
            Self::OursRedisCached => {
                ours::redis(redis.unwrap_or_default(), Some(Coherence::Watching), workers)
            }
            Self::ActixSigned => actix::signed_cookie(workers),
            Self::ActixCookie => actix::private_cookie(workers),
            #[cfg(feature = "redis")]
            Self::ActixRedis => actix::redis(redis.unwrap_or_default().to_owned(), workers),
            Self::TowerMemory => tower::memory(workers),
            Self::TowerMoka => tower::moka(workers),
            #[cfg(feature = "sqlite")]
            Self::TowerSqlite => sqlite::serve(sqlite::Synchronous::Normal, workers),
            #[cfg(feature = "sqlite")]
            Self::TowerSqliteFull => sqlite::serve(sqlite::Synchronous::Full, workers),
            #[cfg(feature = "redis")]
            Self::TowerRedis => tower::redis(redis.unwrap_or_default().to_owned(), workers),
            #[cfg(not(all(feature = "redis", feature = "sqlite")))]
            _ => Err("it is not built".into()),
        }
    }
}
