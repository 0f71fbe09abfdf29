//! What each server stands under load, measured on demand: `cargo xtask bench` says what and when.
//!
//! First it prints a line for each server there is, and an empty one. Then it answers each line of
//! its input, `SERVER <tab> HANDLER <tab> SECONDS`, with one line, `NAME=VALUE ..`. Servers are
//! started when they are first asked for and go on until the end, so that they can be asked in
//! turns.

mod wrk;

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    Result,
    client::Client,
    process::{self, Process},
    redis::Redis,
    servers::Peer,
};

/// Valid cookies, each of a session of its own.
const SESSIONS: usize = 1_000;

/// Of which so many are looked at after each load.
const CHECKED: usize = 20;

pub fn run() -> Result<()> {
    let server_core = divide_cores()?;
    for peer in Peer::all() {
        println!("{}", description(peer));
    }
    println!();
    let folder = tempfile::tempdir()?;
    let mut stands = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let fields: Vec<_> = line.split('\t').collect();
        let [name, handler, seconds] = fields[..] else { return Err("no such order".into()) };
        let peer = Peer::all().find(|peer| peer.name() == name);
        let peer = peer.ok_or_else(|| format!("there is no server {name}"))?;
        if !stands.contains_key(name) {
            let cookies = folder.path().join(format!("cookies-{}", stands.len()));
            stands.insert(name.to_owned(), Stand::start(peer, cookies, server_core)?);
        }
        let stand = stands.get_mut(name).ok_or("no such server")?;
        let seconds = seconds.parse()?;
        let mut measure = || stand.measure(handler, folder.path(), seconds);
        // What disturbs the machine may cost a turn, but not the run.
        let answer = measure().or_else(|error| {
            eprintln!("{name}, {handler}: {error}; once more");
            measure()
        });
        let answer = answer.map_err(|error| format!("{name}, {handler}: {error}"))?;
        writeln!(std::io::stdout(), "{answer}")?;
    }
    Ok(())
}

/// Servers get one core, and everything else another: with both on both, the scheduler's choices
/// are a part of what is measured. Returns the core of the servers, if there are two.
fn divide_cores() -> Result<Option<usize>> {
    let [servers, rest, ..] = process::cores()?[..] else { return Ok(None) };
    process::stay_on(rest)?;
    Ok(Some(servers))
}

/// `name`, `ours` or `peer` or `bare`, durability, base, setting.
fn description(peer: Peer) -> String {
    let side = match (peer.keeps_sessions(), peer.is_ours()) {
        (false, _) => "bare",
        (true, true) => "ours",
        (true, false) => "peer",
    };
    [peer.name(), side, peer.durability(), peer.base().name(), peer.setting()].join("\t")
}

/// A server, and what it is asked with.
struct Stand {
    server: Process,
    cookies: PathBuf,
    /// Some of them.
    looked_at: Vec<String>,
    /// After the server, which is to end first.
    redis: Option<Redis>,
}

impl Stand {
    fn start(peer: Peer, cookies: PathBuf, core: Option<usize>) -> Result<Self> {
        // A server of Redis each, so that nobody pays for what another one left.
        let redis = if peer.is_on_redis() {
            Some(Redis::start()?.ok_or("redis-server is not on the PATH")?)
        } else {
            None
        };
        let url = redis.as_ref().map_or("", |redis| &redis.url);
        let server = Process::start(peer, url, 1, core)?;
        let all = if peer.keeps_sessions() {
            sessions(&server.address)?
        } else {
            (0..SESSIONS).map(|number| format!("sid={number:064}")).collect()
        };
        fs::write(&cookies, all.join("\n"))?;
        let looked_at = if peer.keeps_sessions() { CHECKED } else { 0 };
        let step = SESSIONS / CHECKED;
        let looked_at = all.into_iter().step_by(step).take(looked_at).collect();
        Ok(Self { server, cookies, looked_at, redis })
    }

    fn measure(&mut self, handler: &str, folder: &Path, seconds: u32) -> Result<String> {
        let path = match handler {
            "plain" => "/plain",
            "read" => "/count",
            "write" => "/increment",
            _ => return Err("there is no such handler".into()),
        };
        let before = self.cpu_time()?;
        let load = wrk::ask(&self.server.address, path, folder, &self.cookies, seconds)?;
        let cpu = (self.cpu_time()? - before).as_secs_f64() * 1e6;
        self.look()?;
        Ok(format!(
            "rate={:.1} p50={} p99={} cpu={:.4}",
            load.requests as f64 / load.seconds,
            load.p50,
            load.p99,
            cpu / load.requests as f64
        ))
    }

    /// Of the server, and of its Redis: who hands work to another process has not saved it.
    fn cpu_time(&mut self) -> Result<Duration> {
        let redis = self.redis.as_ref().map(Redis::cpu_time).transpose()?;
        Ok(self.server.cpu_time()? + redis.unwrap_or_default())
    }

    /// Whether the cookies still name sessions: a server that has lost them is quick.
    fn look(&self) -> Result<()> {
        let mut client = Client::connect(&self.server.address)?;
        for cookie in &self.looked_at {
            client.resume(cookie);
            if client.post("/count")?.parse::<u64>()? == 0 {
                return Err("a session is gone".into());
            }
        }
        Ok(())
    }
}

/// Each is asked for once more, so that what is done at the first look is done.
fn sessions(address: &str) -> Result<Vec<String>> {
    let mut client = Client::connect(address)?;
    let made = (0..SESSIONS).map(|_| {
        let cookie = client.new_session("/fill")?.to_owned();
        client.post("/count")?;
        Ok(cookie)
    });
    made.collect()
}
