//! The servers themselves, with handlers that answer as much and know of no session.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::Server;
use crate::Result;

pub fn actix(workers: usize) -> Result<Server> {
    use actix_web::{App, HttpServer, rt::System, web};

    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        System::new().block_on(async move {
            let total = web::Data::new(AtomicU64::new(1));
            let server = HttpServer::new(move || {
                App::new()
                    .app_data(total.clone())
                    .route("/plain", web::post().to(async || "ok"))
                    .route(
                        "/count",
                        web::post().to(async |total: web::Data<AtomicU64>| {
                            total.load(Relaxed).to_string()
                        }),
                    )
                    .route(
                        "/increment",
                        web::post().to(async |total: web::Data<AtomicU64>| {
                            (total.fetch_add(1, Relaxed) + 1).to_string()
                        }),
                    )
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
