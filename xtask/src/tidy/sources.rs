//! Rules about Rust files.

use super::{Rule, tree::Tree};

const MAX_LINES: usize = 400;

/// Files that may be longer, each with its reason.
const LONG: &[(&str, &str)] =
    &[("session-core/src/conformance/base.rs", "one check after another: nothing to split")];

/// Files that may wait for some time to pass, each with its reason.
const SLEEPERS: &[(&str, &str)] = &[
    ("dev/bench/peers/src/cost/mod.rs", "a rate is counted over a time"),
    (
        "dev/browser/src/browser.rs",
        "a page tells nobody that it has changed: it is looked at again",
    ),
    (
        "dev/demo/src/bin/demo-actix/live.rs",
        "the demo looks now and then whether a session is over",
    ),
    (
        "session-fs/src/store/locked.rs",
        "an advisory lock cannot be waited for with a deadline: it is tried again",
    ),
    ("session-fs/examples/crash.rs", "a random moment to kill at is what it is for"),
    ("session-redis/examples/stale/load.rs", "a load runs for as long as it is told to"),
    ("session-redis/src/feed/mod.rs", "a server that is down is not called without a pause"),
    ("session-redis/src/link/line.rs", "a server that refused is asked again after a pause"),
    (
        "session-redis/tests/support/waiting.rs",
        "another process tells nobody what it has done: it is asked again",
    ),
];

/// What waits for time to pass, called by whatever path.
const SLEEPS: &[&str] = &["sleep(", "sleep_ms(", "sleep_until(", "park_timeout("];

#[test]
fn source_files_are_short() {
    let long = "\n".repeat(MAX_LINES + 1);
    Rule {
        reason: "a file of one reason to exist is read in one go; split it, or add it to the list with a reason",
        find: |tree| {
            tree.sources()
                .filter(|file| LONG.iter().all(|(path, _)| *path != file.path))
                .filter_map(|file| {
                    let code = file.text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
                    let lines = code.lines().count();
                    let path = &file.path;
                    (lines > MAX_LINES).then(|| format!("{path}: {lines} lines"))
                })
                .collect()
        },
    }
    .catches(&[("session-fs/src/manager.rs", &long)])
    .allows(&[("session-fs/tests/it/main.rs", &long)])
    .holds();
}

#[test]
fn lists_of_exceptions_name_files_that_are_there() {
    Rule {
        reason: "an exception for a file that is gone hides the next offence",
        find: |tree| {
            LONG.iter()
                .chain(SLEEPERS)
                .filter(|(path, reason)| tree.file(path).is_none() || reason.is_empty())
                .map(|(path, _)| format!("{path} is on a list of exceptions"))
                .collect()
        },
    }
    .catches(&[])
    .holds();
}

#[test]
fn a_lib_file_has_docs_and_no_functions() {
    Rule {
        reason: "lib.rs is the table of contents: docs, modules and re-exports",
        find: |tree| {
            let mut offences = Vec::new();
            for file in tree.sources().filter(|file| file.path.ends_with("/src/lib.rs")) {
                if !file.text.starts_with("//!") && !file.text.starts_with("#![doc") {
                    offences.push(format!("{}: does not begin with its docs", file.path));
                }
                offences.extend(file.offences(|line| {
                    let code = line.trim_start();
                    let function = ["fn ", "pub fn ", "pub(crate) fn ", "async fn ", "const fn "]
                        .iter()
                        .any(|start| code.starts_with(start));
                    function.then(|| format!("a function: {code}"))
                }));
            }
            offences
        },
    }
    .catches(&[("session-fs/src/lib.rs", "mod manager;\n")])
    .catches(&[("session-fs/src/lib.rs", "//! Docs.\npub fn now() {}\n")])
    .allows(&[("session-fs/src/lib.rs", "//! fn main() {}\nmod manager;\n")])
    .holds();
}

#[test]
fn an_integration_test_has_one_binary_whose_root_is_a_list_of_modules() {
    Rule {
        reason: "every file in tests/ is linked on its own: one binary is built and run once",
        find: |tree| {
            let roots = tree.rust().filter(|file| file.path.ends_with("/tests/it/main.rs"));
            roots
                .flat_map(|file| {
                    file.offences(|line| {
                        let code = line.trim_start_matches("pub(crate) ");
                        let other = [
                            "async fn ",
                            "const ",
                            "fn ",
                            "impl",
                            "macro_rules!",
                            "static ",
                            "struct ",
                            "use ",
                        ];
                        let item = other.iter().any(|start| code.starts_with(start));
                        item.then(|| code.to_owned())
                    })
                })
                .collect()
        },
    }
    .catches(&[("session-fs/tests/it/main.rs", "mod files;\n\nfn helper() {}\n")])
    .allows(&[("session-fs/tests/it/main.rs", "//! Docs.\n#[cfg(unix)]\nmod files;\n")])
    .holds();
}

#[test]
fn every_exception_to_a_lint_has_a_reason() {
    Rule {
        reason: "an exception without a reason cannot be reviewed, and stays when the reason is gone",
        find: |tree| {
            let mut offences = Vec::new();
            for file in tree.rust() {
                let switches = |(_, attribute): &(usize, &str)| switches_a_lint(attribute);
                for (at, attribute) in attributes(&file.text).filter(switches) {
                    let line = file.text[..at].matches('\n').count() + 1;
                    if !attribute.contains("reason = \"") {
                        offences.push(format!("{}:{line}: {attribute}", file.path));
                    }
                }
            }
            offences
        },
    }
    .catches(&[("session-fs/src/disk.rs", "#[allow(dead_code)]\nfn f() {}")])
    .catches(&[("session-fs/src/disk.rs", "#![cfg_attr(\n    test,\n    expect(dead_code)\n)]")])
    .allows(&[("session-fs/src/disk.rs", "#[expect(\n    dead_code,\n    reason = \"why\"\n)]")])
    .allows(&[("session-fs/src/disk.rs", "// no #[ here\nresult.expect(\"text\")")])
    .holds();
}

/// Attributes, and where they begin.
fn attributes(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let starts = text.match_indices("#[").chain(text.match_indices("#!["));
    starts.filter_map(|(at, _)| {
        let line = text[..at].rsplit('\n').next().unwrap_or_default();
        if !line.trim().is_empty() {
            return None;
        }
        let mut depth = 0_usize;
        let end = text[at..].find(|char| {
            depth = match char {
                '[' => depth + 1,
                ']' => depth - 1,
                _ => depth,
            };
            char == ']' && depth == 0
        })?;
        Some((at, &text[at..=at + end]))
    })
}

fn switches_a_lint(attribute: &str) -> bool {
    let inner = attribute.trim_start_matches(['#', '!', '[']);
    ["allow(", "expect("].iter().any(|start| inner.starts_with(start))
        || inner.starts_with("cfg_attr(")
            && [" allow(", " expect("].iter().any(|it| inner.contains(it))
}

#[test]
fn the_wall_clock_is_read_in_one_place() {
    Rule {
        reason: "what takes its time from a `Clock` can be tested without waiting",
        find: |tree| find_code(tree, "SystemTime::now", |path| path == "session-core/src/clock.rs"),
    }
    .catches(&[("session-fs/src/sweep.rs", "let now = SystemTime::now();")])
    .allows(&[("session-core/src/clock.rs", "SystemTime::now()")])
    .holds();
}

#[test]
fn nothing_sleeps_for_luck() {
    Rule {
        reason: "a sleep is too short on a busy machine and too long on all others: wait for the condition",
        find: |tree| {
            let may = |path: &str| SLEEPERS.iter().any(|(it, _)| *it == path);
            SLEEPS.iter().flat_map(|call| find_code(tree, call, may)).collect()
        },
    }
    .catches(&[("session-fs/tests/it/sweep.rs", "    thread::sleep(second);")])
    .catches(&[("session-fs/tests/it/sweep.rs", "    time::sleep(second).await;")])
    .catches(&[("session-fs/tests/it/sweep.rs", "    sleep(second).await;")])
    .catches(&[("session-fs/tests/it/sweep.rs", "    thread::park_timeout(second);")])
    .allows(&[("session-fs/tests/it/sweep.rs", "// no thread::sleep here")])
    .holds();
}

#[test]
fn no_test_is_ignored() {
    Rule {
        reason: "a test that does not run passes for the wrong reason",
        find: |tree| {
            let mut offences = Vec::new();
            for file in tree.rust() {
                for (at, attribute) in attributes(&file.text).filter(|(_, it)| ignores(it)) {
                    let line = file.text[..at].matches('\n').count() + 1;
                    offences.push(format!("{}:{line}: {attribute}", file.path));
                }
            }
            offences
        },
    }
    .catches(&[("session-fs/tests/it/sweep.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}")])
    .catches(&[("session-fs/tests/it/sweep.rs", "#[cfg_attr(not(unix), ignore)]\nfn f() {}")])
    .catches(&[(
        "session-fs/tests/it/sweep.rs",
        "#[cfg_attr(\n    not(unix),\n    test,\n    ignore = \"elsewhere\"\n)]\nfn f() {}",
    )])
    .allows(&[("session-fs/src/disk.rs", "#[cfg_attr(doc, doc = \"what to ignore\")]")])
    .allows(&[("session-fs/src/disk.rs", "#[cfg(feature = \"ignore\")]\n// #[ignore]")])
    .holds();
}

/// Whether an attribute is `ignore`, or becomes it under a condition.
fn ignores(attribute: &str) -> bool {
    let inner = attribute.trim_start_matches(['#', '!', '[']);
    let mut words = inner.split([',', '(', ')', ']', '=']).map(str::trim);
    if inner.starts_with("cfg_attr(") {
        words.any(|word| word == "ignore")
    } else {
        words.next() == Some("ignore")
    }
}

/// Lines of code, not of comments, with a text that only some files may have.
fn find_code(tree: &Tree, text: &str, may: impl Fn(&str) -> bool) -> Vec<String> {
    tree.rust()
        .filter(|file| !may(&file.path))
        .flat_map(|file| {
            file.offences(|line| {
                let code = line.trim_start();
                (!code.starts_with("//") && code.contains(text)).then(|| code.to_owned())
            })
        })
        .collect()
}

#[test]
fn no_example_is_ignored() {
    Rule {
        reason: "an example that is not compiled rots; what is no Rust is marked `text`",
        find: |tree| {
            tree.rust()
                .chain(tree.markdown())
                .flat_map(|file| {
                    file.offences(|line| {
                        let text = line.trim_start().trim_start_matches(['/', '!']).trim_start();
                        let info = text.strip_prefix("```")?;
                        info.split(',')
                            .any(|word| word.trim().starts_with("ignore"))
                            .then(|| text.to_owned())
                    })
                })
                .collect()
        },
    }
    .catches(&[("session-fs/src/lib.rs", "//! ```ignore\n")])
    .catches(&[("README.md", "```rust,ignore\n")])
    .allows(&[("session-fs/src/lib.rs", "//! ```no_run\n")])
    .holds();
}

#[test]
fn lines_of_docs_fit_on_a_screen() {
    Rule {
        reason: "docs are read in the source as often as on a page: wrap them at 100 columns",
        find: |tree| {
            tree.rust()
                .flat_map(|file| {
                    file.offences(|line| {
                        let text = line.trim_start();
                        let docs = text.starts_with("///") || text.starts_with("//!");
                        let columns = line.chars().count();
                        // A table cannot be wrapped.
                        let table = text.contains(" | ");
                        (docs && columns > 100 && !table).then(|| format!("{columns} columns"))
                    })
                })
                .collect()
        },
    }
    .catches(&[("session-fs/src/lib.rs", &format!("//! {}", "word ".repeat(20)))])
    .allows(&[("session-fs/src/lib.rs", &format!("//! {}", "w".repeat(96)))])
    .holds();
}
