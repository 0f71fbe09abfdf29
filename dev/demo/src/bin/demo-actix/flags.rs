//! What the demo is started with.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use session_cache::Coherence;

pub(crate) const HELP: &str = "\
A small site with sessions.

  --addr HOST:PORT       where to listen (127.0.0.1:8080)
  --store fs:DIR         keep sessions in files of this folder (fs:target/demo/sessions)
  --store redis://H:P    keep sessions in the Redis or Valkey server at this URL
  --store memory         keep sessions in memory; they end with the program
  --key-file FILE        the key of the sessions, made at the first start (target/demo/key)
  --idle SECONDS         a session nobody uses ends after (86400)
  --lifetime SECONDS     a session ends, however busy it is, after (604800)
  --rotate SECONDS       a session in use gets a new token each (never)
  --workers N            threads that answer (one for each core)
  --cache ENTRIES        sessions kept in memory in front of the store; 0: none (10000)
  --coherence checked    every hit asks the store for its version: for several processes (files)
  --coherence watching   the store tells of changes: for several processes (redis)
  --coherence exclusive  this process is the only one
  --insecure-cookie      for plain http on other names than localhost
  --tls                  https, with a self-signed certificate made at the start";

/// The flags, checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flags {
    pub(crate) addr: String,
    pub(crate) store: Store,
    pub(crate) key_file: PathBuf,
    pub(crate) idle: Duration,
    pub(crate) lifetime: Duration,
    pub(crate) rotate: Option<Duration>,
    pub(crate) workers: Option<NonZeroUsize>,
    pub(crate) cache: usize,
    /// What suits the store, unless told.
    pub(crate) coherence: Option<Coherence>,
    pub(crate) insecure_cookie: bool,
    pub(crate) tls: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Store {
    Fs(PathBuf),
    Memory,
    Redis(String),
}

impl Flags {
    /// Reads the arguments; `None` if help was asked for.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Option<Self>, String> {
        let mut flags = Self {
            addr: "127.0.0.1:8080".into(),
            store: Store::Fs("target/demo/sessions".into()),
            key_file: "target/demo/key".into(),
            idle: Duration::from_secs(24 * 60 * 60),
            lifetime: Duration::from_secs(7 * 24 * 60 * 60),
            rotate: None,
            workers: None,
            cache: 10_000,
            coherence: None,
            insecure_cookie: false,
            tls: false,
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let (flag, inline) = match arg.split_once('=') {
                Some((flag, value)) => (flag.to_owned(), Some(value.to_owned())),
                None => (arg, None),
            };
            let mut value = || {
                inline
                    .clone()
                    .or_else(|| args.next())
                    .ok_or_else(|| format!("{flag} needs a value"))
            };
            match flag.as_str() {
                "--addr" => flags.addr = value()?,
                "--store" => flags.store = Store::parse(&value()?)?,
                "--key-file" => flags.key_file = value()?.into(),
                "--idle" => flags.idle = seconds(&flag, &value()?)?,
                "--lifetime" => flags.lifetime = seconds(&flag, &value()?)?,
                "--rotate" => flags.rotate = Some(seconds(&flag, &value()?)?),
                "--workers" => flags.workers = Some(number(&flag, &value()?)?),
                "--cache" => flags.cache = number(&flag, &value()?)?,
                "--coherence" => flags.coherence = Some(coherence(&value()?)?),
                "--insecure-cookie" => flags.insecure_cookie = true,
                "--tls" => flags.tls = true,
                "--help" | "-h" => return Ok(None),
                _ => return Err(format!("`{flag}` is not a flag; --help tells them")),
            }
        }
        Ok(Some(flags))
    }

    /// A permanent session idles as long as it lives, unless the test of an idle timeout asks for
    /// less: then for both kinds.
    pub(crate) fn permanent_idle(&self) -> Option<Duration> {
        (self.idle < Duration::from_secs(24 * 60 * 60)).then_some(self.idle)
    }
}

impl Store {
    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("fs", folder)) if !folder.is_empty() => Ok(Self::Fs(folder.into())),
            Some(("redis" | "unix", rest)) if rest.starts_with("//") => {
                Ok(Self::Redis(text.to_owned()))
            }
            None if text == "memory" => Ok(Self::Memory),
            // Not what was given: a URL may hold a password.
            _ => Err("--store is `fs:DIR`, `redis://HOST:PORT` or `memory`".to_owned()),
        }
    }
}

fn coherence(text: &str) -> Result<Coherence, String> {
    match text {
        "checked" => Ok(Coherence::Checked),
        "exclusive" => Ok(Coherence::Exclusive),
        "watching" => Ok(Coherence::Watching),
        _ => Err(format!("--coherence is `checked`, `watching` or `exclusive`, not `{text}`")),
    }
}

fn seconds(flag: &str, text: &str) -> Result<Duration, String> {
    number(flag, text).map(Duration::from_secs)
}

fn number<T: std::str::FromStr>(flag: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{flag} needs a whole number, not `{text}`"))
}
