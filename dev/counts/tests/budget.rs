//! The hot paths take no more instructions than was recorded.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{env, path::PathBuf, process::Command};

use counts::{Budget, Compiler, PATHS, Verdict, compiler, count};

/// This program with optimizations: what users run.
fn optimized() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--package", "counts", "--bin", "counts"])
        .status()
        .expect("cargo starts");
    assert!(built.success(), "the paths build");
    // A test is in a folder of its profile, beside that of the other.
    let test = env::current_exe().expect("a test has a path");
    let target = test.ancestors().nth(3).expect("it is in `target/debug/deps`");
    target.join("release/counts")
}

#[test]
fn no_hot_path_takes_more_instructions_than_its_budget() {
    let budget = Budget::parse(include_str!("../budget.txt")).expect("it is what `record` writes");
    let compiler = compiler().expect("there is a compiler");
    let program = optimized();
    let mut wrong = Vec::new();
    for (path, _) in PATHS {
        let count = count(&program, path).expect("valgrind counts");
        let verdict = budget.verdict(path, count);
        println!("{count:>8} {verdict:?}: {path}");
        if verdict != Verdict::Kept {
            wrong.push(format!("{path}: {count}, {verdict:?}"));
        }
    }
    match budget.not_comparable(&compiler) {
        None => assert!(wrong.is_empty(), "see `dev/counts/budget.txt`: {wrong:#?}"),
        Some(why) => println!("for the summary: counts: {why}"),
    }
}

fn budget() -> Budget {
    let compiler = Compiler { version: "rustc 1.95.0".to_owned(), host: "x86_64".to_owned() };
    Budget { compiler, counts: vec![("it".to_owned(), 1_000)] }
}

#[test]
fn a_count_of_another_compiler_or_for_another_machine_is_not_compared() {
    let budget = budget();
    let Compiler { version, host } = budget.compiler.clone();
    assert_eq!(budget.not_comparable(&budget.compiler), None);
    for other in [
        Compiler { version: "rustc 1.96.0".to_owned(), host },
        Compiler { version, host: "aarch64".to_owned() },
    ] {
        let why = budget.not_comparable(&other).expect("another");
        assert!(why.contains("recorded with rustc 1.95.0 for x86_64"), "{why}");
    }
}

#[test]
fn a_path_that_became_slower_exceeds_its_budget_and_one_that_became_much_faster_asks_for_another() {
    let budget = budget();
    for (count, verdict) in [
        (1_000, Verdict::Kept),
        (1_050, Verdict::Kept),
        (1_051, Verdict::Exceeded),
        (800, Verdict::Kept),
        (799, Verdict::Outdated),
    ] {
        assert_eq!(budget.verdict("it", count), verdict, "{count}");
    }
    assert_eq!(budget.verdict("another", 1), Verdict::Unknown);
    assert_eq!(Budget::parse(&budget.to_text()), Ok(budget));
}
