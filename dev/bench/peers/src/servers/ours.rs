//! This project.

use actix_web::{App, HttpServer, rt::System, web};
use session_actix::{Result as Answer, Session, SessionMiddleware};
use session_cache::{CachingSessionManager, Coherence};
use session_core::{MemorySessionManager, SessionManager, SigningKey};
use session_fs::{Durability, FileBackedSessionManager, FsConfig};
#[cfg(feature = "redis")]
use session_redis::{RedisConfig, RedisSessionManager};

use super::{FIELDS, Gate, Server};
use crate::Result;

pub fn memory(workers: usize) -> Result<Server> {
    serve(Box::new(MemorySessionManager::new()), None, workers)
}

pub fn files(durability: Durability, cached: Option<Coherence>, workers: usize) -> Result<Server> {
    let folder = tempfile::tempdir()?;
    let config = FsConfig::new(folder.path()).durability(durability);
    let files = FileBackedSessionManager::with_config(&config)?;
    serve(behind(cached, files)?, Some(folder), workers)
}

#[cfg(feature = "redis")]
pub fn redis(url: &str, cached: Option<Coherence>, workers: usize) -> Result<Server> {
    // The manager has a thread and a runtime of its own: this one is for its answer only.
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let config = RedisConfig::new(url).connection_per_worker(true);
    let made = std::thread::spawn(move || {
        let manager = runtime.block_on(RedisSessionManager::with_config(&config));
        manager.map_err(|error| error.to_string())
    });
    let redis = made.join().map_err(|_| "the manager could not be made")??;
    serve(behind(cached, redis)?, None, workers)
}

fn behind(
    cached: Option<Coherence>,
    store: impl SessionManager,
) -> Result<Box<dyn SessionManager>> {
    Ok(match cached {
        Some(coherence) => Box::new(CachingSessionManager::new(store, coherence)?),
        None => Box::new(store),
    })
}

fn serve(
    manager: Box<dyn SessionManager>,
    folder: Option<tempfile::TempDir>,
    workers: usize,
) -> Result<Server> {
    let secret: Vec<u8> = (0..32).collect();
    let sessions = SessionMiddleware::builder(manager, SigningKey::hmac_sha256(secret)?)
        .cookie_name("sid")
        .insecure_cookie()
        .build()?;
    let gate = Gate::new();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        System::new().block_on(async move {
            let server = HttpServer::new(move || {
                App::new()
                    .wrap(sessions.clone())
                    .app_data(web::Data::new(gate.clone()))
                    // In the order they are tried: what is measured comes first, as in the bare one.
                    .route("/plain", web::post().to(async || "ok"))
                    .route("/count", web::post().to(count))
                    .route("/increment", web::post().to(increment))
                    .route("/fill", web::post().to(fill))
                    .route("/set/{key}", web::post().to(set))
                    .route("/slow/{key}", web::post().to(slow))
                    .route("/keys", web::post().to(keys))
                    .route("/logout", web::post().to(logout))
                    .route("/renew", web::post().to(renew))
                    .route("/entered", web::post().to(entered))
                    .route("/release", web::post().to(release))
            })
            .workers(workers)
            .bind("127.0.0.1:0")
            .map_err(|error| error.to_string());
            match server {
                Ok(server) => {
                    let _ = sender.send(Ok(format!("http://{}", server.addrs()[0])));
                    let _ = server.run().await;
                }
                Err(error) => drop(sender.send(Err(error))),
            }
        });
    });
    Ok(Server { url: receiver.recv()??, _folder: folder })
}

async fn fill(session: Session) -> Answer<&'static str> {
    session.insert("count", 1)?;
    for (key, value) in FIELDS {
        session.insert(key, value)?;
    }
    Ok("ok")
}

async fn set(session: Session, key: web::Path<String>) -> Answer<&'static str> {
    session.insert(key.as_str(), 1)?;
    Ok("ok")
}

async fn slow(
    session: Session,
    key: web::Path<String>,
    gate: web::Data<Gate>,
) -> Answer<&'static str> {
    session.get::<u32>("private")?;
    gate.pass().await;
    session.insert(key.as_str(), 1)?;
    Ok("ok")
}

async fn increment(session: Session) -> Answer<String> {
    let count = session.update("count", |count: Option<u32>| count.unwrap_or(0) + 1).await?;
    Ok(count.to_string())
}

async fn count(session: Session) -> Answer<String> {
    Ok(session.get::<u32>("count")?.unwrap_or(0).to_string())
}

async fn keys(session: Session) -> Answer<String> {
    Ok(session.entries::<u32>()?.into_keys().collect::<Vec<_>>().join(","))
}

async fn logout(session: Session) -> Answer<&'static str> {
    session.destroy().await?;
    Ok("ok")
}

async fn renew(session: Session) -> Answer<&'static str> {
    session.renew()?;
    Ok("ok")
}

async fn entered(gate: web::Data<Gate>) -> &'static str {
    gate.entered().await;
    "ok"
}

async fn release(gate: web::Data<Gate>) -> &'static str {
    gate.release();
    "ok"
}
