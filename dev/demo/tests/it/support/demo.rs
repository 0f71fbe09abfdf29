//! The demo as it is shipped, in a process of its own.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use testkit::Browser;

/// The demo, on a folder of its own.
pub(crate) struct Demo {
    process: Child,
    pub(crate) addr: SocketAddr,
}

impl Demo {
    pub(crate) fn start(folder: &Path, flags: &[&str]) -> Self {
        let mut process = Command::new(PROGRAM)
            .args(["--addr", "127.0.0.1:0", "--workers", "2"])
            .args(["--store", &format!("fs:{}", folder.join("sessions").display())])
            .args(["--key-file", &folder.join("key").display().to_string()])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the demo starts");
        let mut line = String::new();
        let out = process.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("the demo says where it listens");
        let addr = line.trim().rsplit("//").next().and_then(|addr| addr.parse().ok());
        Self { process, addr: addr.unwrap_or_else(|| panic!("no address in {line:?}")) }
    }

    /// So many processes on one folder.
    pub(crate) fn several(count: usize, folder: &Path) -> Vec<Self> {
        (0..count).map(|_| Self::start(folder, &[])).collect()
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.addr)
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }

    /// SIGTERM; returns the exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill is there");
        assert!(sent.success());
        self.process.wait().expect("it ends").code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Built by cargo together with this test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_demo-actix");
