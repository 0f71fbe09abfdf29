//! Writes that wait for replicas, many behind one `WAIT`.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{Cmd, Value, cmd};
use tokio::sync::oneshot;

use super::connection::{Current, ReconnectingConnection};
use crate::{error::Fault, request};

/// The writes of one connection that have not been sent yet.
///
/// `WAIT` holds up all that is behind it on its connection. So those that come meanwhile are sent
/// together when it is over, with one for all of them.
#[derive(Default)]
pub(super) struct Batch(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Whether a task sends what waits.
    served: bool,
}

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

impl ReconnectingConnection {
    /// Sends a write with those of others: its answers, and how many replicas have it.
    pub(super) async fn write(
        self: &Arc<Self>,
        current: &Current,
        commands: Vec<Cmd>,
        replicas: Replicas,
    ) -> Result<(Vec<Value>, i64), Fault> {
        let (answer, answered) = oneshot::channel();
        if current.batch.add(Waiting { commands, answer }) {
            let serve = Serve { connection: Arc::clone(self), current: current.clone(), replicas };
            self.spawn(serve.run());
        }
        answered.await.unwrap_or_else(|_| Err(Fault::moving()))
    }
}

impl Batch {
    /// Whether a task must begin to send what waits.
    fn add(&self, waiting: Waiting) -> bool {
        let mut queue = self.queue();
        queue.waiting.push(waiting);
        !std::mem::replace(&mut queue.served, true)
    }

    fn next(&self) -> Option<Vec<Waiting>> {
        let mut queue = self.queue();
        queue.waiting.retain(|waiting| !waiting.answer.is_closed());
        queue.served = !queue.waiting.is_empty();
        let many = queue.waiting.len().min(LARGEST);
        queue.served.then(|| queue.waiting.drain(..many).collect())
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that sends what waits. If it ends early, what waits is dropped, which is an error.
struct Serve {
    connection: Arc<ReconnectingConnection>,
    current: Current,
    replicas: Replicas,
}

impl Serve {
    async fn run(mut self) {
        while let Some(batch) = self.current.batch.next() {
            let sizes: Vec<_> = batch.iter().map(|it| it.commands.len()).collect();
            let (commands, senders): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|it| (it.commands, it.answer)).unzip();
            let mut commands = commands.concat();
            let mut wait = cmd("WAIT");
            wait.arg(self.replicas.count)
                .arg(self.replicas.patience.as_millis().max(1).to_string());
            commands.push(wait);
            let sent = request::send_all(&mut self.current.connection, &commands).await;
            match sent {
                Ok(mut answers) => {
                    let have = match answers.pop() {
                        Some(Value::Int(have)) => have,
                        _ => 0,
                    };
                    let mut answers = answers.into_iter();
                    for (sender, size) in senders.into_iter().zip(sizes) {
                        let own = answers.by_ref().take(size).collect();
                        // One that gave up is not there to be answered.
                        let _ = sender.send(Ok((own, have)));
                    }
                }
                Err(error) => {
                    let fault = Fault::refused(self.connection.server.address(), error);
                    for sender in senders {
                        let _ = sender.send(Err(fault.clone()));
                    }
                }
            }
        }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let mut queue = self.current.batch.queue();
        if std::mem::take(&mut queue.served) {
            queue.waiting.clear();
        }
    }
}

/// How many writes are sent together at most.
const LARGEST: usize = 256;
