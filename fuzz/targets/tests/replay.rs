//! What the fuzzer found before, replayed: the inputs that reach all code it ever reached, and
//! those that were a finding once.

#![expect(clippy::print_stdout, reason = "the last input that is printed is the one that failed")]
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use fuzz_targets::TARGETS;

/// Runs a target on each file of a folder, and tells how many there were.
fn replay(folder: &str, name: &str, target: fuzz_targets::Target) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join(name);
    let Ok(files) = fs::read_dir(folder) else { return 0 };
    let mut inputs = 0;
    for file in files.flatten() {
        println!("{}", file.path().display());
        target(&fs::read(file.path()).expect("an input can be read"));
        inputs += 1;
    }
    inputs
}

#[test]
fn every_corpus_passes() {
    for (name, target) in TARGETS {
        assert!(replay("corpus", name, target) > 0, "{name} has a corpus");
    }
}

#[test]
fn what_was_a_finding_once_is_none() {
    for (name, target) in TARGETS {
        replay("crashes", name, target);
    }
}
