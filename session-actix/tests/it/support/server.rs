//! A server on a port of its own, for as long as it is kept.

use std::{net::SocketAddr, sync::mpsc, thread};

use actix_web::{App, HttpServer, dev::ServerHandle, rt::System, web};
use session_actix::SessionMiddleware;

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    handle: ServerHandle,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Serves `routes` with `sessions` around them.
    pub(crate) fn start(
        sessions: SessionMiddleware,
        routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    ) -> Self {
        let (started, start) = mpsc::channel();
        let serve = move || async move {
            let app = move || App::new().configure(routes.clone()).wrap(sessions.clone());
            let server = HttpServer::new(app)
                .workers(2)
                .disable_signals()
                .shutdown_timeout(1)
                .bind_auto_h2c(("127.0.0.1", 0))
                .unwrap();
            let addr = server.addrs()[0];
            let server = server.run();
            started.send((addr, server.handle())).unwrap();
            server.await.unwrap();
        };
        let thread = thread::spawn(|| System::new().block_on(serve()));
        let (addr, handle) = start.recv().unwrap();
        Self { addr, handle, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the server panicked");
        }
    }
}
