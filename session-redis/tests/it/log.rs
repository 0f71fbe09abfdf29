//! What is logged.

use std::{
    fmt::{Debug, Write as _},
    sync::{LazyLock, Mutex, PoisonError},
};

use session_redis::RedisSessionManager;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

use crate::support::{Server, block_on};

/// The warnings of this process.
static WARNINGS: LazyLock<Mutex<String>> = LazyLock::new(|| {
    tracing::subscriber::set_global_default(Recorder).expect("the only one of this process");
    Mutex::default()
});

struct Recorder;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").expect("text takes all");
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        let mut warnings = WARNINGS.lock().unwrap_or_else(PoisonError::into_inner);
        warnings.push_str(&line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// All that was warned of in this process.
pub(crate) fn warnings() -> String {
    WARNINGS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn warned_of(policy: &str) -> bool {
    warnings().contains(&format!("policy=\"{policy}\""))
}

#[test]
fn a_policy_that_may_drop_sessions_is_warned_of() {
    for policy in ["allkeys-lru", "volatile-ttl"] {
        let server = Server::start(&["--maxmemory-policy", policy]);
        assert!(!warned_of(policy));
        let manager = block_on(RedisSessionManager::new(&server.url())).expect("a manager");
        assert!(warned_of(policy));
        drop(manager);
    }
    assert!(!warned_of("noeviction"), "the other tests of this process have servers with it");
}
