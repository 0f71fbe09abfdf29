//! The session in a handler.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actix_web::{
    App,
    dev::{Service, ServiceRequest},
    test, web,
};
use serde_json::Value;
use session_actix::{Key, Session, testing::Visitor};
use session_core::{ErrorKind, Saved, SessionHandle, Status, Timestamp};

use crate::support::{Faults, Faulty, Mode, builder, kind, ok, sessions};

/// Runs `handler` as the only handler of an application, for `visitor`, and gives its answer back.
macro_rules! handle {
    ($manager:expr, $visitor:expr, $handler:expr) => {{
        let app = App::new().wrap(sessions($manager)).route("/", web::get().to($handler));
        let app = test::init_service(app).await;
        let request = test::TestRequest::get().insert_header($visitor.cookie()).to_request();
        let response = test::call_service(&app, request).await;
        assert!(response.status().is_success(), "{}", response.status());
        $visitor.follow(response.headers());
        let has_cookie = response.headers().contains_key("set-cookie");
        let body = test::read_body(response).await;
        (String::from_utf8(body.to_vec()).unwrap(), has_cookie)
    }};
}

async fn visitor(manager: &Faulty) -> Visitor {
    Visitor::with(&sessions(manager), async |session| {
        session.insert("n", 1)?;
        session.insert("word", "hello")
    })
    .await
    .unwrap()
}

async fn stored(manager: &Faulty, visitor: &Visitor) -> Session {
    visitor.session(&sessions(manager)).await.unwrap()
}

const COUNT: Key<u64> = Key::new("n");

#[actix_web::test]
async fn values_are_read_changed_and_kept() {
    let manager = Faulty::default();
    let mut visitor = visitor(&manager).await;
    let (_, has_cookie) = handle!(&manager, visitor, async |session: Session| {
        assert!(!session.is_new() && session.len() == 2 && !session.is_empty());
        assert_eq!(session.status(), Status::Unchanged);
        assert_eq!(session.get(COUNT)?, Some(1));
        assert_eq!(session.get::<String>("word")?.as_deref(), Some("hello"));
        assert_eq!(kind(session.get::<u32>("word")), Some(ErrorKind::Codec));
        assert_eq!(session.get::<u32>("none")?, None);
        session.insert(COUNT, 2)?;
        session.insert("list", vec![1, 2])?;
        assert!(session.contains_key("list"));
        assert_eq!(session.status(), Status::Changed);
        assert_eq!(session.remove_as::<String>("word")?.as_deref(), Some("hello"));
        assert!(!session.remove("word")?);
        ok("")
    });
    assert!(!has_cookie);
    let session = stored(&manager, &visitor).await;
    assert_eq!(session.get(COUNT).unwrap(), Some(2));
    assert_eq!(session.get::<Vec<u8>>("list").unwrap(), Some(vec![1, 2]));
    assert!(!session.contains_key("word"));
    assert_eq!(session.entries::<Value>().unwrap().len(), 2);
}

#[actix_web::test]
async fn a_value_set_to_what_it_was_is_not_written() {
    let manager = Faulty::default();
    let mut visitor = visitor(&manager).await;
    let before = manager.calls();
    handle!(&manager, visitor, async |session: Session| session.insert("n", 1).map(|()| ""));
    assert_eq!(manager.calls(), before + 1, "one get, no put");
}

#[actix_web::test]
async fn all_extractors_of_a_request_are_one_session_loaded_once() {
    let manager = Faulty::default();
    let mut visitor = visitor(&manager).await;
    let before = manager.calls();
    handle!(&manager, visitor, async |one: Session, two: Session| {
        one.insert("n", 5)?;
        assert_eq!(two.get::<u32>("n")?, Some(5));
        let three = two.clone();
        three.insert("m", 6)?;
        assert_eq!(two.get::<u32>("m")?, Some(6));
        assert_eq!(one.get::<u32>("m")?, Some(6));
        ok("")
    });
    assert_eq!(manager.calls(), before + 2, "one get and one put");
    assert_eq!(stored(&manager, &visitor).await.get::<u32>("m").unwrap(), Some(6));
}

#[actix_web::test]
async fn extractors_that_wait_for_the_store_wait_for_one_load() {
    let manager = Faulty::default();
    let mut visitor = visitor(&manager).await;
    manager.set(Mode::Yields);
    let before = manager.calls();
    handle!(&manager, visitor, async |one: Session, two: Session| {
        assert_eq!(one.get(COUNT)?, two.get(COUNT)?);
        ok("")
    });
    assert_eq!(manager.calls(), before + 1);
}

#[actix_web::test]
async fn an_extractor_behind_one_that_fails_opens_nothing() {
    for manager in [Faulty::default(), Faults::recalling()] {
        let visitor = visitor(&manager).await;
        let number = async |_: web::Path<u32>, _: Session| "";
        let app = App::new().wrap(sessions(&manager)).route("/{number}", web::get().to(number));
        let app = test::init_service(app).await;
        let before = manager.calls();
        let request = test::TestRequest::with_uri("/word").insert_header(visitor.cookie());
        let response = test::call_service(&app, request.to_request()).await;
        assert!(response.status().is_client_error());
        assert!(!response.headers().contains_key("vary"), "it does not depend on the session");
        assert_eq!(manager.calls(), before);
    }
}

#[actix_web::test]
async fn a_session_on_its_way_does_not_keep_the_request_from_being_routed() {
    for manager in [Faulty::default(), Faults::recalling()] {
        let visitor = visitor(&manager).await;
        let sessions = sessions(&manager);
        let word = async |session: Session| ok(session.get::<String>("word")?.unwrap_or_default());
        let app = App::new()
            .route("/{any}", web::get().to(word))
            .wrap_fn(|mut request: ServiceRequest, service| {
                let opening = request.extract::<Session>();
                let answer = service.call(request);
                async move {
                    assert_eq!(opening.await?.get(COUNT)?, Some(1));
                    answer.await
                }
            })
            .wrap(sessions);
        let app = test::init_service(app).await;
        let (name, value) = visitor.cookie();
        // The session's cookie need not be in the first field.
        let request = test::TestRequest::with_uri("/any")
            .append_header((name.clone(), "theme=dark"))
            .append_header((name, value));
        assert_eq!(test::call_and_read_body(&app, request.to_request()).await, "hello");
    }
}

#[actix_web::test]
async fn a_session_that_could_not_be_opened_ahead_is_opened_when_it_is_asked_for() {
    let manager = Faulty::default();
    let visitor = visitor(&manager).await;
    let eager = builder(&manager).eager().build().unwrap();
    let word = async |session: Session| ok(session.get::<String>("word")?.unwrap_or_default());
    let app = test::init_service(App::new().wrap(eager).route("/", web::get().to(word))).await;
    manager.set(Mode::FailsOnce);
    let before = manager.calls();
    let request = test::TestRequest::get().insert_header(visitor.cookie()).to_request();
    assert_eq!(test::call_and_read_body(&app, request).await, "hello");
    assert_eq!(manager.calls(), before + 2);
}

#[actix_web::test]
async fn a_session_at_hand_is_extracted_without_a_call_of_the_store() {
    let manager = Faults::recalling();
    let mut visitor = visitor(&manager).await;
    let before = manager.calls();
    for _ in 0..2 {
        let (body, _) = handle!(&manager, visitor, async |one: Session, two: Session| {
            assert_eq!(two.get::<u32>("n")?, Some(1));
            ok(one.get::<String>("word")?.unwrap_or_default())
        });
        assert_eq!(body, "hello");
    }
    assert_eq!(manager.calls(), before);
}

#[actix_web::test]
async fn purge_ends_the_session_and_what_follows_is_a_new_one() {
    let manager = Faulty::default();
    let mut visitor = visitor(&manager).await;
    let before = visitor.clone();
    let (_, has_cookie) = handle!(&manager, visitor, async |session: Session| {
        session.purge()?;
        assert_eq!((session.status(), session.len()), (Status::Purged, 0));
        ok("")
    });
    assert!(has_cookie);
    assert_eq!(manager.len(), 0);
    assert!(stored(&manager, &before).await.is_new());
    let mut visitor = self::visitor(&manager).await;
    let before = visitor.clone();
    handle!(&manager, visitor, async |session: Session| {
        session.purge()?;
        session.insert("after", true)?;
        ok("")
    });
    assert_eq!(manager.len(), 1);
    assert!(stored(&manager, &before).await.is_new());
    assert_eq!(stored(&manager, &visitor).await.get("after").unwrap(), Some(true));
}

#[actix_web::test]
async fn clear_leaves_whose_session_it_is() {
    let manager = Faulty::default();
    let mut visitor = visitor(&manager).await;
    handle!(&manager, visitor, async |session: Session| session.bind("ada").await.map(|()| ""));
    handle!(&manager, visitor, async |session: Session| session.clear().map(|()| ""));
    let session = stored(&manager, &visitor).await;
    assert_eq!((session.len(), session.principal().as_deref()), (0, Some("ada")));
}

#[actix_web::test]
async fn renew_kills_the_old_token_and_keeps_the_values() {
    let manager = Faulty::default();
    let mut visitor = visitor(&manager).await;
    let before = visitor.clone();
    let (_, has_cookie) = handle!(&manager, visitor, async |session: Session| {
        session.renew()?;
        assert_eq!(session.status(), Status::Renewed);
        ok("")
    });
    assert!(has_cookie);
    assert!(stored(&manager, &before).await.is_new());
    assert_eq!(stored(&manager, &visitor).await.get(COUNT).unwrap(), Some(1));
}

#[actix_web::test]
async fn update_and_take_are_stored_when_they_return() {
    let manager = Faulty::default();
    let mut visitor = visitor(&manager).await;
    let (inner, sessions_) = (visitor.clone(), sessions(&manager));
    handle!(&manager, visitor, move |session: Session| {
        let (inner, sessions) = (inner.clone(), sessions_.clone());
        async move {
            assert_eq!(session.update(COUNT, |n| n.unwrap_or(0) + 10).await?, 11);
            assert_eq!(session.take::<String>("word").await?.as_deref(), Some("hello"));
            assert_eq!(session.take::<String>("word").await?, None);
            let other = inner.session(&sessions).await?;
            assert_eq!(other.get(COUNT)?, Some(11));
            assert!(!other.contains_key("word"));
            ok("")
        }
    });
}

#[actix_web::test]
async fn a_login_is_stored_renews_and_is_found_by_its_user_only() {
    let manager = Faulty::default();
    let log_in = async |session: Session| {
        session.set_permanent(true)?;
        session.set_label(Some("Firefox"))?;
        session.bind("ada").await?;
        assert!(session.permanent() && session.authenticated_at().is_some());
        assert!(session.deadline() > session.created_at());
        ok(session.handle().expect("stored").to_string())
    };
    let (mut here, mut there) = (visitor(&manager).await, visitor(&manager).await);
    let (own, _) = handle!(&manager, here, log_in);
    let (other, _) = handle!(&manager, there, log_in);
    let mut eve = visitor(&manager).await;
    handle!(&manager, eve, async |session: Session| session.bind("eve").await.map(|()| ""));
    let session = stored(&manager, &here).await;
    let mut listed: Vec<_> =
        session.sessions().await.unwrap().iter().map(|it| it.handle.to_string()).collect();
    let mut expected = vec![own, other.clone()];
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
    let handle = SessionHandle::parse(&other).unwrap();
    assert!(!stored(&manager, &eve).await.revoke(&handle).await.unwrap());
    assert!(session.revoke(&handle).await.unwrap());
    assert!(!session.revoke(&handle).await.unwrap());
    assert!(stored(&manager, &there).await.is_new());
    handle!(&manager, there, log_in);
    assert_eq!(session.revoke_others().await.unwrap(), 1);
    assert_eq!(session.revoke_others().await.unwrap(), 0);
    assert!(session.is_live().await.unwrap());
    assert!(stored(&manager, &eve).await.is_live().await.unwrap());
}

#[actix_web::test]
async fn a_list_of_sessions_is_json_whose_handles_are_read_from_paths() {
    let manager = Faulty::default();
    let sessions = sessions(&manager);
    let log_in = async |session: &Session| session.bind("ada").await;
    let here = Visitor::with(&sessions, log_in).await.unwrap();
    let there = Visitor::with(&sessions, log_in).await.unwrap();
    let app = App::new()
        .wrap(sessions.clone())
        .route("/", web::get().to(async |it: Session| ok(web::Json(it.sessions().await?))))
        .route(
            "/{handle}",
            web::delete().to(async |session: Session, handle: web::Path<SessionHandle>| {
                ok(web::Json(session.revoke(&handle).await?))
            }),
        );
    let app = test::init_service(app).await;
    let get = test::TestRequest::get().insert_header(here.cookie()).to_request();
    let list: Vec<Value> = test::call_and_read_body_json(&app, get).await;
    assert_eq!(list.len(), 2);
    let handle = there.session(&sessions).await.unwrap().handle().unwrap().to_string();
    let other = list.iter().find(|it| it["handle"] == handle.as_str()).unwrap();
    let created = there.session(&sessions).await.unwrap().created_at().unwrap();
    assert_eq!(other["created_at"], created.as_millis());
    let since_epoch = SystemTime::from(created).duration_since(UNIX_EPOCH).unwrap();
    assert_eq!(since_epoch, Duration::from_millis(created.as_millis()));
    assert!(SystemTime::from(Timestamp::MAX) > SystemTime::from(created));
    let delete = |handle: &str| {
        let request = test::TestRequest::delete().uri(&format!("/{handle}"));
        request.insert_header(here.cookie()).to_request()
    };
    assert!(test::call_and_read_body_json::<_, _, bool>(&app, delete(&handle)).await);
    assert!(there.session(&sessions).await.unwrap().is_new());
    let wrong = test::call_service(&app, delete("x")).await;
    assert_eq!(wrong.status(), 404);
}

#[actix_web::test]
async fn a_visitor_nobody_knows_has_no_list_and_revokes_nothing() {
    let manager = Faulty::default();
    let visitor = visitor(&manager).await;
    let session = stored(&manager, &visitor).await;
    assert!(session.sessions().await.unwrap().is_empty());
    assert!(!session.revoke(&session.handle().unwrap()).await.unwrap());
    assert_eq!(session.revoke_others().await.unwrap(), 0);
    assert_eq!(manager.len(), 1);
}

#[actix_web::test]
async fn what_does_not_fit_is_refused_and_the_rest_is_kept() {
    let manager = Faulty::default();
    let app = App::new().wrap(builder(&manager).max_bytes(100).build().unwrap()).route(
        "/",
        web::get().to(async |session: Session| {
            session.insert("small", 1)?;
            let big = session.insert("big", "x".repeat(200));
            assert_eq!(kind(big), Some(ErrorKind::TooLarge));
            ok(format!("{:?}", session.save().await? == Saved::Stored))
        }),
    );
    let app = test::init_service(app).await;
    let response = test::call_service(&app, test::TestRequest::get().to_request()).await;
    assert_eq!(test::read_body(response).await, "true");
}

#[std::prelude::v1::test]
fn debug_shows_no_value_and_no_token() {
    let text = format!("{:?} {:?}", Key::<u8>::new("n"), sessions(&Faulty::default()));
    assert!(text.contains("SessionMiddleware") && text.contains("Key(\"n\")"), "{text}");
}

#[actix_web::test]
async fn debug_of_a_session_shows_neither_values_nor_whose_it_is() {
    let manager = Faulty::default();
    let sessions = sessions(&manager);
    let visitor = Visitor::with(&sessions, async |session| {
        session.insert("secret-key", "secret-value")?;
        session.bind("secret-user").await
    })
    .await
    .unwrap();
    let (_, cookie) = visitor.cookie();
    let cookie = cookie.to_str().unwrap().to_owned();
    let session = visitor.session(&sessions).await.unwrap();
    let text = format!("{session:?} {visitor:?} {sessions:?}");
    assert!(!text.contains("secret"), "{text}");
    for part in cookie.split(['=', '!']).skip(1) {
        assert!(!text.contains(part), "{text}");
    }
}
