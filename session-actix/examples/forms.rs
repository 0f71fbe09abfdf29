//! A form that can be sent once, and a message that is shown once: both with `take`.

use actix_web::{
    App, HttpResponse, HttpServer, error::ErrorForbidden, error::ErrorInternalServerError,
    http::header, web,
};
use serde::Deserialize;
use session_actix::{Key, Session, SessionMiddleware};
use session_core::SigningKey;
use session_fs::FileBackedSessionManager;

const TOKEN: Key<String> = Key::new("form-token");
const MESSAGE: Key<String> = Key::new("message");

#[derive(Deserialize)]
struct Order {
    token: String,
}

async fn page(session: Session) -> actix_web::Result<HttpResponse> {
    let message = session.take(MESSAGE).await?.unwrap_or_default();
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(ErrorInternalServerError)?;
    let token = format!("{:032x}", u128::from_ne_bytes(random));
    session.insert(TOKEN, token.clone())?;
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(format!(
        "<!doctype html><title>Order</title><p>{message}</p>\
         <form method=post><input type=hidden name=token value={token}><button>Order</button></form>"
    )))
}

async fn order(session: Session, order: web::Form<Order>) -> actix_web::Result<HttpResponse> {
    // Of any number of requests with the same token, one gets it: no other site can send the form,
    // and nobody can send it twice.
    if session.take(TOKEN).await?.as_deref() != Some(&*order.token) {
        return Err(ErrorForbidden("this form was sent already, or by somebody else\n"));
    }
    session.insert(MESSAGE, "Your order is placed.".to_owned())?;
    Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, "/")).finish())
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Made once: (umask 077; head -c 32 /dev/urandom > session.key)
    let key = SigningKey::hmac_sha256(std::fs::read("session.key")?)?;
    let sessions = SessionMiddleware::new(FileBackedSessionManager::new("sessions")?, key)?;
    HttpServer::new(move || {
        App::new()
            .wrap(sessions.clone())
            .route("/", web::get().to(page))
            .route("/", web::post().to(order))
    })
    .bind("127.0.0.1:8080")?
    .run()
    .await?;
    Ok(())
}
