//! Rules about the READMEs and the guide: what they promise, and the code they show.

use super::{Rule, documents::code_spans, tree::Tree};

/// The guide for backends.
const GUIDE: &str = "docs/BACKENDS.md";

#[test]
fn rust_in_a_readme_or_the_guide_stands_in_the_example_it_names() {
    let example = ("a/examples/b.rs", "//! Docs.\n\nmod it {\n    fn main() {\n        run();\n}}");
    Rule {
        reason: "the program a reader copies must be one that is compiled and run",
        find: |tree| {
            let mut offences = Vec::new();
            for file in tree.ending("README.md").chain(tree.ending(GUIDE)) {
                // A guide names its example from the top.
                let folder = file.path.trim_end_matches("README.md").trim_end_matches(GUIDE);
                let mut example = "";
                for (at, part) in file.text.split("```").enumerate() {
                    if at % 2 == 0 {
                        let name = code_spans(part).filter(|it| it.contains("examples/")).last();
                        example = name.map_or(example, |it| tree.text(&format!("{folder}{it}")));
                    } else if let Some(code) = part.strip_prefix("rust\n")
                        && !flush(example).contains(flush(code).trim())
                    {
                        let line = code.lines().next().unwrap_or_default();
                        offences.push(format!("{}: `{line}` is in no example", file.path));
                    }
                }
            }
            offences
        },
    }
    .catches(&[("README.md", "```rust\nfn main() {\n```\n"), example])
    .catches(&[(GUIDE, "From `a/examples/b.rs`:\n```rust\nfn other() {\n```\n"), example])
    .allows(&[(GUIDE, "From `a/examples/b.rs`:\n```rust\nfn main() {\n    run();\n```\n"), example])
    .allows(&[("a/README.md", "From `examples/b.rs`:\n```rust\nfn main() {\n```\n"), example])
    .holds();
}

/// Without the blanks at the start of lines: a part of a program stands further left in a document.
fn flush(text: &str) -> String {
    text.lines().map(str::trim_start).collect::<Vec<_>>().join("\n")
}

/// What the README of a crate says, in this order; that of a backend says nothing else.
const HEADINGS: [&str; 5] =
    ["Setup", "Example", "Expiry and cleanup", "What it promises", "Limits"];

#[test]
fn readmes_of_crates_have_the_same_headings() {
    let fs = ("session-fs/Cargo.toml", "[package]\nname = \"session-fs\"\n");
    let backend = ("session-fs/tests/conformance.rs", "");
    let full = "# session-fs\n\nWhat it is.\n\n## Setup\n## Example\n## Expiry and cleanup\n\
                ## What it promises\n## Migration\n## Limits\n";
    Rule {
        reason: "a reader of one crate finds the same answers in the same place of the next",
        find: |tree| {
            let mut offences = Vec::new();
            for folder in published(tree) {
                let readme = tree.text(&format!("{folder}/README.md"));
                let is_a_backend = backends(tree).any(|backend| backend == folder);
                let headings = readme.lines().filter_map(|line| line.strip_prefix("## "));
                let ours: Vec<_> =
                    headings.filter(|it| is_a_backend || HEADINGS.contains(it)).collect();
                let is_short = readme.lines().count() <= 120;
                let has_name = readme.starts_with(&format!("# {folder}\n\n"));
                if ours != HEADINGS || !is_short || !has_name {
                    offences.push(format!("{folder}/README.md: {ours:?}, not {HEADINGS:?}, or has more than 120 lines, or does not begin with its name"));
                }
            }
            offences
        },
    }
    .catches(&[fs])
    .catches(&[fs, backend, ("session-fs/README.md", full)])
    .catches(&[fs, ("session-fs/README.md", &full["# session-fs\n\n".len()..])])
    .allows(&[fs, ("session-fs/README.md", full)])
    .holds();
}

/// Folders of the crates that users build.
fn published(tree: &Tree) -> impl Iterator<Item = &str> {
    let ours = tree.ending("/Cargo.toml").filter(|file| file.path.starts_with("session-"));
    ours.filter_map(|file| file.path.strip_suffix("/Cargo.toml"))
}

/// Folders of crates that run the conformance suite as backends.
fn backends(tree: &Tree) -> impl Iterator<Item = &str> {
    tree.files.iter().filter_map(|file| file.path.strip_suffix("/tests/conformance.rs"))
}

#[test]
fn the_table_of_backends_says_what_their_tests_prove() {
    Rule {
        reason: "a promise in the table is a group of the conformance suite that the backend runs",
        find: |tree| {
            let mut offences = Vec::new();
            for folder in backends(tree) {
                let tests = tree.text(&format!("{folder}/tests/conformance.rs"));
                let cells = table_row(tree.text("README.md"), folder);
                for (column, group) in [(2, "durable"), (3, "shared"), (5, "list")] {
                    let cell = cells.get(column).copied().unwrap_or("nothing");
                    if cell.starts_with("yes") != runs_group(tests, group) {
                        offences.push(format!("README.md, {folder}: `{cell}` in the column of `{group}`, against its conformance tests"));
                    }
                }
                offences.extend(cells.is_empty().then(|| format!("README.md: no {folder}")));
            }
            offences
        },
    }
    .catches(&[
        ("README.md", "| [`session-fs`](session-fs) | files | yes | no |\n"),
        ("session-fs/tests/conformance.rs", "conformance_tests!(Fs; base, durable, shared);"),
    ])
    .allows(&[
        ("README.md", "| [`session-fs`](session-fs) | files | yes | yes | no | no |\n"),
        ("session-fs/tests/conformance.rs", "conformance_tests!(Fs; base, durable, shared);"),
    ])
    .holds();
}

/// The cells of the row whose first cell names the crate; none if there is no such row.
fn table_row<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let name = format!("| [`{name}`]");
    let row = text.lines().find(|line| line.starts_with(&name)).unwrap_or_default();
    row.trim_matches('|').split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

/// Whether a call of the macro that writes the tests names the group.
fn runs_group(tests: &str, group: &str) -> bool {
    tests.split("conformance_tests!(").skip(1).any(|call| {
        let call = call.split(");").next().unwrap_or_default();
        call.split([';', ',']).skip(1).any(|it| it.trim() == group)
    })
}
