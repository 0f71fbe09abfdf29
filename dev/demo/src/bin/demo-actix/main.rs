//! A small site with sessions: a page for people and an API for programs.
//!
//! `cargo xtask demo` serves it on <http://127.0.0.1:8080>; `cargo xtask demo --help` tells the
//! flags.

mod api;
mod flags;
mod forms;
mod html;
mod keys;
mod live;
mod origin;
mod page;
mod site;
mod store;
mod tls;

use std::{error::Error, process::ExitCode};

use actix_web::{App, HttpServer, middleware, web};
use session_actix::SessionMiddleware;

use self::{flags::Flags, site::Site};

#[actix_web::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&*error);
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let Some(flags) = Flags::parse(std::env::args().skip(1))? else {
        say(flags::HELP);
        return Ok(());
    };
    // Standard output is for what was asked for: where it listens.
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let sessions = sessions(&flags).await?;
    let site = web::Data::new(Site::new(&flags, sessions.interface().cookie_name()));
    let mut server = HttpServer::new(move || {
        App::new()
            .app_data(site.clone())
            .configure(site::routes)
            .wrap(sessions.clone())
            .wrap(middleware::from_fn(origin::same_origin_only))
            .wrap(origin::headers())
    })
    // Long connections must not hold up the end.
    .shutdown_timeout(1);
    if let Some(workers) = flags.workers {
        server = server.workers(workers.get());
    }
    let server = if flags.tls {
        server.bind_rustls_0_23(&flags.addr, tls::config()?)
    } else {
        server.bind(&flags.addr)
    };
    let server = server.map_err(|error| format!("cannot listen on {}: {error}", flags.addr))?;
    let scheme = if flags.tls { "https" } else { "http" };
    for addr in server.addrs() {
        say(&format!("listening on {scheme}://{addr}"));
    }
    // Ends cleanly at SIGTERM and SIGINT: what is under way is answered and saved first.
    server.run().await?;
    Ok(())
}

async fn sessions(flags: &Flags) -> Result<SessionMiddleware, Box<dyn Error>> {
    let manager = store::open(flags).await?;
    let key = keys::load_or_make(&flags.key_file)?;
    let mut builder = SessionMiddleware::builder(manager, key)
        .idle_timeout(flags.idle)
        .lifetime(flags.lifetime)
        .skip_paths(["/static"]);
    if let Some(idle) = flags.permanent_idle() {
        builder = builder.permanent_idle_timeout(idle);
    }
    if let Some(interval) = flags.rotate {
        builder = builder.rotate_every(interval);
    }
    if flags.insecure_cookie {
        builder = builder.insecure_cookie();
    }
    Ok(builder.build()?)
}

#[expect(clippy::print_stdout, reason = "a program that is started by hand tells where it is")]
fn say(text: &str) {
    println!("{text}");
}

#[expect(clippy::print_stderr, reason = "a program that cannot start tells why")]
fn complain(error: &dyn Error) {
    eprintln!("demo: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}
