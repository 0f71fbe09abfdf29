//! Tells a page that its session has ended elsewhere, while it is looked at.

use std::{convert::Infallible, time::Duration};

use actix_web::{HttpResponse, Responder, web::Bytes};
use futures_util::{StreamExt, stream};
use session_actix::Session;

const PERIOD: Duration = Duration::from_secs(1);

/// Server-sent events: a comment now and then, and `ended` when the session is over.
pub(crate) async fn watch(session: Session) -> impl Responder {
    let events = stream::unfold(Some(session), |session| async {
        let session = session?;
        let event = match session.is_live().await {
            Ok(false) => return Some((Bytes::from("event: ended\ndata:\n\n"), None)),
            Ok(true) => Bytes::from(": alive\n\n"),
            // Not known: the next try may tell.
            Err(_) => Bytes::from(": waiting\n\n"),
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the demo looks now and then whether a session is over"
        )]
        tokio::time::sleep(PERIOD).await;
        Some((event, Some(session)))
    });
    HttpResponse::Ok().content_type("text/event-stream").streaming(events.map(Ok::<_, Infallible>))
}
