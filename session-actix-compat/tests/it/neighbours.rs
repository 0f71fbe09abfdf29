//! Crates built on actix-session 0.10.

use actix_identity_0_8::{Identity, IdentityMiddleware};
use actix_session_0_10::SessionMiddleware;
use actix_web::{
    App, HttpMessage, HttpRequest, HttpResponse, cookie::Key, http::StatusCode, test, web,
};
use actix_web_flash_messages::{
    FlashMessage, FlashMessagesFramework, IncomingFlashMessages, storage::SessionMessageStore,
};

use crate::support::store;

/// The cookie a response sets, as a browser sends it back.
fn cookie_of(
    response: &actix_web::dev::ServiceResponse<impl actix_web::body::MessageBody>,
) -> String {
    let cookie = response.headers().get("set-cookie").unwrap().to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[actix_web::test]
async fn a_flash_message_is_shown_on_the_next_page_and_once() {
    let messages = FlashMessagesFramework::builder(SessionMessageStore::default()).build();
    let app = App::new()
        .wrap(messages)
        .wrap(SessionMiddleware::new(store().0, Key::from(&[7; 64])))
        .route(
            "/",
            web::post().to(async || {
                FlashMessage::info("saved").send();
                HttpResponse::NoContent().finish()
            }),
        )
        .route(
            "/",
            web::get().to(async |messages: IncomingFlashMessages| {
                messages.iter().map(|message| message.content().to_owned()).collect::<String>()
            }),
        );
    let app = test::init_service(app).await;
    let sent = test::call_service(&app, test::TestRequest::post().to_request()).await;
    let mut cookie = cookie_of(&sent);
    let mut shown = Vec::new();
    for _ in 0..2 {
        let request = test::TestRequest::get().insert_header(("cookie", &*cookie)).to_request();
        let page = test::call_service(&app, request).await;
        if page.headers().contains_key("set-cookie") {
            cookie = cookie_of(&page);
        }
        shown.push(test::read_body(page).await);
    }
    assert_eq!(shown, ["saved", ""]);
}

#[actix_web::test]
async fn the_identity_of_the_version_before_logs_in_and_out() {
    let app = App::new()
        .wrap(IdentityMiddleware::default())
        .wrap(SessionMiddleware::new(store().0, Key::from(&[7; 64])))
        .route(
            "/login",
            web::post().to(async |request: HttpRequest| {
                Identity::login(&request.extensions(), "ada".to_owned()).map(|_| "")
            }),
        )
        .route("/", web::get().to(async |user: Identity| user.id()))
        .route(
            "/logout",
            web::post().to(async |user: Identity| {
                user.logout();
                HttpResponse::NoContent().finish()
            }),
        );
    let app = test::init_service(app).await;
    let login = test::TestRequest::post().uri("/login").to_request();
    let cookie = cookie_of(&test::call_service(&app, login).await);
    let get = || test::TestRequest::get().insert_header(("cookie", &*cookie)).to_request();
    assert_eq!(test::call_and_read_body(&app, get()).await, "ada");
    let logout = test::TestRequest::post().uri("/logout").insert_header(("cookie", &*cookie));
    let left = test::call_service(&app, logout.to_request()).await;
    assert_eq!(left.status(), StatusCode::NO_CONTENT);
    let stolen = test::call_service(&app, get()).await;
    assert_eq!(stolen.status(), StatusCode::UNAUTHORIZED);
}
