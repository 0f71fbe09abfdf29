//! The demo as it is shipped, in a process of its own.

use std::{
    env,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use crate::Browser;

/// The demo on a folder, killed when dropped.
#[derive(Debug)]
pub struct Demo {
    command: Command,
    process: Child,
    /// Where it listens.
    pub addr: SocketAddr,
}

impl Demo {
    /// Starts it on a free port of 127.0.0.1, with its sessions and its key in `folder`.
    pub fn start(folder: &Path, flags: &[&str]) -> Self {
        let mut command = Command::new(demo());
        command
            .args(["--addr", "127.0.0.1:0", "--workers", "2"])
            .args(["--store", &format!("fs:{}", folder.join("sessions").display())])
            .args(["--key-file", &folder.join("key").display().to_string()])
            .args(flags)
            .stdout(Stdio::piped());
        let (process, addr) = serve(&mut command);
        Self { command, process, addr }
    }

    /// So many processes on one folder.
    pub fn several(count: usize, folder: &Path) -> Vec<Self> {
        (0..count).map(|_| Self::start(folder, &[])).collect()
    }

    /// A client without a cookie.
    pub fn browser(&self) -> Browser {
        Browser::new(self.addr)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// `kill -9`, and started again on the same folder and port.
    pub fn restart_after_kill_9(&mut self) {
        self.kill();
        // Of a flag that is given twice the last one counts.
        self.command.args(["--addr", &self.addr.to_string()]);
        (self.process, self.addr) = serve(&mut self.command);
    }

    /// SIGTERM; returns the exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill is there");
        assert!(sent.success());
        self.process.wait().expect("it ends").code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.kill();
    }
}

fn serve(command: &mut Command) -> (Child, SocketAddr) {
    let mut process = command.spawn().expect("the demo starts");
    let mut line = String::new();
    let out = process.stdout.take().expect("piped");
    BufReader::new(out).read_line(&mut line).expect("the demo says where it listens");
    let addr = line.trim().rsplit("//").next().and_then(|addr| addr.parse().ok());
    (process, addr.unwrap_or_else(|| panic!("no address in {line:?}")))
}

/// The program, built once, as it is now, whatever an earlier build left.
pub fn demo() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        // With the features of the whole workspace, as `cargo xtask test` builds everything.
        let built = cargo()
            .args(["build", "--quiet", "--workspace", "--all-features", "--bin", "demo-actix"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .status();
        assert!(built.expect("cargo starts").success(), "the demo is not built");
        let here = env::current_exe().expect("a test has a path");
        let profile = here.parent().and_then(Path::parent).expect("target/PROFILE/deps/test");
        profile.join("demo-actix")
    })
}

/// Cargo, as it is called by hand: without what it says of the package of a test, for build scripts
/// that ask for the same names (that of ring does) would run again.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}
