//! What the fuzzer found before, replayed: the inputs that reach all code it ever reached, and
//! those that were a finding once.

#![expect(clippy::print_stdout, reason = "the last input that is printed is the one that failed")]
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use fuzz_targets::TARGETS;

/// Runs a target on each crash it ever had, and counts them.
fn replay(name: &str, target: fuzz_targets::Target) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crashes").join(name);
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
        let inputs = fuzz_targets::inputs(name).expect("the archive can be read");
        assert!(!inputs.is_empty(), "{name} has a corpus");
        for (input, bytes) in inputs {
            println!("{name}: {}", input.display());
            target(&bytes);
        }
    }
}

#[test]
fn what_was_a_finding_once_is_none() {
    let findings: usize = TARGETS.into_iter().map(|(name, target)| replay(name, target)).sum();
    assert!(findings > 0, "there are findings to replay");
}
