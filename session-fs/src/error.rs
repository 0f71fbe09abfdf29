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

impl Cause {
    /// Whether nothing was there.
    pub(crate) fn is_absence(&self) -> bool {
        self.errno == Errno::NOENT
    }
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
            Errno::NOENT => {
                (ErrorKind::Unavailable, "the folder, or a part of it, was removed while in use")
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
    /// A file is ours and holds no record. It was moved out of the way, or cannot be.
    Damaged,
    Failed(Error),
}

/// A verb that may be tried without waiting first.
pub(crate) type Try<T> = Result<T, TryError>;

impl TryError {
    /// The error, for callers that may wait.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Failed(error) => error,
            Self::Damaged => Error::new(
                ErrorKind::Corrupt,
                ORIGIN,
                "the file of a session is damaged; it was moved to the folder `aside`",
            ),
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

/// The permissions of one session's file keep this process out.
pub(crate) fn unreadable(owner: u32, errno: Errno) -> Error {
    let me = rustix::process::geteuid().as_raw();
    Error::new(
        ErrorKind::Corrupt,
        ORIGIN,
        format!(
            "the file of a session belongs to uid {owner} and keeps this process, uid {me}, out; \
             it was left alone: give all files of the folder one owner (`chown -R`)"
        ),
    )
    .with_source(io::Error::from(errno))
}

pub(crate) fn out_of_inodes() -> Error {
    Error::new(
        ErrorKind::Full,
        ORIGIN,
        "no inodes are left on the file system, though it may have space: \
         a session takes one, or two with a user",
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
