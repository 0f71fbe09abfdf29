//! The servers themselves, with handlers that answer as much and know of no session.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use actix_web::{
    App, HttpServer,
    rt::System,
    web::{self, ServiceConfig},
};

use super::Server;
use crate::Result;

type Total = web::Data<AtomicU64>;

pub fn actix(workers: usize) -> Result<Server> {
    serve(workers, |routes| {
        routes
            .route("/plain", web::post().to(async || "ok"))
            .route("/count", web::post().to(count))
            .route("/increment", web::post().to(increment));
    })
}

/// A yardstick: handlers that besides work for some microseconds, and ask nothing of the system.
pub fn working(workers: usize, micros: [u64; 3]) -> Result<Server> {
    let [plain, read, write] = micros.map(Duration::from_micros);
    serve(workers, move |routes| {
        routes
            .route(
                "/plain",
                web::post().to(move || async move {
                    work(plain);
                    "ok"
                }),
            )
            .route(
                "/count",
                web::post().to(move |total| async move {
                    work(read);
                    count(total).await
                }),
            )
            .route(
                "/increment",
                web::post().to(move |total| async move {
                    work(write);
                    increment(total).await
                }),
            );
    })
}

fn work(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {}
}

async fn count(total: Total) -> String {
    total.load(Relaxed).to_string()
}

async fn increment(total: Total) -> String {
    (total.fetch_add(1, Relaxed) + 1).to_string()
}

fn serve(
    workers: usize,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> Result<Server> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        System::new().block_on(async move {
            let total = Total::new(AtomicU64::new(1));
            let server = HttpServer::new(move || {
                App::new().app_data(total.clone()).configure(routes.clone())
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

pub fn axum(workers: usize) -> Result<Server> {
    use axum::{Extension, Router, routing::post};

    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async move {
            let listener = match tokio::net::TcpListener::bind("127.0.0.1:0").await {
                Ok(listener) => listener,
                Err(error) => return drop(sender.send(Err(error.to_string()))),
            };
            let url = listener.local_addr().map(|address| format!("http://{address}"));
            let router = Router::new()
                .route("/plain", post(async || "ok"))
                .route(
                    "/count",
                    post(async |Extension(total): Extension<Arc<AtomicU64>>| {
                        total.load(Relaxed).to_string()
                    }),
                )
                .route(
                    "/increment",
                    post(async |Extension(total): Extension<Arc<AtomicU64>>| {
                        (total.fetch_add(1, Relaxed) + 1).to_string()
                    }),
                )
                .layer(Extension(Arc::new(AtomicU64::new(1))));
            let _ = sender.send(url.map_err(|error| error.to_string()));
            let _ = axum::serve(listener, router).await;
        });
    });
    Ok(Server { url: receiver.recv()??, _folder: None })
}
