//! What the fuzzer found before, replayed: the inputs that reach all code it ever reached, and
//! those that were a finding once.

#![expect(clippy::print_stdout, reason = "the last input that is printed is the one that failed")]
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use fuzz_targets::TARGETS;

/// Runs a target on each file of its folder, if it has one, and tells how many there were.
fn replay(folder: &str, name: &str, target: fuzz_targets::Target) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join(name);
    if !folder.exists() {
        return 0;
    }
    let mut inputs = 0;
    for file in fs::read_dir(folder).expect("the folder can be read") {
        let file = file.expect("its entries can be read");
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
    let findings: usize =
        TARGETS.into_iter().map(|(name, target)| replay("crashes", name, target)).sum();
    assert!(findings > 0, "there are findings to replay");
}
