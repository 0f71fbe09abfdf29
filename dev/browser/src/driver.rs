//! `chromedriver`, which speaks `WebDriver` to programs and starts browsers.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};

/// A `chromedriver` of this test alone; killed when dropped, with the browsers it started.
#[derive(Debug)]
pub struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    /// Starts it on a free port.
    pub fn start() -> Self {
        let program = find("chromedriver");
        let mut process = Command::new(program)
            .arg("--port=0")
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromedriver starts");
        let mut out = BufReader::new(process.stdout.take().expect("piped"));
        let port = loop {
            let mut line = String::new();
            let read = out.read_line(&mut line).expect("chromedriver says where it listens");
            assert!(read > 0, "chromedriver ended at once");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim().trim_end_matches('.').parse().expect("a number");
            }
        };
        // What else it says is read, so that it never waits for a reader.
        thread::spawn(move || std::io::copy(&mut out.by_ref(), &mut std::io::sink()));
        Self { process, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        // Also where there is no such command.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A program in one of the folders of `PATH`.
pub(crate) fn find(program: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!("no {program} here: `cargo xtask test` installs it, or tells how")
        })
}
