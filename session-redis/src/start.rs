//! What is looked at when a manager is made.

use std::time::Duration;

use redis::{Value, cmd};
use session_core::{Error, Result};

use crate::{
    error::Fault,
    link::{Connection, Request, Source, Target, one},
};

/// Warns, in the log, of what the servers may do later.
///
/// Apart from the start of the program, which need not wait for it.
pub(crate) async fn warn(source: &Source, timeout: Duration) {
    match policies(source, timeout).await {
        Ok(policies) => {
            for policy in policies.iter().filter(|policy| *policy != "noeviction") {
                tracing::warn!(
                    policy,
                    "the server may drop sessions, and their entries in the lists of principals, \
                     when its memory is full: set `maxmemory-policy noeviction`, or give sessions a \
                     server of their own"
                );
            }
        }
        // Not every user of a server may ask.
        Err(error) => tracing::debug!(%error, "the server does not tell its `maxmemory-policy`"),
    }
}

/// What each server does when its memory is full.
async fn policies(source: &Source, timeout: Duration) -> Result<Vec<String>> {
    let mut policies = Vec::new();
    for client in source.masters(timeout).await.map_err(Fault::from)? {
        let mut connection: Connection =
            one(&client, timeout, |_| Ok::<(), ()>(())).await.map_err(Fault::from)?;
        let mut info = cmd("INFO");
        info.arg("memory");
        let request = Request::read(Target { key: Vec::new() }, info);
        let asked = tokio::time::timeout(timeout, connection.send(&request));
        let answers = asked.await.map_err(|_| Error::from(Fault::Slow))?.map_err(Fault::from)?;
        let told = answers.into_iter().next().and_then(|answer| match answer {
            Value::BulkString(text) => String::from_utf8(text).ok(),
            Value::VerbatimString { text, .. } => Some(text),
            _ => None,
        });
        policies.extend(told.and_then(|told| {
            told.lines().find_map(|line| line.strip_prefix("maxmemory_policy:").map(str::to_owned))
        }));
    }
    Ok(policies)
}
