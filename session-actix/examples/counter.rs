//! Counts visits, in sessions that survive a restart.

use actix_web::{App, HttpServer, web};
use session_actix::{Result, Session, SessionMiddleware};
use session_core::SigningKey;
use session_fs::FileBackedSessionManager;

async fn visits(session: Session) -> Result<String> {
    let visits = session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1).await?;
    Ok(format!("visit {visits}\n"))
}

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();
    let key = SigningKey::from_file("session.key")?;
    let sessions = SessionMiddleware::new(FileBackedSessionManager::new("sessions")?, key)?;
    let app = move || App::new().wrap(sessions.clone()).route("/", web::get().to(visits));
    HttpServer::new(app).bind("127.0.0.1:8080")?.run().await?;
    Ok(())
}
