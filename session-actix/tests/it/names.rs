//! Several sessions in one application, and ways to one that are not extractors.

use actix_web::{
    App, Error, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{Service, ServiceRequest, ServiceResponse, Transform, fn_service},
    error::ErrorUnauthorized,
    guard,
    http::{StatusCode, header::SET_COOKIE},
    middleware::{self, Next, NormalizePath},
    test, web,
};
use session_actix::{OpenedSession, Session, SessionExt, testing::Visitor};
use session_core::ErrorKind;

use crate::support::{Faulty, Mode, builder, ok, sessions};

struct Admin;

#[actix_web::test]
async fn two_names_are_two_sessions_with_a_cookie_each() {
    let (visitors, admins) = (Faulty::default(), Faulty::default());
    let admin = builder(&admins).named::<Admin>().cookie_name("__Host-admin").build().unwrap();
    let write = async |session: Session, admin: Session<Admin>| {
        session.insert("n", 1)?;
        admin.insert("n", 2)?;
        ok("")
    };
    let read = async |session: Session, admin: Session<Admin>| {
        ok(format!("{:?} {:?}", session.get::<u8>("n")?, admin.get::<u8>("n")?))
    };
    let app = App::new()
        .wrap(sessions(&visitors))
        .wrap(admin)
        .route("/", web::post().to(write))
        .route("/", web::get().to(read));
    let app = test::init_service(app).await;
    let response = test::call_service(&app, test::TestRequest::post().to_request()).await;
    let pairs: Vec<_> = response
        .headers()
        .get_all("set-cookie")
        .map(|header| header.to_str().unwrap().split(';').next().unwrap().to_owned())
        .collect();
    let [first, second] = &pairs[..] else { panic!("{pairs:?}") };
    assert_eq!((visitors.len(), admins.len()), (1, 1));
    let get = async |cookie: String| {
        let request = test::TestRequest::get().insert_header(("cookie", cookie)).to_request();
        test::call_and_read_body(&app, request).await
    };
    assert_eq!(get(format!("{first}; {second}")).await, "Some(1) Some(2)");
    // A cookie of one name is worth nothing under the other.
    let crossed = |pair: &str, to: &str| format!("{to}={}", pair.split_once('=').unwrap().1);
    let (visitor, admin) = if first.contains("admin") { (second, first) } else { (first, second) };
    assert_eq!(get(crossed(visitor, "__Host-admin")).await, "None None");
    assert_eq!(get(crossed(admin, "__Host-sid")).await, "None None");
}

async fn log_in(session: Session, admin: Session<Admin>) -> session_actix::Result<()> {
    session.insert("n", 1)?;
    admin.bind("root").await
}

#[actix_web::test]
async fn a_session_that_cannot_be_saved_takes_no_other_sessions_cookie_with_it() {
    let (visitors, admins) = (Faulty::default(), Faulty::default());
    let admin = builder(&admins).named::<Admin>().cookie_name("__Host-admin").build().unwrap();
    let answers = async |session: Session, admin: Session<Admin>| {
        log_in(session, admin).await?;
        ok("")
    };
    let fails = async |session: Session, admin: Session<Admin>| {
        log_in(session, admin).await?;
        Err::<&str, Error>(ErrorUnauthorized("and one more code"))
    };
    let app = App::new()
        .wrap(admin.clone())
        .wrap(sessions(&visitors))
        .route("/answers", web::get().to(answers))
        .route("/fails", web::get().to(fails));
    let app = test::init_service(app).await;
    visitors.set(Mode::FailsToWrite(ErrorKind::Unavailable));
    for path in ["/answers", "/fails"] {
        let mut visitor =
            Visitor::with(&admin, async |session| session.insert("m", 1)).await.unwrap();
        let before = visitor.clone();
        let request = test::TestRequest::with_uri(path).insert_header(visitor.cookie());
        let response = match test::try_call_service(&app, request.to_request()).await {
            Ok(response) => response.into_parts().1.map_into_boxed_body(),
            Err(error) => error.error_response(),
        };
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(response.headers().get_all(SET_COOKIE).count(), 1, "{path}");
        visitor.follow(response.headers());
        let session = visitor.session(&admin).await.unwrap();
        assert_eq!(session.principal().as_deref(), Some("root"), "{path}");
        assert!(before.session(&admin).await.unwrap().is_new(), "the old token is dead");
    }
}

#[actix_web::test]
async fn a_middleware_wrapped_again_further_inside_is_the_same_session() {
    for eager in [false, true] {
        let manager = Faulty::default();
        let sessions = if eager { builder(&manager).eager() } else { builder(&manager) };
        let sessions = sessions.build().unwrap();
        let inner = web::scope("/a").wrap(sessions.clone()).route(
            "",
            web::get().to(async |session: Session| {
                assert_eq!(session.get("outer")?, Some(1));
                session.insert("inner", 2)?;
                ok("")
            }),
        );
        let outer = async |request: ServiceRequest, next: Next<_>| {
            request.session().await?.insert("outer", 1)?;
            next.call(request).await
        };
        let app = App::new().service(inner).wrap(middleware::from_fn(outer)).wrap(sessions.clone());
        let app = test::init_service(app).await;
        let mut visitor =
            Visitor::with(&sessions, async |session| session.insert("m", 1)).await.unwrap();
        let stranger = test::TestRequest::with_uri("/a").to_request();
        let response = test::call_service(&app, stranger).await;
        assert_eq!((response.status(), manager.len()), (StatusCode::OK, 2));
        assert_eq!(response.headers().get_all(SET_COOKIE).count(), 1);
        visitor.follow(response.headers());
        let session = visitor.session(&sessions).await.unwrap();
        let values = (session.get::<u8>("outer").unwrap(), session.get::<u8>("inner").unwrap());
        assert_eq!(values, (Some(1), Some(2)));
    }
}

#[actix_web::test]
async fn a_request_that_is_sent_through_again_has_a_session_again() {
    let manager = Faulty::default();
    let sessions = sessions(&manager);
    let count = async |request: ServiceRequest| {
        let session = request.session().await?;
        session.insert("n", session.get::<u32>("n")?.unwrap_or_default() + 1)?;
        Ok::<_, Error>(request.into_response(HttpResponse::Ok()))
    };
    let service = sessions.new_transform(fn_service(count)).await.unwrap();
    let visitor = Visitor::with(&sessions, async |session| session.insert("n", 1)).await.unwrap();
    let mut request = test::TestRequest::get().insert_header(visitor.cookie()).to_srv_request();
    for _ in 0..2 {
        let response = service.call(request).await.unwrap();
        request = ServiceRequest::from_request(response.into_parts().0);
    }
    let session = visitor.session(&sessions).await.unwrap();
    assert_eq!(session.get("n").unwrap(), Some(3));
}

#[actix_web::test]
async fn a_name_without_its_middleware_is_an_error_of_the_program() {
    let read = async |admin: Session<Admin>| format!("{}", admin.is_new());
    let app = App::new().wrap(sessions(&Faulty::default())).route("/", web::get().to(read));
    let app = test::init_service(app).await;
    let response = test::call_service(&app, test::TestRequest::get().to_request()).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

async fn members_only<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let session = request.session().await?;
    if session.principal().is_none() {
        return Err(ErrorUnauthorized("log in first"));
    }
    session.update("seen", |seen: Option<u32>| seen.unwrap_or(0) + 1).await?;
    next.call(request).await
}

#[actix_web::test]
async fn middleware_inside_reaches_the_session_the_handler_has() {
    let manager = Faulty::default();
    let sessions = sessions(&manager);
    let app = App::new().wrap(middleware::from_fn(members_only)).wrap(sessions.clone()).route(
        "/",
        web::get().to(async |session: Session| ok(format!("{:?}", session.get::<u32>("seen")?))),
    );
    let app = test::init_service(app).await;
    let refused = test::try_call_service(&app, test::TestRequest::get().to_request()).await;
    let refused = refused.expect_err("not logged in").error_response();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers().get("vary").unwrap(), "Cookie");
    let visitor =
        Visitor::with(&sessions, async |session| session.bind("ada").await).await.unwrap();
    let before = manager.calls();
    let request = test::TestRequest::get().insert_header(visitor.cookie()).to_request();
    assert_eq!(test::call_and_read_body(&app, request).await, "Some(1)");
    assert_eq!(manager.calls(), before + 2, "one get and one put");
}

#[actix_web::test]
async fn a_guard_sees_the_session_of_an_eager_middleware() {
    let manager = Faulty::default();
    let eager = builder(&manager).eager().build().unwrap();
    let member = |request: &guard::GuardContext<'_>| {
        request.opened_session().is_ok_and(|session| session.principal().is_some())
    };
    let app = App::new()
        .wrap(eager.clone())
        .service(
            web::scope("/area")
                .guard(guard::fn_guard(member))
                .route("", web::get().to(async || "members")),
        )
        .route("/area", web::get().to(async || "strangers"))
        .route("/plain", web::get().to(async || "ok"));
    let app = test::init_service(app).await;
    let visitor = Visitor::with(&eager, async |session| session.bind("ada").await).await.unwrap();
    let get = async |path: &str| {
        let request = test::TestRequest::with_uri(path).insert_header(visitor.cookie());
        test::call_service(&app, request.to_request()).await
    };
    let response = get("/area").await;
    assert_eq!(response.headers().get("vary").unwrap(), "Cookie");
    assert_eq!(test::read_body(response).await, "members");
    let request = test::TestRequest::with_uri("/area").to_request();
    assert_eq!(test::call_and_read_body(&app, request).await, "strangers");
    // What needs no session works on without one.
    manager.set(Mode::Fails);
    assert_eq!(test::read_body(get("/plain").await).await, "ok");
    assert_eq!(test::read_body(get("/area").await).await, "strangers");
}

#[actix_web::test]
async fn a_guard_is_told_why_there_is_no_session_for_it() {
    let manager = Faulty::default();
    let lazy = builder(&manager).skip_paths(["/static"]).build().unwrap();
    let eager = builder(&manager).eager().build().unwrap();
    let bare = App::new().default_service(web::to(why));
    let lazy_app = App::new().wrap(lazy).default_service(web::to(why));
    let eager_app = App::new().wrap(eager.clone()).default_service(web::to(why));
    let bare = test::init_service(bare).await;
    let lazy_app = test::init_service(lazy_app).await;
    let eager_app = test::init_service(eager_app).await;
    let visitor = Visitor::with(&eager, async |session| session.bind("ada").await).await.unwrap();
    let get =
        |path: &str| test::TestRequest::with_uri(path).insert_header(visitor.cookie()).to_request();
    let said = test::call_and_read_body(&bare, get("/")).await;
    assert!(said.starts_with(b"Config") && said.ends_with(b"asks for the session"), "{said:?}");
    let said = test::call_and_read_body(&lazy_app, get("/static")).await;
    assert!(said.starts_with(b"Config") && said.ends_with(b"from `skip_paths`"), "{said:?}");
    let said = test::call_and_read_body(&lazy_app, get("/")).await;
    assert!(said.starts_with(b"Config") && said.ends_with(b"further outside"), "{said:?}");
    assert_eq!(test::call_and_read_body(&eager_app, get("/")).await, "ada");
    manager.set(Mode::Fails);
    let said = test::call_and_read_body(&eager_app, get("/")).await;
    assert!(said.starts_with(b"Unavailable"), "{said:?}");
}

/// Whom the opened session belongs to, or why there is none.
async fn why(request: HttpRequest) -> String {
    match request.opened_session() {
        Ok(session) => session.principal().as_deref().unwrap_or("nobody").to_owned(),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}

#[actix_web::test]
async fn two_middlewares_of_one_name_built_apart_lose_nothing_in_silence() {
    let manager = Faulty::default();
    let write = async |session: Session| {
        session.insert("inner", 2)?;
        ok("")
    };
    let app = App::new()
        .service(web::scope("/a").wrap(sessions(&manager)).route("", web::get().to(write)))
        .route("/b", web::get().to(write))
        .wrap(sessions(&manager));
    let app = test::init_service(app).await;
    let response = test::call_service(&app, test::TestRequest::with_uri("/a").to_request()).await;
    assert_eq!((response.status(), manager.len()), (StatusCode::INTERNAL_SERVER_ERROR, 0));
    let response = test::call_service(&app, test::TestRequest::with_uri("/b").to_request()).await;
    assert_eq!((response.status(), manager.len()), (StatusCode::OK, 1));
}

#[actix_web::test]
async fn nested_scopes_and_normalised_paths_have_the_same_session() {
    let manager = Faulty::default();
    let count = async |session: Session| {
        let n = session.update("n", |n: Option<u32>| n.unwrap_or(0) + 1).await?;
        ok(n.to_string())
    };
    let inner = web::scope("/b").route("/c", web::get().to(count));
    let sessions = sessions(&manager);
    let app = App::new()
        .wrap(sessions.clone())
        .wrap(NormalizePath::trim())
        .service(web::scope("/a").service(inner).route("/c", web::get().to(count)));
    let app = test::init_service(app).await;
    let visitor = Visitor::with(&sessions, async |session| session.insert("n", 0)).await.unwrap();
    let mut seen = Vec::new();
    for path in ["/a/b/c", "/a/c", "/a//b/c/", "/a/b/c?x=1"] {
        let request = test::TestRequest::with_uri(path).insert_header(visitor.cookie());
        seen.push(test::call_and_read_body(&app, request.to_request()).await);
    }
    assert_eq!(seen, ["1", "2", "3", "4"]);
}
