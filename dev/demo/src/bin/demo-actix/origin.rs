//! What keeps other sites out.

use actix_web::{
    Error, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, HeaderMap},
    middleware::{DefaultHeaders, Next},
};

/// Refuses requests that change something and that a browser says come from another site.
///
/// `SameSite=Lax` keeps the cookie from such requests already; this keeps out those that need no
/// cookie, such as a login into somebody else's account. Programs that are no browsers send neither
/// header.
pub(crate) async fn same_origin_only<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if request.method().is_safe() || is_same_origin(request.headers()) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let refusal = HttpResponse::Forbidden().body("This request comes from another site.\n");
    Ok(request.into_response(refusal).map_into_right_body())
}

fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match text("origin") {
        Some(origin) => origin.split_once("://").map(|(_, host)| host) == text("host"),
        None => true,
    }
}

/// Headers of every response: scripts, styles and forms of this site only.
pub(crate) fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ))
        .add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((header::REFERRER_POLICY, "same-origin"))
}
