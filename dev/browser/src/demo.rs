//! The demo in a process of its own.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use tempfile::TempDir;

/// The demo, over TLS, on a port of its own; killed when dropped.
#[derive(Debug)]
pub struct Demo {
    folder: TempDir,
    flags: Vec<String>,
    process: Child,
    port: u16,
}

impl Demo {
    /// Starts it on an empty folder and a free port.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`start`](Self::start), with more flags.
    pub fn start_with(flags: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let (process, port) = serve(folder.path(), &flags, 0);
        Self { folder, flags, process, port }
    }

    /// `kill -9`, and started again on the same folder and port.
    pub fn restart_after_kill_9(&mut self) {
        self.stop();
        (self.process, self.port) = serve(self.folder.path(), &self.flags, self.port);
    }

    /// Where it listens, without a slash at the end.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(folder: &Path, flags: &[String], port: u16) -> (Child, u16) {
    let mut process = Command::new(program())
        .args(["--tls", "--workers", "2", "--addr", &format!("localhost:{port}")])
        .args(["--store", &format!("fs:{}", folder.join("sessions").display())])
        .args(["--key-file", &folder.join("key").display().to_string()])
        .args(flags)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the demo starts");
    let mut line = String::new();
    let out = process.stdout.take().expect("piped");
    BufReader::new(out).read_line(&mut line).expect("the demo says where it listens");
    let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
    (process, port.unwrap_or_else(|| panic!("no port in {line:?}")))
}

/// Built once, as it is now, whatever an earlier build left.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // Cargo told this test about its own package. Build scripts that ask for the same names (that
        // of ring does) would run again.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&name);
            }
        }
        // With the features of the whole workspace, as `cargo xtask test` builds everything.
        let built = cargo
            .args(["build", "--quiet", "--workspace", "--all-features", "--bin", "demo-actix"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .status();
        assert!(built.expect("cargo starts").success(), "the demo is not built");
        let here = env::current_exe().expect("a test has a path");
        let profile = here.parent().and_then(Path::parent).expect("target/PROFILE/deps/test");
        profile.join("demo-actix")
    })
}
