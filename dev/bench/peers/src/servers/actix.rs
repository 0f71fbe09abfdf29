//! actix-session.

use actix_session::{
    Session, SessionMiddleware,
    config::CookieContentSecurity,
    storage::{CookieSessionStore, SessionStore},
};
use actix_web::{App, HttpServer, cookie::Key, rt::System, web};

use super::{FIELDS, Gate, Server};
use crate::Result;

pub fn signed_cookie(workers: usize) -> Result<Server> {
    serve(CookieContentSecurity::Signed, workers, async || Ok(CookieSessionStore::default))
}

pub fn private_cookie(workers: usize) -> Result<Server> {
    serve(CookieContentSecurity::Private, workers, async || Ok(CookieSessionStore::default))
}

#[cfg(feature = "redis")]
pub fn redis(url: String, workers: usize) -> Result<Server> {
    serve(CookieContentSecurity::Private, workers, async move || {
        let store = actix_session::storage::RedisSessionStore::new(url)
            .await
            .map_err(|error| error.to_string())?;
        Ok(move || store.clone())
    })
}

/// `connect` leads to what makes a store for each worker.
fn serve<S, M>(
    cookie: CookieContentSecurity,
    workers: usize,
    connect: impl AsyncFnOnce() -> std::result::Result<M, String> + Send + 'static,
) -> Result<Server>
where
    S: SessionStore + 'static,
    M: Fn() -> S + Clone + Send + 'static,
{
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        System::new().block_on(async move {
            let store = match connect().await {
                Ok(store) => store,
                Err(error) => return drop(sender.send(Err(error))),
            };
            let (key, gate) = (Key::generate(), Gate::new());
            let server = HttpServer::new(move || {
                let sessions = SessionMiddleware::builder(store(), key.clone())
                    .cookie_secure(false)
                    .cookie_content_security(cookie)
                    .build();
                App::new()
                    .wrap(sessions)
                    .app_data(web::Data::new(gate.clone()))
                    // In the order they are tried: what is measured comes first, as in the bare one.
                    .route("/plain", web::post().to(async || "ok"))
                    .route("/count", web::post().to(count))
                    .route("/increment", web::post().to(increment))
                    .route("/fill", web::post().to(fill))
                    .route("/set/{key}", web::post().to(set))
                    .route("/slow/{key}", web::post().to(slow))
                    .route("/keys", web::post().to(keys))
                    .route(
                        "/logout",
                        web::post().to(async |session: Session| {
                            session.purge();
                            "ok"
                        }),
                    )
                    .route(
                        "/renew",
                        web::post().to(async |session: Session| {
                            session.renew();
                            "ok"
                        }),
                    )
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
    Ok(Server { url: receiver.recv()??, _folder: None })
}

type Answer = actix_web::Result<String>;

async fn fill(session: Session) -> Answer {
    session.insert("count", 1)?;
    for (key, value) in FIELDS {
        session.insert(key, value)?;
    }
    Ok("ok".into())
}

async fn set(session: Session, key: web::Path<String>) -> Answer {
    session.insert(key.into_inner(), 1)?;
    Ok("ok".into())
}

async fn slow(session: Session, key: web::Path<String>, gate: web::Data<Gate>) -> Answer {
    session.get::<u32>("private")?;
    gate.pass().await;
    session.insert(key.into_inner(), 1)?;
    Ok("ok".into())
}

async fn increment(session: Session) -> Answer {
    let count = session.get::<u32>("count")?.unwrap_or(0) + 1;
    session.insert("count", count)?;
    Ok(count.to_string())
}

async fn count(session: Session) -> Answer {
    Ok(session.get::<u32>("count")?.unwrap_or(0).to_string())
}

async fn keys(session: Session) -> Answer {
    Ok(session.entries().keys().cloned().collect::<Vec<_>>().join(","))
}

async fn entered(gate: web::Data<Gate>) -> &'static str {
    gate.entered().await;
    "ok"
}

async fn release(gate: web::Data<Gate>) -> &'static str {
    gate.release();
    "ok"
}
