//! What a request costs: this project on Redis and other libraries on Redis, each in a process of
//! its own before the same server, asked the same in the same run.

mod meter;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use self::meter::Meter;
use crate::{Result, client::Client, process::Process, redis::Redis, servers::Peer};

/// Requests one after another, to count round trips: each is one read of the server then.
const SINGLE: u32 = 500;
/// Browsers that ask at the same time, each with a session of its own.
const BROWSERS: usize = 16;
const BUSY: Duration = Duration::from_secs(4);

pub fn compare() -> Result<()> {
    println!(
        "| sessions | handler | round trips | commands | bytes to Redis | bytes from Redis | requests per second | CPU per request |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for peer in Peer::all().filter(|peer| peer.is_on_redis()) {
        // A server each, so that nobody pays for what another one left.
        let redis = Redis::start()?.ok_or("redis-server is not on the PATH")?;
        let mut server = Process::start(peer, &redis.url, 2, None)?;
        measure(peer, &mut server, &redis)?;
    }
    Ok(())
}

fn measure(peer: Peer, server: &mut Process, redis: &Redis) -> Result<()> {
    let mut meter = Meter::connect(redis)?;
    for (name, path) in [("no session", "/plain"), ("reads", "/count"), ("writes", "/increment")] {
        let mut client = Client::with_session(&server.address)?;
        for _ in 0..50 {
            client.post(path)?;
        }
        let cost = meter.of(|| {
            for _ in 0..SINGLE {
                client.post(path)?;
            }
            Ok(())
        })?;
        let each = |count: u64| count as f64 / f64::from(SINGLE);
        let (rate, cpu) = busy(server, path)?;
        println!(
            "| {} | {name} | {:.2} | {:.2} | {:.0} | {:.0} | {rate:.0} | {cpu:.0} us |",
            peer.name(),
            each(cost.reads),
            each(cost.commands),
            each(cost.bytes_in),
            each(cost.bytes_out),
        );
    }
    Ok(())
}

/// Requests per second, and microseconds of processor time for each, of a server that is busy.
fn busy(server: &mut Process, path: &'static str) -> Result<(f64, f64)> {
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let browsers: Vec<_> = (0..BROWSERS)
        .map(|_| {
            let mut client = Client::with_session(&server.address)?;
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            Ok(thread::spawn(move || {
                while !stop.load(Relaxed) {
                    client.post(path).map_err(|error| error.to_string())?;
                    done.fetch_add(1, Relaxed);
                }
                Ok::<(), String>(())
            }))
        })
        .collect::<Result<_>>()?;
    thread::park_timeout(BUSY / 4);
    let (began, from, used) = (Instant::now(), done.load(Relaxed), server.cpu_time()?);
    thread::park_timeout(BUSY);
    let (took, to, used_then) = (began.elapsed(), done.load(Relaxed), server.cpu_time()?);
    stop.store(true, Relaxed);
    for browser in browsers {
        browser.join().map_err(|_| "a browser panicked")??;
    }
    let requests = (to - from) as f64;
    Ok((requests / took.as_secs_f64(), (used_then - used).as_secs_f64() * 1e6 / requests))
}
