//! Writes that wait for replicas, many behind one `WAIT`.

use std::{sync::Arc, time::Duration};

use redis::{Cmd, Value, aio::MultiplexedConnection, cmd};
use tokio::sync::{mpsc, oneshot};

use crate::{error::Fault, request};

/// The writes of one connection, which a task sends.
///
/// `WAIT` holds up all that is behind it on its connection. So those that come meanwhile are sent
/// together when it is over, with one for all of them.
#[derive(Clone)]
pub(super) struct Batch(mpsc::UnboundedSender<Waiting>);

struct Waiting {
    commands: Vec<Cmd>,
    answer: oneshot::Sender<Result<(Vec<Value>, i64), Fault>>,
}

/// How many replicas to wait for, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replicas {
    pub(crate) count: u32,
    pub(crate) patience: Duration,
}

impl Batch {
    /// Begins the task, which ends with the connection.
    pub(super) fn new(at: &Arc<str>, to: MultiplexedConnection, replicas: Replicas) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        drop(tokio::spawn(serve(receiver, Arc::clone(at), to, replicas)));
        Self(sender)
    }

    /// Sends a write with those of others: its answers, and how many replicas have it.
    pub(super) async fn write(&self, commands: Vec<Cmd>) -> Result<(Vec<Value>, i64), Fault> {
        let (answer, answered) = oneshot::channel();
        // A task that has ended drops what it was sent.
        let _ = self.0.send(Waiting { commands, answer });
        answered.await.unwrap_or_else(|_| Err(Fault::moving()))
    }
}

async fn serve(
    mut waiting: mpsc::UnboundedReceiver<Waiting>,
    at: Arc<str>,
    mut to: MultiplexedConnection,
    replicas: Replicas,
) {
    let mut batch = Vec::new();
    while waiting.recv_many(&mut batch, LARGEST).await > 0 {
        batch.retain(|it| !it.answer.is_closed());
        let mut commands: Vec<_> = batch.iter().flat_map(|it| it.commands.clone()).collect();
        let mut wait = cmd("WAIT");
        wait.arg(replicas.count).arg(replicas.patience.as_millis().to_string());
        commands.push(wait);
        let sent = request::send_all(&mut to, &commands).await;
        let mut sent = sent.map(|mut answers| match answers.pop() {
            Some(Value::Int(have)) => (answers.into_iter(), have),
            _ => (answers.into_iter(), 0),
        });
        for Waiting { commands, answer } in batch.drain(..) {
            let own = match &mut sent {
                Ok((answers, have)) => Ok((answers.by_ref().take(commands.len()).collect(), *have)),
                Err(error) => Err(Fault::refused(&at, error.clone())),
            };
            // One that gave up is not there to be answered.
            let _ = answer.send(own);
        }
    }
}

/// How many writes are sent together at most.
const LARGEST: usize = 256;
