//! Two requests of one browser, without a web framework: what middleware does with the interface.

use std::{
    error::Error,
    pin::pin,
    task::{Context, Poll, Waker},
};

use session_core::{CookieAction, MemorySessionManager, Result, SessionInterface, SigningKey};

/// Answers a request that came with these values of our cookie: the text of the page, and the
/// `Set-Cookie` header, if one is due.
async fn answer(sessions: &SessionInterface, sent: &[&str]) -> Result<(String, Option<String>)> {
    let session = sessions.open(sent.iter().map(|value| value.as_bytes())).await?;
    let visits = session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1).await?;
    let name = sessions.cookie_name();
    let header = match session.finish().await?.cookie {
        CookieAction::Set(cookie) => Some(format!(
            "{name}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={}",
            cookie.value(),
            cookie.max_age().as_secs(),
        )),
        CookieAction::Remove => Some(format!("{name}=; Path=/; Secure; Max-Age=0")),
        CookieAction::Keep => None,
    };
    Ok((format!("visit {visits}"), header))
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    // A program of yours reads its secret from a file or from the environment.
    let secret: Vec<u8> = (0..32).collect();
    let key = SigningKey::hmac_sha256(&secret)?;
    let sessions = SessionInterface::builder(MemorySessionManager::new(), key).build()?;

    let (page, header) = block_on(answer(&sessions, &[]))?;
    assert_eq!(page, "visit 1");
    let header = header.ok_or("a new session has a cookie")?;
    let cookie = header.split(['=', ';']).nth(1).unwrap_or_default();

    let (page, header) = block_on(answer(&sessions, &[cookie]))?;
    assert_eq!((page.as_str(), header), ("visit 2", None));
    Ok(())
}

/// Nothing here waits for anything, so no runtime is needed. A program of yours has one.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
