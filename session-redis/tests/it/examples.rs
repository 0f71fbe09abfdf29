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
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_example_for_one_server_runs() {
    let server = Server::start(&[]);
    runs(Command::new(example("single")).arg(server.url()));
}

#[cfg(feature = "cluster")]
#[test]
fn the_example_for_a_cluster_runs() {
    let cluster = crate::support::Cluster::start(3, false);
    runs(Command::new(example("cluster")).args(cluster.urls()));
}
