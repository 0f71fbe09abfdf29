//! Looks for stale reads: one server, three processes with a cache that hears of changes, and a
//! random load of logins, writes, revocations and reads, all answers of which are checked.
//!
//! `cargo run --release -p session-redis --example stale -- --seconds 60`
//!
//! Every half second the connection over which one of the processes hears of changes is killed.
//! With `--deaf` no process hears of changes, and the program must fail.
//!
//! `--machine` freezes a master together with one of its three Sentinels, and shows when eight
//! workers and a cache are back; `--pause` pauses the server, and shows what that costs caches and
//! connections.

#![expect(clippy::expect_used, reason = "a harness fails by panicking")]

mod child;
mod history;
mod load;
mod outage;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use session_cache::Coherence;

use self::load::{Found, Load};

/// The longest a read may be behind: one and a half heartbeats.
const BOUND: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["child", socket, url] => child::serve(socket, url, Coherence::Watching),
        ["child", socket, url, "--deaf"] => child::serve(socket, url, Coherence::Exclusive),
        [] => run(20, false),
        ["--seconds", seconds] => run(seconds.parse().expect("a number of seconds"), false),
        ["--deaf"] => run(20, true),
        ["--machine"] => outage::machine(),
        ["--pause"] => outage::pause(),
        _ => panic!("the flags are `--seconds N`, `--deaf`, `--machine` and `--pause`"),
    }
}

fn run(seconds: u64, deaf: bool) -> ExitCode {
    let server = support::Server::start(&[]);
    let load = Load::start(&server, deaf);
    let ends = Instant::now() + Duration::from_secs(seconds);
    let mut killed = 0;
    while Instant::now() < ends && load.runs(Duration::from_millis(500)) {
        killed += u32::from(kill_a_feed(&server));
    }
    let (found, hits, misses) = load.end();
    report(&found, killed, hits, misses);
    if found.violations.is_empty() && !found.seen.is_empty() {
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}

/// Kills the connection over which one process hears of changes.
fn kill_a_feed(server: &support::Server) -> bool {
    let mut connection = server.connect();
    let clients: String = support::ask(&mut connection, &["CLIENT", "LIST"]);
    let feed = clients.lines().find(|client| client.contains(" name=session:feed "));
    let Some(id) = feed.and_then(|it| it.strip_prefix("id=")?.split(' ').next()) else {
        return false;
    };
    support::ask::<i64>(&mut connection, &["CLIENT", "KILL", "ID", id]) == 1
}

#[expect(clippy::print_stdout, reason = "a program that is started by hand tells what it saw")]
fn report(found: &Found, killed: u32, hits: u64, misses: u64) {
    let mut seen = found.seen.clone();
    seen.sort();
    let at = |part: usize| seen.get((seen.len().saturating_sub(1)) * part / 1_000).copied();
    println!("writes, revocations and logins    {}", found.writes);
    println!("reads that were checked           {}", found.reads);
    println!("answered from a cache             {:.1} %", percent(hits, hits + misses));
    println!("connections of the feed killed    {killed}");
    println!(
        "from the answer of a write until the other processes honoured it, as they were asked:"
    );
    for (name, part) in [("median", 500), ("99 %", 990), ("worst", 1_000)] {
        println!("  {name:<31} {:?}", at(part).unwrap_or_default());
    }
    println!("reads that began after a write was answered and did not see it:");
    println!("  {:<31} {}", "count", found.stale.len());
    println!("  {:<31} {:?}", "worst", found.stale.iter().max().copied().unwrap_or_default());
    println!("reads staler than {BOUND:?}, or wrong: {}", found.violations.len());
    for violation in found.violations.iter().take(10) {
        println!("  {violation}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
