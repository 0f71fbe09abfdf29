//! The examples run.

use std::{path::PathBuf, process::Command};

use crate::support::Server;

/// Built by cargo together with this test, two folders up from it.
fn example(name: &str) -> PathBuf {
    let here = std::env::current_exe().expect("a test has a path");
    let profile = here.ancestors().nth(2).expect("target/PROFILE/deps/it");
    let program = profile.join("examples").join(name);
    assert!(
        program.exists(),
        "build it first: cargo build -p session-redis --all-features --examples"
    );
    program
}

#[track_caller]
fn runs(command: &mut Command) {
    let output = command.output().expect("it starts");
    let (out, err) = (&output.stdout, &output.stderr);
    let said = [out, err].map(|it| String::from_utf8_lossy(it));
    assert!(output.status.success(), "{said:?}");
}

#[test]
fn the_example_for_one_server_runs() {
    let server = Server::start(&[]);
    runs(Command::new(example("single")).arg(server.url()));
}

#[test]
fn the_example_for_a_cluster_runs() {
    let cluster = crate::support::Cluster::start(3, false);
    runs(Command::new(example("cluster")).args(cluster.urls()));
}

#[test]
fn the_example_for_sentinels_runs() {
    let master = Server::start(&[]);
    let sentinel = Server::sentinel("sessions", &master);
    runs(Command::new(example("sentinel")).args(["sessions", &sentinel.url()]));
}

#[cfg(feature = "tls")]
#[test]
fn the_example_for_tls_runs() {
    let server = crate::support::TlsServer::start();
    runs(Command::new(example("tls")).arg(&server.url).arg(&server.certificate));
}

#[test]
fn three_processes_with_caches_serve_nothing_stale() {
    runs(Command::new(example("stale")).args(["--seconds", "2"]));
}

#[test]
fn caches_that_hear_of_no_change_are_caught() {
    let output = Command::new(example("stale")).arg("--deaf").output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && said.contains("behind"), "{said}");
}
