//! A project of a user, who starts it outside of this repository.

use std::{
    fmt::Write,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use super::Browser;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A program on a port of its own, stopped when dropped.
pub(crate) struct Program {
    process: Child,
    pub(crate) address: SocketAddr,
    folder: PathBuf,
    binary: PathBuf,
}

impl Program {
    /// Builds `program`, with these dependencies, and starts it with a key and no sessions.
    pub(crate) fn start(name: &str, dependencies: &str, program: &str) -> Self {
        // Always the same folder, so that nothing is compiled twice.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(folder.join("sessions"));
        // A port that was free a moment ago; what else runs here may use 8080.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(program.contains("127.0.0.1:8080"));
        let program = program.replace("127.0.0.1:8080", &address.to_string());
        write_project(&folder, name, dependencies, &program);
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let built = testkit::cargo()
            .args(["build", "--quiet", "--offline", "--target-dir"])
            .arg(target)
            .current_dir(&folder)
            .status()
            .unwrap();
        assert!(built.success(), "{name} does not compile with its dependencies");
        fs::write(folder.join("session.key"), (0..32).collect::<Vec<u8>>()).unwrap();
        let binary = target.join("debug").join(name);
        let log = fs::File::create(folder.join("log")).unwrap();
        let process = Command::new(&binary).current_dir(&folder).stdout(log).spawn().unwrap();
        let mut program = Self { process, address, folder, binary };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert_eq!(program.process.try_wait().unwrap(), None, "the program ended");
            assert!(started.elapsed() < Duration::from_secs(60), "nobody listens");
            thread::yield_now();
        }
        program
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }

    /// What it says when it is started once more, without its key.
    pub(crate) fn says_without_a_key(&self) -> String {
        fs::remove_file(self.folder.join("session.key")).unwrap();
        let output = Command::new(&self.binary).current_dir(&self.folder).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.address)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Writes a new project, with the crates as they are here in place of the released ones.
fn write_project(folder: &Path, name: &str, dependencies: &str, program: &str) {
    let here = Path::new(WORKSPACE).canonicalize().unwrap();
    let mut manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n{dependencies}\n\
         [workspace]\n\n[patch.crates-io]\n",
    );
    for name in ["session-actix", "session-core", "session-fs"] {
        let path = here.join(name);
        writeln!(manifest, "{name}.path = \"{}\"", path.display()).unwrap();
    }
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("src/main.rs"), program).unwrap();
    // Nothing is asked of a registry: what the workspace was built with is there.
    fs::copy(here.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
}
