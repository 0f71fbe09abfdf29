//! What happens when requests of one browser overlap: this project's sessions and other libraries',
//! each behind a real server, asked the same in the same run.
//!
//! `cargo xtask peers` runs it and prints a table. Redis is used if `redis-server` is on the
//! machine. `cargo xtask peers cost` prints what a request costs on Redis instead, and
//! `cargo xtask bench` asks for what the servers stand under load.

mod browser;
mod client;
mod cost;
mod http;
mod process;
mod redis;
mod servers;

use browser::Browser;
use servers::Peer;

const PARALLEL: usize = 200;

#[tokio::main]
async fn main() -> Result<()> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => overlap().await,
        ["cost"] => cost::compare(),
        ["http"] => http::run(),
        ["serve", name, redis, workers, core] => process::serve(name, redis, workers, core),
        _ => Err("it takes no word, or `cost`, or `http`".into()),
    }
}

async fn overlap() -> Result<()> {
    let redis = redis::Redis::start()?;
    let url = redis.as_ref().map(|redis| redis.url.as_str());
    println!(
        "| sessions | of {PARALLEL} parallel writes of different keys, kept | of {PARALLEL} parallel increments, counted | a slow write after a logout | a slow write after a login |"
    );
    println!("| --- | --- | --- | --- | --- |");
    for peer in Peer::overlapping() {
        if peer.is_on_redis() && redis.is_none() {
            continue;
        }
        let server = peer.serve(url, 2)?;
        let kept = kept(&server.url).await?;
        let counted = counted(&server.url).await?;
        let logout = slow_write(&server.url, "logout").await?;
        let login = slow_write(&server.url, "renew").await?;
        println!("| {} | {kept} | {counted} | {logout} | {login} |", peer.name());
    }
    if redis.is_none() {
        println!(
            "\nLeft out, since there is no redis-server on this machine: the stores on Redis."
        );
    }
    Ok(())
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How many of many values written at once are there afterwards.
async fn kept(url: &str) -> Result<usize> {
    let browser = Browser::new(url);
    browser.post("/set/first").await?;
    let writes = (0..PARALLEL).map(|at| browser.send_all(format!("/set/key{at}")));
    browser.settle(writes).await?;
    let keys = browser.post("/keys").await?.text;
    Ok(keys.split(',').filter(|key| key.starts_with("key")).count())
}

/// What a counter shows that was incremented many times at once.
async fn counted(url: &str) -> Result<usize> {
    let browser = Browser::new(url);
    browser.post("/set/first").await?;
    let increments = (0..PARALLEL).map(|_| browser.send_all("/increment".into()));
    browser.settle(increments).await?;
    Ok(browser.post("/count").await?.text.parse()?)
}

/// A request is opened, the session is ended or renewed by another, and then the first one writes.
async fn slow_write(url: &str, meanwhile: &str) -> Result<&'static str> {
    let browser = Browser::new(url);
    browser.post("/set/private").await?;
    let before = browser.cookie();
    let slow = browser.clone_with(&before);
    let slow = tokio::spawn(async move {
        let answer = slow.post("/slow/planted").await.map_err(|error| error.to_string());
        (slow, answer)
    });
    // The server answers this one when the slow request is in its handler.
    browser.clone_with("").post("/entered").await?;
    browser.post(&format!("/{meanwhile}")).await?;
    browser.clone_with("").post("/release").await?;
    let (slow, answer) = slow.await?;
    let answer = answer?;
    // All that anybody may have afterwards: the cookie from before, the one of the slow answer, the one after a login.
    let replay = async |cookie: &str| -> Result<String> {
        Ok(browser.clone_with(cookie).post("/keys").await?.text)
    };
    let old = replay(&before).await?;
    let given = replay(&slow.cookie()).await?;
    let own = browser.post("/keys").await?.text;
    Ok(if meanwhile == "logout" {
        match (old.contains("private") || given.contains("private"), given.contains("planted")) {
            (true, _) => "brings the session back",
            (false, true) => "gets a session of its own",
            (false, false) if answer.status == 409 => "stores nothing and is told so (409)",
            (false, false) => "stores nothing",
        }
    } else {
        match (own.contains("planted"), old.contains("private")) {
            (true, _) => "is in the session after the login",
            (false, true) => "keeps the session from before alive",
            (false, false) if given.contains("planted") => "gets a session of its own",
            (false, false) if answer.status == 409 => "stores nothing and is told so (409)",
            (false, false) => "stores nothing",
        }
    })
}
