//! What an outage costs: a machine that dies, and a server that pauses.

use std::{
    process::ExitCode,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use session_cache::{CachingSessionManager, Coherence};
use session_core::{SessionId, SessionManager};
use session_redis::{RedisConfig, RedisSessionManager};
use tokio::runtime::Builder;

use crate::support::{Server, a_moment, block_on, create, follows, new_id, record, until};

const WORKERS: usize = 8;

fn manager(config: RedisConfig) -> RedisSessionManager {
    let config = config.connection_per_worker(true);
    block_on(RedisSessionManager::with_config(&config)).expect("a manager")
}

fn cached(manager: RedisSessionManager) -> CachingSessionManager {
    CachingSessionManager::new(manager, Coherence::Watching).expect("a cache")
}

/// A master and one of three Sentinels freeze together: when each of the workers has an answer
/// again, and when the cache is used again, after the replica took over.
#[expect(clippy::print_stdout, reason = "a program that is started by hand shows what it saw")]
pub(crate) fn machine() -> ExitCode {
    let args = ["--repl-diskless-sync-delay", "0"];
    let master = Server::start(&args);
    let port = master.port.to_string();
    let replica = Server::start(&[&args[..], &["--replicaof", "127.0.0.1", &port]].concat());
    follows(&replica, &master);
    let sentinels: Vec<_> = (0..3).map(|_| Server::sentinel("sessions", &master)).collect();
    for sentinel in &sentinels {
        until("the Sentinel knows all", || {
            let info: String = sentinel.ask(&["INFO", "sentinel"]);
            (info.contains("slaves=1,sentinels=3") && info.contains("status=ok")).then_some(())
        });
    }
    let manager = manager(RedisConfig::sentinel(sentinels.iter().map(Server::url), "sessions"));
    let cache = cached(manager.clone());
    let kept = record(new_id(), 1, b"kept");
    create(&manager, &kept);
    until("the cache is on", || hits(&cache, kept.id()).then_some(()));
    let promoted: Arc<Mutex<Option<Instant>>> = Arc::default();
    let dead = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (manager, id) = (manager.clone(), *kept.id());
            let (promoted, dead) = (Arc::clone(&promoted), Arc::clone(&dead));
            thread::spawn(move || back(&manager, &id, &dead, &promoted))
        })
        .collect();
    #[expect(clippy::disallowed_methods, reason = "the workers read for a while before")]
    thread::park_timeout(Duration::from_secs(1));
    sentinels[0].signal("STOP");
    master.signal("STOP");
    dead.store(true, SeqCst);
    until("the replica takes over", || replica.leads().then_some(()));
    let began = Instant::now();
    *promoted.lock().unwrap_or_else(PoisonError::into_inner) = Some(began);
    // In what the next master has: the feed must be with it.
    let next = record(new_id(), 1, b"next");
    let stored = |outcome| outcome == session_core::Outcome::Stored;
    until("a write is taken", || {
        let put = block_on(cache.put(&next, session_core::Expect::Absent));
        put.is_ok_and(stored).then_some(())
    });
    until("the cache is on", || hits(&cache, next.id()).then_some(()));
    println!("the cache was used again {:?} after the promotion", began.elapsed());
    let mut back: Vec<_> = workers.into_iter().map(|it| it.join().expect("a worker")).collect();
    back.sort();
    println!("the workers had answers again after {back:?}");
    let in_time = back.iter().all(|back| *back <= Duration::from_secs(3));
    if in_time { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How long after the promotion a worker had its first answer.
fn back(
    manager: &RedisSessionManager,
    id: &SessionId,
    dead: &AtomicBool,
    promoted: &Mutex<Option<Instant>>,
) -> Duration {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    loop {
        let found = runtime.block_on(manager.get(id));
        let promoted = *promoted.lock().unwrap_or_else(PoisonError::into_inner);
        if let (true, Some(promoted), Ok(Some(_))) = (dead.load(SeqCst), promoted, found) {
            return promoted.elapsed();
        }
        a_moment();
    }
}

fn hits(cache: &CachingSessionManager, id: &SessionId) -> bool {
    let hits = cache.figures().hits;
    block_on(cache.get(id)).is_ok() && cache.figures().hits > hits
}

/// A server pauses for 1.7 seconds: what becomes of the caches and connections of four programs.
#[expect(clippy::print_stdout, reason = "a program that is started by hand shows what it saw")]
pub(crate) fn pause() -> ExitCode {
    let server = Server::start(&[]);
    let caches: Vec<_> = (0..4).map(|_| cached(manager(RedisConfig::new(server.url())))).collect();
    let ids: Vec<_> = (0..3_000)
        .map(|_| {
            let record = record(new_id(), 1, b"v");
            let put = block_on(caches[0].put(&record, session_core::Expect::Absent));
            assert_eq!(put.expect("put"), session_core::Outcome::Stored);
            *record.id()
        })
        .collect();
    let read = || {
        for cache in &caches {
            for id in &ids {
                block_on(cache.get(id)).expect("an answer").expect("it is there");
            }
        }
    };
    until("all is cached", || {
        read();
        caches.iter().all(|cache| cache.figures().entries >= 3_000).then_some(())
    });
    let mut connection = server.connect();
    let mut figures = || {
        let info: String = crate::support::ask(&mut connection, &["INFO", "stats"]);
        let connections = info.lines().find(|it| it.starts_with("total_connections_received"));
        let caches = caches.iter().map(CachingSessionManager::figures);
        let counted = caches.fold((0, 0), |all, it| (all.0 + it.entries, all.1 + it.loads));
        (counted, connections.unwrap_or_default().to_owned())
    };
    let before = figures();
    server.signal("STOP");
    #[expect(clippy::disallowed_methods, reason = "the pause is what it is for")]
    thread::park_timeout(Duration::from_millis(1_700));
    server.signal("CONT");
    until("all caches are used", || caches.iter().all(|it| hits(it, &ids[0])).then_some(()));
    read();
    let after = figures();
    println!("(entries, loads) and connections before the pause {before:?}");
    println!("and after it                                      {after:?}");
    if before.0.0 == after.0.0 && before.1 == after.1 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
