//! The API for programs.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, Responder, error::ErrorBadRequest,
    http::StatusCode, http::header, web,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use session_actix::{Error, Session};
use session_core::{ErrorKind, SessionHandle, Timestamp};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Clients follow a limited number of redirects; ours are fewer.
const MAX_HOPS: u8 = 8;

pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/api/session", web::get().to(show))
        .service(
            web::resource("/api/session/{key}")
                .route(web::get().to(get))
                .route(web::put().to(put))
                .route(web::delete().to(delete)),
        )
        .route("/api/session/{key}/increment", web::post().to(increment))
        .route("/api/login", web::post().to(log_in))
        .route("/api/logout", web::post().to(log_out))
        .route("/api/renew", web::post().to(renew))
        .route("/api/renew/{hops}", web::post().to(renew_on_the_way))
        .service(
            web::resource("/api/sessions")
                .route(web::get().to(list))
                .route(web::delete().to(revoke_others)),
        )
        .route("/api/sessions/{id}", web::delete().to(revoke));
}

async fn show(session: Session) -> actix_web::Result<impl Responder> {
    let data: Map<String, Value> = session.entries()?.into_iter().collect();
    Ok(web::Json(json!({
        "new": session.is_new(),
        "permanent": session.permanent(),
        "principal": session.principal(),
        "created_at": session.created_at().map(rfc3339),
        "expires_at": session.expires_at().map(rfc3339),
        "data": data,
    })))
}

async fn put(
    session: Session,
    key: web::Path<String>,
    body: web::Bytes,
) -> actix_web::Result<impl Responder> {
    let value: Value = json_of(&body)?;
    session.insert(key.as_str(), value)?;
    Ok(HttpResponse::NoContent())
}

async fn get(session: Session, key: web::Path<String>) -> actix_web::Result<HttpResponse> {
    Ok(match session.get::<Value>(key.as_str())? {
        Some(value) => HttpResponse::Ok().json(value),
        None => HttpResponse::NotFound().finish(),
    })
}

async fn delete(session: Session, key: web::Path<String>) -> actix_web::Result<impl Responder> {
    session.remove(key.as_str())?;
    Ok(HttpResponse::NoContent())
}

async fn increment(session: Session, key: web::Path<String>) -> actix_web::Result<HttpResponse> {
    let add = |number: Option<i64>| number.unwrap_or(0).saturating_add(1);
    match session.update(key.as_str(), add).await {
        Ok(number) => Ok(HttpResponse::Ok().json(number)),
        // What is there is no number.
        Err(error) if error.kind() == ErrorKind::Codec => {
            Ok(HttpResponse::new(StatusCode::UNPROCESSABLE_ENTITY))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize)]
struct Login {
    user: String,
    #[serde(default)]
    remember: bool,
}

async fn log_in(
    session: Session,
    request: HttpRequest,
    body: web::Bytes,
) -> actix_web::Result<impl Responder> {
    let login: Login = json_of(&body)?;
    enter(&session, &request, &login.user, login.remember).await?;
    Ok(HttpResponse::NoContent())
}

/// Logs a user in. The demo believes everyone; a real site checks a password here.
pub(crate) async fn enter(
    session: &Session,
    request: &HttpRequest,
    user: &str,
    remember: bool,
) -> actix_web::Result<()> {
    if user.trim().is_empty() {
        return Err(ErrorBadRequest("a user has a name"));
    }
    let browser = request.headers().get(header::USER_AGENT).and_then(|it| it.to_str().ok());
    session.set_permanent(remember)?;
    session.set_label(browser)?;
    session.bind(user.trim()).await?;
    Ok(())
}

async fn log_out(session: Session) -> actix_web::Result<impl Responder> {
    session.destroy().await?;
    Ok(HttpResponse::NoContent())
}

async fn renew(session: Session) -> actix_web::Result<impl Responder> {
    session.renew()?;
    Ok(HttpResponse::NoContent())
}

/// Renews, and redirects to where it renews again, so many times; then to the session.
///
/// What a client does with its cookie in the middle of redirects shows here.
async fn renew_on_the_way(
    session: Session,
    hops: web::Path<u8>,
) -> actix_web::Result<HttpResponse> {
    session.renew()?;
    let next = |mut response: HttpResponseBuilder, to: String| {
        response.insert_header((header::LOCATION, to)).finish()
    };
    Ok(match hops.into_inner().min(MAX_HOPS) {
        0 => next(HttpResponse::SeeOther(), "/api/session".to_owned()),
        // 307: the next request is a POST, too.
        hops => next(HttpResponse::TemporaryRedirect(), format!("/api/renew/{}", hops - 1)),
    })
}

async fn list(session: Session) -> actix_web::Result<HttpResponse> {
    let own = session.handle();
    let sessions = match session.sessions().await {
        Ok(sessions) => sessions,
        Err(error) => return not_by_user(error),
    };
    let sessions: Vec<_> = sessions
        .into_iter()
        .map(|it| {
            json!({
                "id": it.handle.to_string(),
                "current": Some(it.handle) == own,
                "created_at": rfc3339(it.created_at),
                "last_seen_at": rfc3339(it.last_seen_at),
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(sessions))
}

async fn revoke(session: Session, id: web::Path<String>) -> actix_web::Result<HttpResponse> {
    match end(&session, &id).await {
        Ok(true) => Ok(HttpResponse::NoContent().finish()),
        Ok(false) => Ok(HttpResponse::NotFound().finish()),
        Err(error) => not_by_user(error),
    }
}

/// Ends one of the user's own sessions, by the name it has in lists.
pub(crate) async fn end(session: &Session, id: &str) -> Result<bool, Error> {
    let Some(handle) = SessionHandle::parse(id) else { return Ok(false) };
    if session.principal().is_some() && session.handle() == Some(handle) {
        // This way the browser is told to forget its cookie.
        return session.destroy().await.map(|()| true);
    }
    session.revoke(&handle).await
}

async fn revoke_others(session: Session) -> actix_web::Result<HttpResponse> {
    match session.revoke_others().await {
        Ok(revoked) => Ok(HttpResponse::Ok().json(json!({ "revoked": revoked }))),
        Err(error) => not_by_user(error),
    }
}

/// 501 where the store cannot find the sessions of a user.
fn not_by_user(error: Error) -> actix_web::Result<HttpResponse> {
    if error.kind() == ErrorKind::Config {
        return Ok(HttpResponse::NotImplemented().finish());
    }
    Err(error.into())
}

/// The body as JSON, whatever its content type says: requests of other sites were refused before.
fn json_of<T: DeserializeOwned>(body: &[u8]) -> actix_web::Result<T> {
    serde_json::from_slice(body).map_err(ErrorBadRequest)
}

pub(crate) fn rfc3339(time: Timestamp) -> String {
    let nanos = i128::from(time.as_millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}
