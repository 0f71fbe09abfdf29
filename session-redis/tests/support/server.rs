//! One server.

use std::{
    io::{BufRead, BufReader, ErrorKind},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use redis::{Client, Connection, FromRedisValue, Value, cmd};
use tempfile::TempDir;

use super::until;

/// A running `redis-server` or `valkey-server`, with a folder of its own for its data.
pub(crate) struct Server {
    running: Running,
    pub(crate) port: u16,
    args: Vec<String>,
    folder: TempDir,
}

struct Running {
    /// A shell that kills the server when nobody holds the other end of its input any more: also
    /// when the test was killed.
    shell: Child,
    pid: u32,
}

impl Server {
    /// Starts a server with these arguments, beside those that give it a port and a folder.
    pub(crate) fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for a server");
        let args: Vec<_> = ["--save", ""].iter().chain(args).map(|arg| (*arg).to_owned()).collect();
        // Between looking for a free port and using it, somebody else may take it.
        let (port, running) = (0..10)
            .find_map(|_| {
                let port = free_port();
                Running::start(folder.path(), port, &args).map(|running| (port, running))
            })
            .expect("a free port");
        Self { running, port, args, folder }
    }

    /// Starts a Sentinel that watches `master` under `name`, and alone decides that it is down.
    pub(crate) fn sentinel(name: &str, master: &Self) -> Self {
        let folder = tempfile::tempdir().expect("a folder for a Sentinel");
        let port = free_port();
        let config = format!(
            "port {port}\nsentinel monitor {name} 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds {name} 500\nsentinel failover-timeout {name} 3000\n",
            master.port
        );
        std::fs::write(folder.path().join("sentinel.conf"), config).expect("a configuration");
        let args: Vec<_> = ["sentinel.conf", "--sentinel"].map(str::to_owned).into();
        let running = Running::start(folder.path(), port, &args).expect("a free port");
        Self { running, port, args, folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.pid
    }

    /// A connection of the test's own.
    pub(crate) fn connect(&self) -> Connection {
        until("a connection", || connect(self.port))
    }

    /// Asks the server over a connection of the test's own.
    pub(crate) fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        ask(&mut self.connect(), words)
    }

    /// Whether it is a master. Sentinels end all connections of a server whose role they change.
    pub(crate) fn leads(&self) -> bool {
        let ask = |mut connection| cmd("INFO").arg("replication").query::<String>(&mut connection);
        connect(self.port).is_some_and(|it| ask(it).is_ok_and(|info| info.contains("role:master")))
    }

    /// Sends a signal to the server: `KILL`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("kill").args([format!("-{name}"), self.pid().to_string()]).status();
        assert!(status.expect("kill").success(), "the server is there to be signalled");
    }

    /// Starts the server again on its port and its data, once it was killed.
    pub(crate) fn restart(&mut self) {
        self.restart_with(&[]);
    }

    /// Starts the server again, with more arguments.
    pub(crate) fn restart_with(&mut self, more: &[&str]) {
        self.args.extend(more.iter().map(|arg| (*arg).to_owned()));
        self.running = until("the server is back on its port", || {
            Running::start(self.folder.path(), self.port, &self.args)
        });
    }
}

impl Running {
    /// `None` if the port is taken.
    fn start(folder: &Path, port: u16, args: &[String]) -> Option<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", KEEPER, "sh", binary()])
            .args(args)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut line = String::new();
        let output = shell.stdout.take().expect("the output of the shell");
        BufReader::new(output).read_line(&mut line).expect("the number of the server's process");
        let running = Self { shell, pid: line.trim().parse().expect("a number of a process") };
        until("the server starts or ends", || match connect(port) {
            Some(mut connection) => {
                let info: redis::RedisResult<String> =
                    cmd("INFO").arg("server").query(&mut connection);
                let ours = format!("process_id:{}\r\n", running.pid);
                Some(info.is_ok_and(|info| info.contains(&ours)))
            }
            None if running.has_ended() => Some(false),
            None => None,
        })
        .then_some(running)
    }

    fn has_ended(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.pid));
        status.map_or(true, |status| status.contains(") Z "))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().expect("the shell ends");
    }
}

/// Sends one command and expects an answer.
pub(crate) fn ask<T: FromRedisValue>(connection: &mut Connection, words: &[&str]) -> T {
    let mut command = cmd(words[0]);
    let value: Value = command
        .arg(&words[1..])
        .query(connection)
        .unwrap_or_else(|error| panic!("{}: {error}", words[0]));
    redis::from_redis_value(value).expect("an answer of the expected type")
}

fn connect(port: u16) -> Option<Connection> {
    let client = Client::open(format!("redis://127.0.0.1:{port}")).expect("a URL");
    client.get_connection_with_timeout(Duration::from_secs(5)).ok()
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("the address of the port").port()
}

/// The server that is installed.
fn binary() -> &'static str {
    let there = |name: &&&str| {
        let run = Command::new(name).arg("--version").stdout(Stdio::null()).status();
        !run.is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
    ["redis-server", "valkey-server"].iter().find(there).copied().unwrap_or_else(|| {
        panic!(
            "these tests start a server of their own, and neither redis-server nor valkey-server \
             is on the PATH: `apt-get install redis-server`"
        )
    })
}

const KEEPER: &str = "\"$@\" >>server.log 2>&1 & echo $!; read -r _; kill -9 $! 2>/dev/null; wait";
