//! `Timer`: how core waits no longer than it should, without a runtime of its own.

use std::{
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

/// Lets a [`SessionInterface`](crate::SessionInterface) stop waiting for a store.
///
/// This crate has no runtime and therefore no timers. With one, every call of the store and every
/// wait for another save of the same session is
/// [bounded](crate::SessionInterfaceBuilder::store_timeout); without one they are not.
///
/// # Examples
///
/// ```
/// use std::{future::Future, pin::Pin, time::Duration};
/// use session_core::Timer;
///
/// #[derive(Debug)]
/// struct TokioTimer;
///
/// impl Timer for TokioTimer {
///     fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
///         # #[cfg(any())]
///         Box::pin(tokio::time::sleep(duration))
///         # ; Box::pin(std::future::pending())
///     }
/// }
/// ```
pub trait Timer: fmt::Debug + Send + Sync + 'static {
    /// A future that is ready once `duration` has passed, wherever it is polled.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// What `call` returns, or `None` if it took longer than `limit`. Without a timer it may take any
/// time.
pub(crate) async fn within<T>(
    timer: Option<&dyn Timer>,
    limit: Duration,
    call: impl Future<Output = T>,
) -> Option<T> {
    let mut call = pin!(call);
    // A store that answers at once, as a cache does, needs no timer.
    if let Poll::Ready(answer) = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await {
        return Some(answer);
    }
    let Some(timer) = timer else { return Some(call.await) };
    let mut over = timer.sleep(limit);
    poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => over.as_mut().poll(context).map(|()| None),
    })
    .await
}
