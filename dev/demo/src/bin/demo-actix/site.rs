//! What the site is made of.

use std::time::Duration;

use actix_web::{HttpResponse, Responder, http::header, web};

use super::{api, flags::Flags, forms, live, page};

/// What every page says about how the site was started.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) cookie_name: String,
    pub(crate) secure: bool,
    pub(crate) idle: Duration,
    pub(crate) lifetime: Duration,
}

impl Site {
    pub(crate) fn new(flags: &Flags, cookie_name: &str) -> Self {
        Self {
            cookie_name: cookie_name.to_owned(),
            secure: !flags.insecure_cookie,
            idle: flags.idle,
            lifetime: flags.lifetime,
        }
    }
}

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/plain", web::get().to(async || "ok"))
        .route("/static/style.css", web::get().to(style))
        .route("/static/live.js", web::get().to(script))
        .route("/", web::get().to(page::show))
        .route("/do/{action}", web::post().to(forms::submit))
        .route("/live", web::get().to(live::watch))
        .configure(api::routes);
}

async fn style() -> impl Responder {
    fixed("text/css; charset=utf-8", include_str!("style.css"))
}

async fn script() -> impl Responder {
    fixed("text/javascript; charset=utf-8", include_str!("live.js"))
}

fn fixed(kind: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header((header::CACHE_CONTROL, "public, max-age=60"))
        .body(text)
}
