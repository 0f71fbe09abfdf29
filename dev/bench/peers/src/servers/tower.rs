//! tower-sessions, in the release each store is made for.

use super::{FIELDS, Gate, Server};
use crate::Result;

macro_rules! application {
    ($name:ident, $sessions:ident) => {
        pub mod $name {
            use axum::{Extension, Router, extract::Path, http::StatusCode, routing::post};
            use $sessions::{Session, SessionManagerLayer, SessionStore};

            use super::{FIELDS, Gate, Result, Server};

            type Answer = std::result::Result<String, StatusCode>;

            fn failed<E>(_: E) -> StatusCode {
                StatusCode::INTERNAL_SERVER_ERROR
            }

            pub fn serve<S, F, Fut>(
                folder: Option<tempfile::TempDir>,
                workers: usize,
                store: F,
            ) -> Result<Server>
            where
                S: SessionStore + Clone,
                F: FnOnce() -> Fut + Send + 'static,
                Fut: Future<Output = std::result::Result<S, String>> + Send,
            {
                let (sender, receiver) = std::sync::mpsc::channel();
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_multi_thread()
                        .worker_threads(workers)
                        .enable_all()
                        .build();
                    let Ok(runtime) = runtime else { return };
                    runtime.block_on(async move {
                        let served = async {
                            let store = store().await?;
                            let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
                                .await
                                .map_err(|error| error.to_string())?;
                            let address =
                                listener.local_addr().map_err(|error| error.to_string())?;
                            let router = Router::new()
                                .route("/plain", post(async || "ok"))
                                .route("/fill", post(fill))
                                .route("/set/{key}", post(set))
                                .route("/slow/{key}", post(slow))
                                .route("/increment", post(increment))
                                .route("/count", post(count))
                                .route("/keys", post(keys))
                                .route(
                                    "/logout",
                                    post(async |session: Session| {
                                        session.flush().await.map_err(failed)
                                    }),
                                )
                                .route(
                                    "/renew",
                                    post(async |session: Session| {
                                        session.cycle_id().await.map_err(failed)
                                    }),
                                )
                                .route(
                                    "/entered",
                                    post(async |Extension(gate): Extension<Gate>| {
                                        gate.entered().await;
                                    }),
                                )
                                .route(
                                    "/release",
                                    post(async |Extension(gate): Extension<Gate>| {
                                        gate.release();
                                    }),
                                )
                                .layer(SessionManagerLayer::new(store).with_secure(false))
                                .layer(Extension(Gate::new()));
                            Ok((listener, format!("http://{address}"), router))
                        };
                        match served.await {
                            Ok((listener, url, router)) => {
                                let _ = sender.send(Ok(url));
                                let _ = axum::serve(listener, router).await;
                            }
                            Err(error) => drop(sender.send(Err::<String, String>(error))),
                        }
                    });
                });
                Ok(Server { url: receiver.recv()??, _folder: folder })
            }

            async fn note(session: &Session, key: &str) -> std::result::Result<(), StatusCode> {
                session.insert(key, 1).await.map_err(failed)
            }

            async fn fill(session: Session) -> Answer {
                note(&session, "count").await?;
                for (key, value) in FIELDS {
                    session.insert(key, value).await.map_err(failed)?;
                }
                Ok("ok".into())
            }

            async fn set(session: Session, Path(key): Path<String>) -> Answer {
                note(&session, &key).await?;
                Ok("ok".into())
            }

            async fn slow(
                session: Session,
                Path(key): Path<String>,
                Extension(gate): Extension<Gate>,
            ) -> Answer {
                session.get::<u32>("private").await.map_err(failed)?;
                gate.pass().await;
                note(&session, &key).await?;
                Ok("ok".into())
            }

            async fn increment(session: Session) -> Answer {
                let count = session.get::<u32>("count").await.map_err(failed)?.unwrap_or(0) + 1;
                session.insert("count", count).await.map_err(failed)?;
                Ok(count.to_string())
            }

            async fn count(session: Session) -> Answer {
                let count = session.get::<u32>("count").await.map_err(failed)?;
                Ok(count.unwrap_or(0).to_string())
            }

            /// The library does not list keys, so those that are asked about are tried.
            async fn keys(session: Session) -> Answer {
                let mut found = Vec::new();
                let named = ["first", "private", "planted"].map(String::from);
                for key in named.into_iter().chain((0..200).map(|at| format!("key{at}"))) {
                    if session.get::<u32>(&key).await.map_err(failed)?.is_some() {
                        found.push(key);
                    }
                }
                Ok(found.join(","))
            }
        }
    };
}

application!(newest, tower_sessions);
application!(before, tower_sessions_0_14);

pub fn memory(workers: usize) -> Result<Server> {
    newest::serve(None, workers, || async { Ok(tower_sessions::MemoryStore::default()) })
}

pub fn moka(workers: usize) -> Result<Server> {
    before::serve(None, workers, || async {
        Ok(tower_sessions_moka_store::MokaStore::new(Some(10_000)))
    })
}

#[cfg(feature = "redis")]
pub fn redis(url: String, workers: usize) -> Result<Server> {
    use tower_sessions_redis_store::{RedisStore, fred::prelude::*};
    before::serve(None, workers, || async move {
        let config = Config::from_url(&url).map_err(|error| error.to_string())?;
        let pool = Pool::new(config, None, None, None, 6).map_err(|error| error.to_string())?;
        pool.connect();
        pool.wait_for_connect().await.map_err(|error| error.to_string())?;
        Ok(RedisStore::new(pool))
    })
}
