//! Forms that can be sent once each, with `update`, and a message that is shown once, with `take`.

use actix_web::{
    App, HttpResponse, HttpServer, error::ErrorForbidden, error::ErrorInternalServerError,
    http::header, web,
};
use serde::Deserialize;
use session_actix::{Key, Session, SessionMiddleware};
use session_core::SigningKey;
use session_fs::FileBackedSessionManager;

/// One for each form that was handed out: a visitor may have several tabs.
const TOKENS: Key<Vec<String>> = Key::new("form-tokens");
/// Older forms have to be opened again.
const MAX_TOKENS: usize = 16;
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
    let add = |tokens: Option<Vec<String>>| {
        let mut tokens = tokens.unwrap_or_default();
        tokens.push(token.clone());
        tokens.drain(..tokens.len().saturating_sub(MAX_TOKENS));
        tokens
    };
    session.update(TOKENS, add).await?;
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(format!(
        "<!doctype html><title>Order</title><p>{message}</p>\
         <form method=post><input type=hidden name=token value={token}><button>Order</button></form>"
    )))
}

async fn order(session: Session, order: web::Form<Order>) -> actix_web::Result<HttpResponse> {
    // Of any number of requests with the same token, one finds it: no other site can send the form,
    // and nobody can send it twice. A token that is not there takes no other one away.
    let mut is_ours = false;
    let remove = |tokens: Option<Vec<String>>| {
        let mut tokens = tokens.unwrap_or_default();
        let before = tokens.len();
        tokens.retain(|token| *token != order.token);
        is_ours = tokens.len() < before;
        tokens
    };
    session.update(TOKENS, remove).await?;
    if !is_ours {
        return Err(ErrorForbidden("this form was sent already, or by somebody else\n"));
    }
    session.insert(MESSAGE, "Your order is placed.".to_owned())?;
    Ok(HttpResponse::SeeOther().insert_header((header::LOCATION, "/")).finish())
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();
    let key = SigningKey::from_file("session.key")?;
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
