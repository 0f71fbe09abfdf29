//! Rules about Rust files.

use super::Rule;

const MAX_LINES: usize = 400;

/// Files that may be longer, each with its reason.
const LONG: &[(&str, &str)] =
    &[("session-core/src/conformance/base.rs", "one check after another: nothing to split")];

#[test]
fn source_files_are_short() {
    let long = "\n".repeat(MAX_LINES + 1);
    Rule {
        reason: "a file of one reason to exist is read in one go; split it, or add it to the list with a reason",
        find: |tree| {
            let sources = tree.ending(".rs").filter(|file| file.path.contains("/src/"));
            let long = sources.filter_map(|file| {
                let code = file.text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
                let may = LONG.iter().any(|(path, _)| *path == file.path);
                let lines = code.lines().count();
                // An exception for a file that is short again hides the next offence.
                ((lines > MAX_LINES) != may).then(|| format!("{}: {lines} lines", file.path))
            });
            long.collect()
        },
    }
    .catches(&[("session-fs/src/manager.rs", &long)])
    .catches(&[(LONG[0].0, "")])
    .allows(&[("session-fs/tests/it/main.rs", &long)])
    .holds();
}

#[test]
fn roots_of_libraries_and_of_tests_are_tables_of_contents() {
    Rule {
        reason: "lib.rs, and main.rs of the one test binary, are docs, modules and re-exports",
        find: |tree| {
            let mut offences = Vec::new();
            for file in tree.ending("/src/lib.rs").chain(tree.ending("/tests/it/main.rs")) {
                if !file.text.starts_with("//!") && !file.text.starts_with("#![doc") {
                    offences.push(format!("{}: does not begin with its docs", file.path));
                }
                offences.extend(file.offences(|line| {
                    let code = line.trim_start();
                    let function = format!(" {code}").contains(" fn ");
                    (function && !code.starts_with("//")).then(|| code.to_owned())
                }));
            }
            offences
        },
    }
    .catches(&[("session-fs/src/lib.rs", "mod manager;\n")])
    .catches(&[("session-fs/src/lib.rs", "//! Docs.\npub const fn now() {}\n")])
    .catches(&[("session-fs/tests/it/main.rs", "//! Docs.\nmod files;\n\nfn helper() {}\n")])
    .allows(&[("session-fs/src/lib.rs", "//! fn main() {}\nmod manager;\n#[cfg(fn)]\n")])
    .holds();
}

#[test]
fn lines_of_docs_fit_on_a_screen() {
    Rule {
        reason: "docs are read in the source as often as on a page: wrap them at 100 columns",
        find: |tree| {
            let wide = tree.ending(".rs").flat_map(|file| {
                file.offences(|line| {
                    let text = line.trim_start();
                    let docs = text.starts_with("///") || text.starts_with("//!");
                    let columns = line.chars().count();
                    // A table cannot be wrapped.
                    let table = text.contains(" | ");
                    (docs && columns > 100 && !table).then(|| format!("{columns} columns"))
                })
            });
            wide.collect()
        },
    }
    .catches(&[("session-fs/src/lib.rs", &format!("//! {}", "word ".repeat(20)))])
    .allows(&[("session-fs/src/lib.rs", &format!("//! {}", "w".repeat(96)))])
    .holds();
}
