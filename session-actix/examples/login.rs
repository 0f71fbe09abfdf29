//! Logs in and out, shows where else one is logged in, and ends those sessions.

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, Responder, error::ErrorUnauthorized, http::header,
    web,
};
use serde::Deserialize;
use session_actix::{Session, SessionMiddleware};
use session_core::SigningKey;
use session_fs::FileBackedSessionManager;

#[derive(Deserialize)]
struct Credentials {
    user: String,
    password: String,
}

async fn log_in(
    session: Session,
    request: HttpRequest,
    form: web::Form<Credentials>,
) -> actix_web::Result<impl Responder> {
    // Yours to replace: look the user up and verify a hash of the password.
    if form.password != "correct horse battery staple" {
        return Err(ErrorUnauthorized("wrong name or password\n"));
    }
    let browser = request.headers().get(header::USER_AGENT).and_then(|it| it.to_str().ok());
    session.set_label(browser)?;
    // Renews the token, too: what was known before the login is worth nothing after it.
    session.bind(&form.user).await?;
    Ok(HttpResponse::NoContent())
}

async fn who(session: Session) -> actix_web::Result<String> {
    let user = session.principal().ok_or_else(|| ErrorUnauthorized("log in first\n"))?;
    let sessions = session.sessions().await?.len();
    Ok(format!("{user}, logged in {sessions} times\n"))
}

async fn log_out_elsewhere(session: Session) -> actix_web::Result<String> {
    Ok(format!("{} sessions ended\n", session.revoke_others().await?))
}

async fn log_out(session: Session) -> actix_web::Result<impl Responder> {
    session.destroy().await?;
    Ok(HttpResponse::NoContent())
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();
    let key = SigningKey::from_file("session.key")?;
    let sessions = SessionMiddleware::new(FileBackedSessionManager::new("sessions")?, key)?;
    HttpServer::new(move || {
        App::new()
            .wrap(sessions.clone())
            .route("/", web::get().to(who))
            .route("/login", web::post().to(log_in))
            .route("/logout", web::post().to(log_out))
            .route("/logout-elsewhere", web::post().to(log_out_elsewhere))
    })
    .bind("127.0.0.1:8080")?
    .run()
    .await?;
    Ok(())
}
