//! What a call goes over.

use std::{sync::Arc, time::Duration};

use tokio::runtime::Handle;

use super::{Line, Source};

/// The connections of those who share them.
#[derive(Debug)]
pub(crate) struct Way {
    pub(crate) reads: Arc<Line>,
    /// Apart from reads if writes wait for replicas: nothing else may wait behind them.
    pub(crate) writes: Option<Arc<Line>>,
}

/// What every way is made from.
pub(crate) struct Plan {
    pub(crate) source: Arc<Source>,
    pub(crate) connect_timeout: Duration,
    /// Whether writes wait for replicas.
    pub(crate) writes_wait: bool,
    /// Whether each runtime of one thread has connections of its own.
    pub(crate) per_worker: bool,
}

impl Way {
    /// `home`: where the connections are, if not on the manager's own thread.
    pub(crate) fn new(plan: &Plan, home: Option<&Handle>) -> Self {
        let line =
            || Arc::new(Line::new(Arc::clone(&plan.source), plan.connect_timeout, home.cloned()));
        Self { reads: line(), writes: plan.writes_wait.then(line) }
    }

    /// Lets the calls that come connect to who is in charge now.
    pub(crate) fn begin_anew(&self) {
        self.reads.begin_anew();
        if let Some(writes) = &self.writes {
            writes.begin_anew();
        }
    }
}
