//! The README, followed by somebody who starts a project with it.

use std::{
    env,
    fmt::Write,
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use crate::support::Browser;

const README: &str = include_str!("../../README.md");
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The first block of code of a language, as it stands.
fn block(language: &str) -> &'static str {
    let rest = README.split_once(&format!("```{language}\n")).expect("a block of code").1;
    rest.split_once("```").expect("the end of it").0
}

/// The program of a user, stopped when dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Cargo, as it is called by hand.
fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Cargo told this test about its own package. Build scripts that ask for the same names would run
    // again.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// Writes a new project with what the README says, and the crates as they are here in place of the
/// released ones.
fn write_project(folder: &Path, address: SocketAddr) {
    let here = Path::new(WORKSPACE).canonicalize().unwrap();
    let mut manifest = format!(
        "[package]\nname = \"first-steps\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n{}\n\
         [workspace]\n\n[patch.crates-io]\n",
        block("toml")
    );
    for name in ["session-actix", "session-core", "session-fs"] {
        let path = here.join(name);
        writeln!(manifest, "{name}.path = \"{}\"", path.display()).unwrap();
    }
    let program = block("rust");
    assert!(program.contains("127.0.0.1:8080"));
    let program = program.replace("127.0.0.1:8080", &address.to_string());
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("src/main.rs"), program).unwrap();
    // Nothing is asked of a registry: what the workspace was built with is there.
    fs::copy(here.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
}

#[test]
fn the_readme_makes_a_project_that_counts_visits() {
    // Always the same folder, so that nothing is compiled twice.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("first-steps");
    let _ = fs::remove_dir_all(folder.join("sessions"));
    // A port that was free a moment ago; what else runs here may use 8080.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    write_project(&folder, address);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let built = cargo()
        .args(["build", "--quiet", "--offline", "--target-dir"])
        .arg(target)
        .current_dir(&folder)
        .status()
        .unwrap();
    assert!(built.success(), "the README's program does not compile with its dependencies");
    fs::write(folder.join("session.key"), (0..32).collect::<Vec<u8>>()).unwrap();
    let program = Command::new(target.join("debug/first-steps")).current_dir(&folder).spawn();
    let mut program = Program(program.unwrap());
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert_eq!(program.0.try_wait().unwrap(), None, "the program ended");
        assert!(started.elapsed() < Duration::from_secs(60), "nobody listens");
        thread::yield_now();
    }
    let mut browser = Browser::new(address);
    for visit in 1..=2 {
        let page = browser.get("/");
        assert_eq!((page.status, page.body), (200, format!("visit {visit}\n")));
    }
    assert_eq!(Browser::new(address).get("/").body, "visit 1\n");
}
