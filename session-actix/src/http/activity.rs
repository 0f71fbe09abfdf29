//! A request that is under way is a use of its session.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use session_core::{ErrorKind, ManagedSession, Timer};
use tokio::time::Instant;

use super::timer::TokioTimer;

/// How long one request keeps its session alive at most: a handler that hangs must not do so for
/// ever.
pub(crate) const LONGEST: Duration = Duration::from_secs(10 * 60);
/// Between tries, where the session is about to end whatever is done, or the store is out.
const PAUSE: Duration = Duration::from_millis(250);

/// What `handler` answers, with the session it has opened touched whenever half of its idle timeout
/// is left.
///
/// A handler that answers at once costs no timer, nor does one whose session has long to go.
pub(crate) async fn kept_alive<T>(
    opened: impl Fn() -> Option<ManagedSession>,
    handler: impl Future<Output = T>,
) -> T {
    let mut handler = pin!(handler);
    let mut activity = Activity::Unknown;
    let mut began = None;
    poll_fn(|context| match handler.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(answer),
        Poll::Pending => {
            let began = *began.get_or_insert_with(Instant::now);
            while let Poll::Ready(next) = activity.poll(&opened, began, context) {
                activity = next;
            }
            Poll::Pending
        }
    })
    .await
}

enum Activity {
    /// It is to be seen when the next touch is due.
    Unknown,
    Due(Pin<Box<dyn Future<Output = ()> + Send>>),
    Touching(Pin<Box<dyn Future<Output = session_core::Result<()>>>>),
    /// None will be.
    Over,
}

impl Activity {
    /// What comes next.
    fn poll(
        &mut self,
        opened: impl Fn() -> Option<ManagedSession>,
        began: Instant,
        context: &mut Context<'_>,
    ) -> Poll<Self> {
        let next = match self {
            Self::Unknown => match opened().and_then(|session| session.until_touch()) {
                None => return Poll::Pending,
                Some(wait) if began.elapsed().saturating_add(wait) > LONGEST => Self::Over,
                Some(wait) => Self::Due(TokioTimer.sleep(wait.max(PAUSE))),
            },
            Self::Due(wait) => {
                ready!(wait.as_mut().poll(context));
                match opened() {
                    Some(session) => Self::Touching(Box::pin(async move { session.touch().await })),
                    None => Self::Unknown,
                }
            }
            Self::Touching(touch) => match ready!(touch.as_mut().poll(context)) {
                Err(error) if error.kind() == ErrorKind::Gone => Self::Over,
                Ok(()) | Err(_) => Self::Unknown,
            },
            Self::Over => return Poll::Pending,
        };
        Poll::Ready(next)
    }
}
