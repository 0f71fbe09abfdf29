//! Logs in and out with actix-identity, over sessions in files.

use actix_identity::{Identity, IdentityMiddleware};
use actix_session::SessionMiddleware;
use actix_web::{
    App, HttpMessage, HttpRequest, HttpResponse, HttpServer, Responder, cookie::Key, web,
};
use session_actix_compat::ManagerStore;
use session_core::SigningKey;
use session_fs::FileBackedSessionManager;

async fn log_in(
    request: HttpRequest,
    user: web::Path<String>,
) -> actix_web::Result<impl Responder> {
    // Yours to add: a password.
    Identity::login(&request.extensions(), user.into_inner())?;
    Ok(HttpResponse::NoContent())
}

async fn who(user: Identity) -> actix_web::Result<String> {
    Ok(format!("{}\n", user.id()?))
}

async fn log_out(user: Identity) -> impl Responder {
    user.logout();
    HttpResponse::NoContent()
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Made once: (umask 077; head -c 96 /dev/urandom > session.key)
    let secret = std::fs::read("session.key")?;
    let (records, cookies) = secret.split_at_checked(32).ok_or("session.key is too short")?;
    let manager = FileBackedSessionManager::new("sessions")?;
    let store = ManagerStore::new(manager, SigningKey::hmac_sha256(records)?)?;
    let cookies = Key::try_from(cookies)?;
    HttpServer::new(move || {
        App::new()
            .wrap(IdentityMiddleware::default())
            .wrap(SessionMiddleware::new(store.clone(), cookies.clone()))
            .route("/", web::get().to(who))
            .route("/login/{user}", web::post().to(log_in))
            .route("/logout", web::post().to(log_out))
    })
    .bind("127.0.0.1:8080")?
    .run()
    .await?;
    Ok(())
}
