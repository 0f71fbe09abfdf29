//! HTTP clients of other people, each with its own cookie jar.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::driver::find;

/// What a client got at the end of all redirects, and what its jar holds then.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// The status of the last response.
    pub status: u16,
    /// The body of the last response.
    pub body: String,
    /// How many redirects were followed.
    pub redirects: u64,
    /// The value of the session's cookie in the jar.
    pub token: Option<String>,
}

/// A client that keeps cookies and follows redirects.
pub trait Client {
    /// Sends a request with what is in the jar.
    fn send(&mut self, method: &str, url: &str, body: &str) -> Answer;
}

/// curl, a new process for each request; the jar is a file.
#[derive(Debug)]
pub struct Curl {
    folder: TempDir,
}

impl Curl {
    /// With an empty jar.
    pub fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder") }
    }

    /// One more with a copy of the jar.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        fs::copy(self.jar(), copy.jar()).expect("there is a jar");
        copy
    }

    /// The line of the session's cookie in the jar, split into its seven columns.
    pub fn cookie(&self) -> Option<Vec<String>> {
        let jar = fs::read_to_string(self.jar()).unwrap_or_default();
        let mut lines = jar.lines().map(|line| line.split('\t').map(str::to_owned).collect());
        lines.find(|line: &Vec<String>| line.len() == 7 && line[5] == "__Host-sid")
    }

    fn jar(&self) -> PathBuf {
        self.folder.path().join("jar")
    }
}

impl Default for Curl {
    fn default() -> Self {
        Self::new()
    }
}

impl Client for Curl {
    fn send(&mut self, method: &str, url: &str, body: &str) -> Answer {
        let mut command = Command::new(find("curl"));
        // No settings of this machine; the demo's certificate is its own.
        command.args(["--disable", "--silent", "--show-error", "--insecure", "--location"]);
        command.args(["--noproxy", "*", "--max-time", "60"]);
        command.args(["--write-out", "\n%{http_code} %{num_redirects}"]);
        command.arg("--cookie").arg(self.jar()).arg("--cookie-jar").arg(self.jar());
        match method {
            // `--request` would hold for what a redirect leads to, too.
            "GET" => {}
            "POST" => {
                command.args(["--data-binary", body]);
            }
            _ => {
                command.args(["--request", method, "--data-binary", body]);
            }
        }
        let output = command.arg(url).output().expect("curl starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("the demo speaks UTF-8");
        let (body, rest) = text.rsplit_once('\n').expect("what --write-out writes");
        let (status, redirects) = rest.split_once(' ').expect("two numbers");
        Answer {
            status: status.parse().expect("a number"),
            body: body.to_owned(),
            redirects: redirects.parse().expect("a number"),
            token: self.cookie().map(|mut columns| columns.remove(6)),
        }
    }
}

/// Python's requests: one `requests.Session` in a process that lives as long as this.
#[derive(Debug)]
pub struct Requests {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Requests {
    /// With an empty jar.
    pub fn new() -> Self {
        let mut process = Command::new(python())
            .args(["-c", include_str!("requests.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let to = process.stdin.take().expect("piped");
        let from = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, to, from }
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self::new()
    }
}

impl Client for Requests {
    fn send(&mut self, method: &str, url: &str, body: &str) -> Answer {
        writeln!(self.to, "{}", json!([method, url, body])).expect("Python reads");
        let mut line = String::new();
        self.from.read_line(&mut line).expect("Python answers");
        let answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error} in {line:?}: see what Python wrote above"));
        let number = |name: &str| answer[name].as_u64().expect("a number");
        assert!(number("cookies") < 2, "{answer}");
        Answer {
            status: u16::try_from(number("status")).expect("a status"),
            body: answer["body"].as_str().expect("a text").to_owned(),
            redirects: number("redirects"),
            token: answer["token"].as_str().map(str::to_owned),
        }
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The first Python that has requests: that of `PATH`, or the one Debian's packages belong to.
fn python() -> &'static str {
    let has_requests = |python: &&str| {
        let asked =
            Command::new(python).args(["-c", "import requests"]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    ["python3", "/usr/bin/python3"].into_iter().find(has_requests).unwrap_or_else(|| {
        panic!("no Python with requests here: `cargo xtask test` installs it, or tells how")
    })
}
