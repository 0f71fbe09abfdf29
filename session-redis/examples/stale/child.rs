//! One server process: a cache that hears of changes, over the manager, asked line by line.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    process::ExitCode,
    sync::Arc,
    thread,
};

use session_cache::{CachingSessionManager, Coherence};
use session_core::{Expect, Outcome, Removal, SessionId, SessionManager, Version};
use session_redis::RedisSessionManager;

use crate::support::{block_on, record};

/// Serves every connection in a thread of its own, until the process is killed.
pub(crate) fn serve(socket: &str, url: &str, coherence: Coherence) -> ExitCode {
    let manager = block_on(RedisSessionManager::new(url)).expect("a manager");
    let cache = CachingSessionManager::new(manager, coherence).expect("a cache");
    let cache = Arc::new(cache);
    let listener = UnixListener::bind(socket).expect("a socket");
    for connection in listener.incoming().flatten() {
        let cache = Arc::clone(&cache);
        thread::spawn(move || converse(&cache, connection));
    }
    ExitCode::SUCCESS
}

fn converse(cache: &CachingSessionManager, connection: UnixStream) {
    let mut answers = connection.try_clone().expect("the other direction");
    let questions = BufReader::new(connection);
    for question in questions.lines().map_while(Result::ok) {
        let answer = block_on(answer(cache, &question));
        if writeln!(answers, "{answer}").is_err() {
            return;
        }
    }
}

/// A number: the version that is read, 1 for what was done, 0 for what is not there.
async fn answer(cache: &CachingSessionManager, question: &str) -> String {
    let mut words = question.split(' ');
    let verb = words.next().unwrap_or_default();
    if verb == "figures" {
        let figures = cache.figures();
        return format!("{} {}", figures.hits, figures.misses);
    }
    let id = words.next().and_then(|id| SessionId::parse(id.as_bytes())).expect("a sid");
    let version = words.next().map_or(0, |version| version.parse().expect("a version"));
    let done = match verb {
        "read" => cache.get(&id).await.map(|it| it.map_or(0, |it| it.version().get())),
        "write" => {
            let (expect, next) = match version {
                0 => (Expect::Absent, 1),
                over => (Expect::Version(Version::new(over)), over + 1),
            };
            let put = cache.put(&record(id, next, b"value"), expect).await;
            put.map(|outcome| u64::from(outcome == Outcome::Stored))
        }
        _ => cache.remove(&id, None).await.map(|it| u64::from(it == Removal::Removed)),
    };
    done.map_or_else(|error| format!("error {error}"), |number| number.to_string())
}
