//! The demo over TLS.

use tempfile::TempDir;

/// The demo, over TLS, on a folder and a port of its own; killed when dropped.
#[derive(Debug)]
pub struct Demo {
    demo: testkit::Demo,
    _folder: TempDir,
}

impl Demo {
    /// Starts it on an empty folder and a free port.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// As [`start`](Self::start), with more flags.
    pub fn start_with(flags: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let demo = testkit::Demo::start(folder.path(), &[&["--tls"], flags].concat());
        Self { demo, _folder: folder }
    }

    /// `kill -9`, and started again on the same folder and port.
    pub fn restart_after_kill_9(&mut self) {
        self.demo.restart_after_kill_9();
    }

    /// Where it listens, without a slash at the end.
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.demo.addr.port())
    }
}
