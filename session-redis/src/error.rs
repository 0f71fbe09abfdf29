//! What went wrong at the server, and what that is in the terms of the contract.

use std::{borrow::Cow, error, fmt, io};

use redis::{ErrorKind as Kind, RedisError, ServerErrorKind as Server};
use session_core::{Error, ErrorKind};

/// Why a call had no answer. Cheap to clone: several calls may wait for one connection.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The client or the server said no.
    Refused(RedisError),
    /// The time-out of the call came first.
    Slow,
    /// Fewer replicas than asked for have the write.
    FewReplicas,
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        Self::Refused(error)
    }
}

impl Fault {
    /// Whether the server does not know the script by its name.
    pub(crate) fn is_unknown_script(&self) -> bool {
        matches!(self, Self::Refused(error) if error.kind() == Kind::Server(Server::NoScript))
    }

    /// The error for a caller of the constructor, who can change what is configured.
    pub(crate) fn at_start(&self) -> Error {
        let error = Error::from(self.clone());
        let Self::Refused(refused) = self else { return error };
        match Refusal::of(refused) {
            Refusal::Login | Refusal::Database | Refusal::Configured | Refusal::Protocol => {
                let (_, advice) = Refusal::of(refused).says();
                Error::new(ErrorKind::Config, ORIGIN, advice).with_source(Cause::of(refused))
            }
            _ => error,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => {
                let (kind, advice) = Refusal::of(&error).says();
                Self::new(kind, ORIGIN, advice).with_source(Cause::of(&error))
            }
            Fault::Slow => unavailable("the server did not answer within the time-out"),
            Fault::FewReplicas => unavailable(
                "fewer replicas than `RedisConfig::replicas` asks for have confirmed the write in \
                 time; the server itself has it",
            ),
        }
    }
}

/// The refusals that call for different answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Refusal {
    Busy,
    Configured,
    Connection,
    Database,
    Full,
    Loading,
    Login,
    Moving,
    Permission,
    Persistence,
    Protocol,
    ReadOnly,
    Replicas,
    Sentinel,
    Slow,
    WrongType,
    Other,
}

impl Refusal {
    fn of(error: &RedisError) -> Self {
        match error.kind() {
            Kind::AuthenticationFailed => Self::Login,
            Kind::InvalidClientConfig => Self::Configured,
            Kind::RESP3NotSupported => Self::Protocol,
            Kind::Io if error.is_timeout() => Self::Slow,
            Kind::Io => Self::Connection,
            Kind::MasterNameNotFoundBySentinel | Kind::EmptySentinelList => Self::Sentinel,
            Kind::Server(Server::BusyLoading) => Self::Loading,
            Kind::Server(Server::ReadOnly) => Self::ReadOnly,
            Kind::Server(Server::NoPerm) => Self::Permission,
            Kind::ClusterConnectionNotFound
            | Kind::Server(
                Server::Moved
                | Server::Ask
                | Server::TryAgain
                | Server::ClusterDown
                | Server::MasterDown,
            ) => Self::Moving,
            // The client has no kind of its own for this one.
            Kind::Server(Server::ResponseError)
                if error.to_string().contains("refused to switch database")
                    || error.detail().is_some_and(|it| it.contains("DB index")) =>
            {
                Self::Database
            }
            _ => match error.code() {
                Some("WRONGPASS" | "NOAUTH") => Self::Login,
                Some("OOM") => Self::Full,
                Some("MISCONF") => Self::Persistence,
                Some("NOREPLICAS") => Self::Replicas,
                Some("BUSY") => Self::Busy,
                Some("WRONGTYPE") => Self::WrongType,
                Some("NOPROTO") => Self::Protocol,
                _ => Self::Other,
            },
        }
    }

    fn says(self) -> (ErrorKind, &'static str) {
        let advice = match self {
            Self::Full => {
                return (
                    ErrorKind::Full,
                    "the server's memory is full: raise `maxmemory`, or shorten the lifetimes of \
                     sessions",
                );
            }
            Self::WrongType => return (ErrorKind::Corrupt, FOREIGN),
            Self::Busy => "the server is busy with a script that does not end: look for it there",
            Self::Configured => {
                "the URL is none of a Redis server: write \
                 `redis://[user:password@]host[:port][/database]`, `rediss://` for TLS (with the \
                 feature `tls`), or `unix:///path`"
            }
            Self::Connection => "the server cannot be reached",
            Self::Database => {
                "the server has no database of that number: look at the URL, and at `databases` in \
                 the server's configuration"
            }
            Self::Loading => "the server is loading its data after a start",
            Self::Login => {
                "the server refused the user or the password: look at the URL, and at the server's \
                 ACL"
            }
            Self::Moving => "no server is in charge of the session now: the Cluster is changing",
            Self::Permission => {
                "the ACL of the user forbids a command or a key: allow the keys of the prefix and \
                 the commands named in the README"
            }
            Self::Persistence => {
                "the server takes no writes because it cannot save its data: look at its disk"
            }
            Self::Protocol => "the server does not speak RESP3: Redis 7 or Valkey 8 is needed",
            Self::ReadOnly => {
                "the server is a read-only replica: name the master, or use Sentinel or Cluster"
            }
            Self::Replicas => "the server takes no writes because too few replicas are connected",
            Self::Sentinel => "no Sentinel knows a master of that name",
            Self::Slow => "the server did not answer within the time-out",
            Self::Other => "the server refused",
        };
        (ErrorKind::Unavailable, advice)
    }
}

/// What the client said, without the parts that may name a key, a user or a host.
#[derive(Debug)]
struct Cause {
    said: String,
    io: Option<io::ErrorKind>,
}

impl Cause {
    fn of(error: &RedisError) -> Self {
        let io = error::Error::source(error)
            .and_then(|cause| cause.downcast_ref::<io::Error>())
            .map(io::Error::kind);
        Self { said: error.code().unwrap_or_else(|| error.category()).to_owned(), io }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.io {
            Some(kind) => write!(f, "{}: {kind}", self.said),
            None => f.write_str(&self.said),
        }
    }
}

impl error::Error for Cause {}

pub(crate) fn config(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Config, ORIGIN, message)
}

pub(crate) fn unavailable(message: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, ORIGIN, message)
}

/// Something is in the place of a session that this crate did not write.
pub(crate) fn foreign() -> Error {
    Error::new(ErrorKind::Corrupt, ORIGIN, FOREIGN)
}

pub(crate) fn future() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        ORIGIN,
        "the stored session has a format of a later release; it was left alone",
    )
}

/// The server answered with something else than was asked for.
pub(crate) fn unexpected() -> Error {
    unavailable("the server gave an answer that none of Redis 7 and Valkey 8 gives")
}

const FOREIGN: &str = "in the place of a session is something else; it was left alone: give \
                       sessions a prefix or a database of their own";
const ORIGIN: &str = "redis";
