//! What keeps other sites out.

use actix_web::{
    Error, HttpResponse,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        header::{self, HeaderMap},
        uri::Authority,
    },
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
    // Where HTTP/2 has no `Host`, its `:authority` says the same (RFC 9113, section 8.3.1). What a
    // proxy forwards does not count: anyone may send it.
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().authority().map(Authority::as_str).or(host);
    if request.method().is_safe() || is_same_origin(request.headers(), host) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let refusal = HttpResponse::Forbidden().body("This request comes from another site.\n");
    Ok(request.into_response(refusal).map_into_right_body())
}

fn is_same_origin(headers: &HeaderMap, host: Option<&str>) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match text("origin") {
        // Were both unknown, they would be the same.
        Some(origin) => host.is_some() && origin.split_once("://").map(|(_, host)| host) == host,
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

#[cfg(test)]
mod tests {
    use actix_web::{
        App,
        http::StatusCode,
        middleware,
        test::{TestRequest, call_service, init_service},
        web,
    };

    use super::*;

    #[actix_web::test]
    async fn the_host_is_known_by_its_field_or_by_the_authority_of_http_2() {
        let app = App::new()
            .wrap(middleware::from_fn(same_origin_only))
            .route("/", web::post().to(async || "done"));
        let app = init_service(app).await;
        let post = |uri: &str, origin: &str| {
            TestRequest::post().uri(uri).insert_header((header::ORIGIN, origin))
        };
        let host = || (header::HOST, "shop.example");
        let absolute = "https://shop.example/";
        for (request, allowed) in [
            (post("/", "https://shop.example").insert_header(host()), true),
            (post("/", "https://evil.example").insert_header(host()), false),
            (post(absolute, "https://shop.example"), true),
            (post(absolute, "https://evil.example"), false),
            (post("/", "https://shop.example"), false),
            (post("/", "null"), false),
        ] {
            let status = call_service(&app, request.to_request()).await.status();
            let expected = if allowed { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(status, expected);
        }
    }
}
