//! The steps that are atomic: scripts the server runs.

use std::sync::LazyLock;

use redis::{Cmd, Script as Hashed};

/// A script, and the name the server gives it once it has seen it.
#[derive(Debug)]
pub(crate) struct Script {
    text: String,
    hash: String,
}

/// Stores a record.
pub(crate) static PUT: LazyLock<Script> =
    LazyLock::new(|| Script::new(&[HEAD, include_str!("scripts/put.lua")]));

/// Moves a deadline. Needs no new memory, so a server that is full may run it.
pub(crate) static TOUCH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(&["#!lua flags=allow-oom\n", HEAD, include_str!("scripts/touch.lua")])
});

/// Removes a record.
pub(crate) static REMOVE: LazyLock<Script> =
    LazyLock::new(|| Script::new(&[HEAD, include_str!("scripts/remove.lua")]));

/// Adds to the index of a principal.
pub(crate) static LINK: LazyLock<Script> =
    LazyLock::new(|| Script::new(&[include_str!("scripts/link.lua")]));

/// Takes entries out of the index of a principal.
pub(crate) static FORGET: LazyLock<Script> =
    LazyLock::new(|| Script::new(&[include_str!("scripts/forget.lua")]));

/// Reads the index of a principal.
pub(crate) static LIST: LazyLock<Script> =
    LazyLock::new(|| Script::new(&[include_str!("scripts/list.lua")]));

const HEAD: &str = include_str!("scripts/head.lua");

impl Script {
    pub(crate) fn new(parts: &[&str]) -> Self {
        let text = parts.concat();
        let hash = Hashed::new(&text).get_hash().to_owned();
        Self { text, hash }
    }

    /// Runs the script by its name, which is 40 bytes where the text is thousands.
    pub(crate) fn by_name(&self, key: &[u8], args: &[&[u8]]) -> Cmd {
        Self::command("EVALSHA", &self.hash, key, args)
    }

    /// Runs the script by its text, after which the server knows its name.
    pub(crate) fn by_text(&self, key: &[u8], args: &[&[u8]]) -> Cmd {
        Self::command("EVAL", &self.text, key, args)
    }

    fn command(verb: &str, script: &str, key: &[u8], args: &[&[u8]]) -> Cmd {
        let bytes = args.iter().map(|arg| arg.len()).sum::<usize>();
        let mut command =
            Cmd::with_capacity(4 + args.len(), verb.len() + script.len() + 1 + key.len() + bytes);
        command.arg(verb).arg(script).arg(1).arg(key);
        for arg in args {
            command.arg(*arg);
        }
        command
    }
}
