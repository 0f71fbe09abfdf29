//! What is sent to a server, and how its answers are read.

use std::sync::Arc;

use redis::{Cmd, Pipeline, RedisResult, Value, aio::MultiplexedConnection};

use crate::topology::Server;

/// Commands for one server, sent together.
#[derive(Debug)]
pub(crate) struct Request {
    /// The server in charge of this key is asked,
    pub(crate) key: Vec<u8>,
    /// unless one is named.
    pub(crate) server: Option<Arc<Server>>,
    pub(crate) commands: Vec<Cmd>,
    /// Whether a lost answer leaves a doubt: then it is never sent twice.
    pub(crate) writes: bool,
}

impl Request {
    pub(crate) fn read(key: Vec<u8>, command: Cmd) -> Self {
        Self { key, server: None, commands: vec![command], writes: false }
    }

    pub(crate) fn write(key: Vec<u8>, command: Cmd) -> Self {
        Self { key, server: None, commands: vec![command], writes: true }
    }
}

/// Sends the commands and returns as many answers, errors among them.
pub(crate) async fn send_all(
    connection: &mut MultiplexedConnection,
    commands: &[Cmd],
) -> RedisResult<Vec<Value>> {
    if let [command] = commands {
        return Ok(vec![connection.send_packed_command(command).await?]);
    }
    let mut pipeline = Pipeline::with_capacity(commands.len());
    for command in commands {
        pipeline.add_command(command.clone());
    }
    connection.send_packed_commands(&pipeline, 0, commands.len()).await
}

/// As [`send_all`], but an error of the first command is the error of all.
pub(crate) async fn send(
    connection: &mut MultiplexedConnection,
    commands: &[Cmd],
) -> RedisResult<Vec<Value>> {
    let answers = send_all(connection, commands).await?;
    let mut answers = answers.into_iter();
    let first = answers.next().map(Value::extract_error).transpose()?;
    Ok(first.into_iter().chain(answers).collect())
}

/// A command of these words.
pub(crate) fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(words);
    command
}

/// The text in an answer, if it is one.
pub(crate) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}

/// The value under `name` in a map, which some commands send as a list of pairs.
pub(crate) fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Map(fields) => {
            fields.iter().find_map(|(key, value)| (text(key)? == name).then_some(value))
        }
        Value::Array(items) => items.chunks_exact(2).find_map(|pair| match pair {
            [key, value] if text(key)? == name => Some(value),
            _ => None,
        }),
        _ => None,
    }
}

/// The answer to `HELLO`: what a server says it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hello {
    pub(crate) server: String,
    pub(crate) version: String,
    pub(crate) mode: String,
    pub(crate) is_master: bool,
}

impl Hello {
    pub(crate) fn read(answer: &Value) -> Self {
        let said = |name| field(answer, name).and_then(text).unwrap_or_default().to_owned();
        let (server, version, mode) = (said("server"), said("version"), said("mode"));
        Self { server, version, mode, is_master: said("role") == "master" }
    }
}
