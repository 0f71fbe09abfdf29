//! The timer of core, by tokio.

use std::{pin::Pin, time::Duration};

use session_core::Timer;

/// Sleeps on the runtime actix-web runs on.
#[derive(Debug)]
pub(crate) struct TokioTimer;

impl Timer for TokioTimer {
    #[expect(clippy::disallowed_methods, reason = "this is the timer")]
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}
