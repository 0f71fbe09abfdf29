//! The example, as a program of its own that somebody logs in to.

use std::{
    env, fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

const EXAMPLE: &str = include_str!("../../examples/identity.rs");

/// What the README says, with the features of actix-web alone that the example needs.
const MANIFEST: &str = r#"
[package]
name = "identity"
version = "0.0.0"
edition = "2024"

[dependencies]
actix-identity = "0.9"
actix-session = { version = "0.11", default-features = false }
actix-web = { version = "4", default-features = false, features = ["macros", "secure-cookies"] }
session-actix-compat = "0.1"
session-core = "0.1"
session-fs = "0.1"

[workspace]

[patch.crates-io]
session-actix-compat.path = "HERE/session-actix-compat"
session-core.path = "HERE/session-core"
session-fs.path = "HERE/session-fs"
"#;

/// The program, stopped when dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Builds it on a port of its own, since what else runs here may use 8080, and starts it.
fn start() -> (Program, SocketAddr) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    // Always the same folder, so that nothing is compiled twice.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("identity");
    let _ = fs::remove_dir_all(folder.join("sessions"));
    fs::create_dir_all(folder.join("src")).unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(EXAMPLE.contains("127.0.0.1:8080"));
    let program = EXAMPLE.replace("127.0.0.1:8080", &address.to_string());
    fs::write(folder.join("src/main.rs"), program).unwrap();
    let manifest = MANIFEST.replace("HERE", &here.display().to_string());
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    // Nothing is asked of a registry: what the workspace was built with is there.
    fs::copy(here.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    fs::write(folder.join("session.key"), (0..96).collect::<Vec<u8>>()).unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let built = testkit::cargo()
        .args(["build", "--quiet", "--offline", "--target-dir"])
        .arg(target)
        .current_dir(&folder)
        .status();
    assert!(built.unwrap().success(), "it does not compile");
    let process = Command::new(target.join("debug/identity")).current_dir(&folder).spawn();
    let mut program = Program(process.unwrap());
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert_eq!(program.0.try_wait().unwrap(), None, "the program ended");
        assert!(started.elapsed() < Duration::from_secs(60), "nobody listens");
        thread::yield_now();
    }
    (program, address)
}

/// The head and the body of an answer to a request with these cookies.
fn ask(address: SocketAddr, line: &str, cookies: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 0\r\n\
         Cookie: {cookies}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_example_logs_in_and_out() {
    let (_program, address) = start();
    let is = |answer: &str, status: &str| answer.starts_with(&format!("HTTP/1.1 {status} "));
    assert!(is(&ask(address, "GET /", ""), "401"));
    let login = ask(address, "POST /login/ada", "");
    assert!(is(&login, "204"), "{login}");
    let set = login.lines().find_map(|line| line.split_once("set-cookie: ")).unwrap().1;
    let cookie = set.split(';').next().unwrap();
    let page = ask(address, "GET /", cookie);
    assert!(page.ends_with("\r\n\r\nada\n"), "{page}");
    assert!(is(&ask(address, "POST /logout", cookie), "204"));
    assert!(is(&ask(address, "GET /", cookie), "401"), "the session ended on the server");
}
