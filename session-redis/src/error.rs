//! What went wrong, and what that is in the terms of the contract.

use std::{borrow::Cow, error, fmt, io, sync::Arc};

use redis::{ErrorKind as Kind, RedisError, ServerErrorKind as Server};
use session_core::{Error, ErrorKind};

/// Why a call had no answer. Cheap to clone: several calls may wait for one connection.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// The server, if it was one of them.
    at: Arc<str>,
    why: Why,
}

#[derive(Clone, Debug)]
enum Why {
    /// The client or the server said no.
    Refused(RedisError),
    /// As before, and the cause is known.
    Known(&'static str, Option<RedisError>),
    /// The time-out came first.
    Slow,
}

impl Fault {
    pub(crate) fn refused(at: &Arc<str>, error: RedisError) -> Self {
        Self { at: Arc::clone(at), why: Why::Refused(error) }
    }

    pub(crate) fn known(at: &Arc<str>, cause: &'static str, error: Option<RedisError>) -> Self {
        Self { at: Arc::clone(at), why: Why::Known(cause, error) }
    }

    pub(crate) fn slow(at: &Arc<str>) -> Self {
        Self { at: Arc::clone(at), why: Why::Slow }
    }

    /// No server is known to be in charge.
    pub(crate) fn moving() -> Self {
        Self::known(&Arc::from(""), MOVING, None)
    }

    /// A server that is not what it is taken for, any more.
    pub(crate) fn changed(at: &Arc<str>) -> Self {
        Self::known(at, "the server is no master: who is in charge is asked again", None)
    }

    pub(crate) fn error(&self) -> Option<&RedisError> {
        match &self.why {
            Why::Refused(error) => Some(error),
            Why::Known(_, error) => error.as_ref(),
            Why::Slow => None,
        }
    }

    /// Whether the server does not know the script by its name.
    pub(crate) fn is_unknown_script(&self) -> bool {
        self.error().is_some_and(|error| error.kind() == Kind::Server(Server::NoScript))
    }

    /// Whether the server refused, rather than was not there: it is worth more to know.
    pub(crate) fn is_refusal(&self) -> bool {
        !matches!(self.error().map(RedisError::kind), None | Some(Kind::Io))
    }

    /// The error for a caller of the constructor, who can change what is configured.
    pub(crate) fn at_start(self) -> Error {
        let refusal = self.error().map(Refusal::of);
        let error = Error::from(self);
        match refusal {
            Some(Refusal::Login | Refusal::Database | Refusal::Protocol | Refusal::Sentinel) => {
                config(error.to_string()).with_source(error)
            }
            _ => error,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let (kind, says, cause) = match &fault.why {
            Why::Refused(error) => {
                let (kind, says) = Refusal::of(error).says();
                (kind, says, Some(Cause::of(error)))
            }
            Why::Known(says, error) => {
                (ErrorKind::Unavailable, *says, error.as_ref().map(Cause::of))
            }
            Why::Slow => (ErrorKind::Unavailable, SLOW, None),
        };
        let mut message = match &*fault.at {
            "" => says.to_owned(),
            at => format!("{at}: {says}"),
        };
        let Some(cause) = cause.filter(|cause| !cause.0.is_empty()) else {
            return Self::new(kind, ORIGIN, message);
        };
        message = format!("{message} ({cause})");
        Self::new(kind, ORIGIN, message).with_source(cause)
    }
}

/// The refusals that call for different answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Refusal {
    Busy,
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
            Kind::RESP3NotSupported => Self::Protocol,
            Kind::Io if error.is_timeout() => Self::Slow,
            Kind::Io => Self::Connection,
            Kind::MasterNameNotFoundBySentinel => Self::Sentinel,
            Kind::Server(Server::BusyLoading) => Self::Loading,
            Kind::Server(Server::ReadOnly) => Self::ReadOnly,
            Kind::Server(Server::NoPerm) => Self::Permission,
            Kind::Server(
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
            Self::Connection => "the connection to the server was lost",
            Self::Database => {
                "the server has no database of that number: look at the URL, and at `databases` in \
                 the server's configuration"
            }
            Self::Loading => "the server is loading its data after a start",
            Self::Login => {
                "the server refused the user or the password: look at the URL, and at the server's \
                 ACL"
            }
            Self::Moving => MOVING,
            Self::Permission => {
                "the ACL of the user forbids a command or a key: allow the keys of the prefix and \
                 the commands named in the README"
            }
            Self::Persistence => {
                "the server takes no writes because it cannot save its data: look at its disk"
            }
            Self::Protocol => OLD,
            Self::ReadOnly => REPLICA,
            Self::Replicas => "the server takes no writes because too few replicas are connected",
            Self::Sentinel => "no Sentinel knows a master of that name: look at `sentinel monitor`",
            Self::Slow => SLOW,
            Self::Other => "the server refused",
        };
        (ErrorKind::Unavailable, advice)
    }
}

/// The words of the system or the server, without those that may name a key or a user.
#[derive(Debug)]
struct Cause(String);

impl Cause {
    fn of(error: &RedisError) -> Self {
        if let Some(io) = io_error(error) {
            return Self(io.to_string());
        }
        let code = error.code().unwrap_or_else(|| error.category());
        // An unknown command is repeated with its arguments; `NOPERM` names the user.
        let detail = error.detail().unwrap_or_default();
        let detail = detail.split(", with args").next().unwrap_or_default();
        let detail = match detail.find(" has no permissions") {
            Some(at) => &detail[at + 1..],
            None => detail,
        };
        let harmless = |word: &&str| word.len() < LONGEST_WORD;
        let detail: Vec<_> = detail.split_whitespace().filter(harmless).collect();
        Self(format!("{code} {}", detail.join(" ")).trim_end().to_owned())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for Cause {}

/// What the system said, which the client keeps behind two pointers.
pub(crate) fn io_error(error: &RedisError) -> Option<&io::Error> {
    let source = error::Error::source(error)?;
    let shared = source.downcast_ref::<Arc<dyn error::Error + Send + Sync>>()?;
    shared.downcast_ref::<io::Error>()
}

pub(crate) fn config(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Config, ORIGIN, message)
}

pub(crate) fn unavailable(message: impl Into<Cow<'static, str>>) -> Error {
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
const MOVING: &str = "no server is in charge of the session now: a failover, or a change of the \
                      Cluster, is under way";
const SLOW: &str = "the server did not answer within the time-out";
pub(crate) const OLD: &str = "Redis 7 or Valkey 8 is needed";
pub(crate) const REPLICA: &str =
    "the server is a read-only replica: name the master, or use Sentinel or Cluster";

/// Shorter than any sid or hash.
const LONGEST_WORD: usize = 22;

const ORIGIN: &str = "redis";
