//! What went wrong with a file, and what that is in the terms of the contract.

use std::io;

use session_core::{Error, ErrorKind};

use crate::syscalls::Errno;

/// A step on the way to or from the disk that failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Cause {
    pub(crate) step: &'static str,
    pub(crate) errno: Errno,
}

impl From<Cause> for Error {
    fn from(Cause { step, errno }: Cause) -> Self {
        let (kind, advice) = match errno {
            Errno::NOSPC => (ErrorKind::Full, "no space is left on the file system"),
            Errno::DQUOT => (ErrorKind::Full, "the quota of the file system is used up"),
            Errno::FBIG => (ErrorKind::Full, "the process may not write files of this size"),
            Errno::MFILE | Errno::NFILE => (
                ErrorKind::Unavailable,
                "too many files are open: raise the limit of open files (`ulimit -n`)",
            ),
            Errno::ACCESS | Errno::PERM => (
                ErrorKind::Unavailable,
                "the permissions of the folder or of a file in it keep this process out",
            ),
            Errno::ROFS => {
                (ErrorKind::Unavailable, "the file system of the folder is mounted read-only")
            }
            _ => (ErrorKind::Unavailable, "the file system refused"),
        };
        Self::new(kind, ORIGIN, format!("{advice} ({step})")).with_source(io::Error::from(errno))
    }
}

/// Why a verb did not come to its end.
#[derive(Debug)]
pub(crate) enum TryError {
    /// It would have to wait for the disk or for another writer, and may not.
    WouldBlock,
    Failed(Error),
}

/// A verb that may be tried without waiting first.
pub(crate) type Try<T> = Result<T, TryError>;

impl TryError {
    /// The error, for callers that may wait.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Failed(error) => error,
            Self::WouldBlock => {
                Error::new(ErrorKind::Unavailable, ORIGIN, "the file system would not wait")
            }
        }
    }
}

impl From<Error> for TryError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Cause> for TryError {
    fn from(cause: Cause) -> Self {
        match cause.errno {
            Errno::AGAIN => Self::WouldBlock,
            _ => Self::Failed(cause.into()),
        }
    }
}

/// Names the step at which a system call failed.
pub(crate) trait During<T> {
    fn during(self, step: &'static str) -> Result<T, Cause>;
}

impl<T> During<T> for Result<T, Errno> {
    fn during(self, step: &'static str) -> Result<T, Cause> {
        self.map_err(|errno| Cause { step, errno })
    }
}

pub(crate) fn config(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Config, ORIGIN, message)
}

/// The bytes of a session's file are no record.
pub(crate) fn damaged() -> Error {
    Error::new(
        ErrorKind::Corrupt,
        ORIGIN,
        "the file of a session is damaged; it was moved to the folder `aside`",
    )
}

/// Something is in the place of a session's file that this crate did not write.
pub(crate) fn foreign() -> Error {
    Error::new(
        ErrorKind::Corrupt,
        ORIGIN,
        "in the place of a session's file is something else; it was left alone: move it away",
    )
}

pub(crate) fn future() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        ORIGIN,
        "the file of a session has a format of a later release; it was left alone",
    )
}

pub(crate) fn removed() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        ORIGIN,
        "the folder was removed while it was in use: restore it and restart",
    )
}

pub(crate) fn contended() -> Error {
    Error::new(
        ErrorKind::Contended,
        ORIGIN,
        "another process held the lock of a session's file for too long",
    )
}

const ORIGIN: &str = "fs";
