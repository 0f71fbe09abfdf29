//! The hot paths take no more instructions than was recorded.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::{env, path::PathBuf, process::Command};

use counts::{Budget, PATHS, Verdict, compiler, count};

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
    if compiler == budget.compiler {
        assert!(wrong.is_empty(), "see `counts/budget.txt`: {wrong:#?}");
    } else {
        println!("recorded with {}, counted with {compiler}: nothing is asserted", budget.compiler);
    }
}

#[test]
fn a_path_that_became_slower_exceeds_its_budget_and_one_that_became_much_faster_asks_for_another() {
    let budget = Budget { compiler: String::new(), counts: vec![("it".to_owned(), 1_000)] };
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
