//! For the tests of applications: requests that have a session already, and the session read back.
//!
//! # Examples
//!
//! ```
//! use actix_web::{App, http::StatusCode, test, web};
//! use session_actix::{Result, Session, SessionMiddleware, testing::Visitor};
//! use session_core::{MemorySessionManager, SigningKey};
//!
//! async fn rename(session: Session) -> Result<String> {
//!     session.insert("name", "after")?;
//!     Ok(session.principal().as_deref().unwrap_or("nobody").to_owned())
//! }
//!
//! # #[actix_web::main]
//! # async fn main() -> Result<()> {
//! # let secret: Vec<u8> = (0..32).collect();
//! let key = SigningKey::hmac_sha256(&secret)?;
//! let sessions = SessionMiddleware::new(MemorySessionManager::new(), key)?;
//! let app = App::new().wrap(sessions.clone()).route("/", web::get().to(rename));
//! let app = test::init_service(app).await;
//!
//! let mut visitor = Visitor::with(&sessions, async |session| {
//!     session.insert("name", "before")?;
//!     session.bind("ada").await
//! })
//! .await?;
//!
//! let request = test::TestRequest::get().insert_header(visitor.cookie()).to_request();
//! let response = test::call_service(&app, request).await;
//! visitor.follow(response.headers());
//! assert_eq!(response.status(), StatusCode::OK);
//!
//! let session = visitor.session(&sessions).await?;
//! assert_eq!(session.get("name")?, Some("after".to_owned()));
//! # Ok(())
//! # }
//! ```
//!
//! A session that expires, with one clock for the middleware and its manager, and without waiting:
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use session_actix::{Result, SessionMiddleware, testing::Visitor};
//! use session_core::{ManualClock, MemorySessionManager, SigningKey};
//!
//! # #[actix_web::main]
//! # async fn main() -> Result<()> {
//! let clock = Arc::new(ManualClock::default());
//! let manager = MemorySessionManager::with_clock(clock.clone());
//! let sessions = SessionMiddleware::builder(manager, SigningKey::generate()?)
//!     .idle_timeout(Duration::from_secs(600))
//!     .clock(clock.clone())
//!     .build()?;
//! let visitor = Visitor::with(&sessions, async |session| session.bind("ada").await).await?;
//! clock.advance(Duration::from_secs(599));
//! // Looking at it is a use of it, as in a request.
//! assert!(!visitor.session(&sessions).await?.is_new());
//! clock.advance(Duration::from_secs(600));
//! assert!(visitor.session(&sessions).await?.is_new());
//! # Ok(())
//! # }
//! ```

use std::{fmt, sync::Arc};

use actix_web::http::header::{COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use session_core::CookieAction;

use crate::{Error, Result, Session, SessionMiddleware, http::cookie};

/// A browser with a session of its own, as far as cookies go.
#[derive(Clone)]
pub struct Visitor {
    name: String,
    /// `None` after the server had the cookie removed.
    value: Option<String>,
}

impl Visitor {
    /// A visitor whose session is as `fill` leaves it, stored through `sessions`.
    ///
    /// # Errors
    ///
    /// Those of `fill` and of saving. [`Gone`](session_core::ErrorKind::Gone) if `fill` put nothing
    /// in, for then there is no session.
    pub async fn with<N>(
        sessions: &SessionMiddleware<N>,
        fill: impl AsyncFnOnce(&Session<N>) -> Result<()>,
    ) -> Result<Self> {
        let managed = sessions.interface().open([]).await?;
        let session = Session::new(Some(managed.clone()), Arc::clone(sessions.shared()));
        fill(&session).await?;
        let CookieAction::Set(cookie) = managed.finish().await?.cookie else {
            return Err(Error::gone());
        };
        let name = sessions.interface().cookie_name().to_owned();
        Ok(Self { name, value: Some(cookie.value().to_owned()) })
    }

    /// The header to send: `request.insert_header(visitor.cookie())`. Empty when the server had the
    /// cookie removed.
    pub fn cookie(&self) -> (HeaderName, HeaderValue) {
        let text = self.value.as_ref().map(|value| format!("{}={value}", self.name));
        let header = text.and_then(|text| HeaderValue::try_from(text).ok());
        (COOKIE, header.unwrap_or_else(|| HeaderValue::from_static("")))
    }

    /// Takes the cookie from the headers of a response, as a browser would.
    pub fn follow(&mut self, response: &HeaderMap) {
        for header in response.get_all(SET_COOKIE) {
            let pair = header.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
            let value = cookie::values([pair], &self.name).next().map(<[u8]>::to_vec);
            if let Some(value) = value.and_then(|value| String::from_utf8(value).ok()) {
                self.value = Some(value).filter(|value| !value.is_empty());
            }
        }
    }

    /// The session as it is stored now; a new one if it has ended.
    ///
    /// What is changed in it is stored by [`save`](Session::save).
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn session<N>(&self, sessions: &SessionMiddleware<N>) -> Result<Session<N>> {
        let value = self.value.as_deref().map(str::as_bytes);
        let managed = sessions.interface().open(value).await?;
        Ok(Session::new(Some(managed), Arc::clone(sessions.shared())))
    }
}

impl fmt::Debug for Visitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitor").field("has_cookie", &self.value.is_some()).finish_non_exhaustive()
    }
}
