//! A payment at another site, which sends the browser back with a POST.
//!
//! Such a POST comes without the `SameSite=Lax` cookie of the visitor, so nothing may be put into
//! his session there: it would be a new one, and its cookie would take the place of his. What the
//! answer needs is kept in a second session, whose cookie other sites' requests bring along.

use actix_web::{
    App, HttpResponse, HttpServer,
    error::{ErrorForbidden, ErrorInternalServerError},
    http::header,
    web,
};
use serde::Deserialize;
use session_actix::{Key, Session, SessionMiddleware};
use session_core::SigningKey;
use session_fs::FileBackedSessionManager;

/// The session of a visitor who is away to pay. Whatever site sends a request, this cookie comes
/// with it: keep nothing here but what the answer needs.
struct Away;

const STATE: Key<String> = Key::new("state");
const PAID: Key<bool> = Key::new("paid");
const ORDERS: Key<u32> = Key::new("orders");

#[derive(Deserialize)]
struct Answer {
    state: String,
}

async fn pay(away: Session<Away>) -> actix_web::Result<HttpResponse> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(ErrorInternalServerError)?;
    let state = format!("{:032x}", u128::from_ne_bytes(random));
    away.insert(STATE, state.clone())?;
    // Yours to replace: the form of the provider, which hands `state` back.
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(format!(
        "<!doctype html><title>Pay</title><form method=post action=http://localhost:8080/paid>\
         <input type=hidden name=state value={state}><button>Pay</button></form>"
    )))
}

/// What the provider's page sends. It asks for no `Session`.
async fn paid(away: Session<Away>, answer: web::Form<Answer>) -> actix_web::Result<HttpResponse> {
    // Yours to add: ask the provider whether it is true.
    if away.get(STATE)?.as_deref() != Some(&*answer.state) || away.take(STATE).await?.is_none() {
        return Err(ErrorForbidden("not a payment that was begun here\n"));
    }
    away.insert(PAID, true)?;
    // A GET that the browser makes in its own window brings the cookie of the visitor again.
    Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, "/thanks")).finish())
}

async fn thanks(session: Session, away: Session<Away>) -> session_actix::Result<String> {
    let paid = away.take(PAID).await?.unwrap_or(false);
    let orders = session.update(ORDERS, |orders| orders.unwrap_or(0) + u32::from(paid)).await?;
    Ok(format!("orders: {orders}\n"))
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();
    let manager = FileBackedSessionManager::new("sessions")?;
    let key = || SigningKey::from_file("session.key");
    let visitors = SessionMiddleware::new(manager.clone(), key()?)?;
    let away = SessionMiddleware::builder(manager, key()?)
        .named::<Away>()
        .cookie_name("__Host-away")
        .insecure_same_site_none()
        .lifetime(std::time::Duration::from_secs(60 * 60))
        .idle_timeout(std::time::Duration::from_secs(60 * 60))
        .build()?;
    HttpServer::new(move || {
        App::new()
            .wrap(visitors.clone())
            .wrap(away.clone())
            .route("/pay", web::get().to(pay))
            .route("/paid", web::post().to(paid))
            .route("/thanks", web::get().to(thanks))
    })
    .bind("127.0.0.1:8080")?
    .run()
    .await?;
    Ok(())
}
