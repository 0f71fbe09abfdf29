//! Rules about the READMEs and the guide: what they promise, and the code they show.

use super::{
    Rule,
    documents::code_spans,
    tree::{File, Tree, ending},
};

#[test]
fn rust_in_a_readme_is_the_text_of_the_example_it_names() {
    Rule {
        reason: "the first program a reader copies must be one that is compiled and run",
        find: |tree| {
            let readmes = tree.markdown().filter(|file| file.path.ends_with("README.md"));
            readmes.flat_map(|readme| stray_examples(tree, readme)).collect()
        },
    }
    .catches(&[("README.md", "```rust\nfn main() {}\n```\n")])
    .catches(&[
        ("README.md", "From `a/examples/b.rs`:\n\n```rust\nfn main() {}\n```\n"),
        ("a/examples/b.rs", "fn main() { run() }\n"),
    ])
    .allows(&[
        ("a/README.md", "From `examples/b.rs`:\n\n```rust\nfn main() {}\n```\n"),
        ("a/examples/b.rs", "//! Docs of the file.\n\nfn main() {}\n"),
    ])
    .holds();
}

/// Blocks of Rust that are not the text of the last `.rs` file named before them.
fn stray_examples(tree: &Tree, readme: &File) -> Vec<String> {
    let folder = readme.path.trim_end_matches("README.md");
    let mut offences = Vec::new();
    let mut before = String::new();
    for (at, part) in readme.text.split("```").enumerate() {
        if at % 2 == 0 {
            part.clone_into(&mut before);
        } else if let Some(code) = part.strip_prefix("rust").and_then(|it| it.split_once('\n')) {
            let named = code_spans(&before).filter(|span| ending(span) == "rs").last();
            let example = named.and_then(|name| tree.file(&format!("{folder}{name}")));
            let text = example.map(|file| without_docs(&file.text));
            if text != Some(without_docs(code.1)) {
                let named = named.unwrap_or("an example it does not name");
                offences.push(format!("{}: Rust that is not {named}", readme.path));
            }
        }
    }
    offences
}

#[test]
fn rust_in_the_guide_stands_in_the_example_it_names() {
    let example =
        ("core/examples/x.rs", "mod tests {\n    fn main() {\n        run();\n    }\n}\n");
    Rule {
        reason: "who follows the guide copies from it, so it must be code that is compiled and run",
        find: |tree| {
            let Some(guide) = tree.file(GUIDE) else {
                return vec![format!("{GUIDE} is not there")];
            };
            let mut offences = Vec::new();
            let mut example = None;
            for (at, part) in guide.text.split("```").enumerate() {
                if at % 2 == 0 {
                    let named = code_spans(part).filter(|span| span.contains("/examples/")).last();
                    example = named.and_then(|name| tree.file(name)).or(example);
                } else if let Some(code) = part.strip_prefix("rust\n") {
                    let stands = example.is_some_and(|file| {
                        flush(&file.text).contains(flush(code).trim_matches('\n'))
                    });
                    if !stands {
                        let line = code.lines().next().unwrap_or_default();
                        offences.push(format!("{GUIDE}: `{line}` is in no example it names"));
                    }
                }
            }
            offences
        },
    }
    .catches(&[(GUIDE, "```rust\nfn main() {\n```\n"), example])
    .catches(&[(GUIDE, "See `core/examples/x.rs`.\n```rust\nfn other() {\n```\n"), example])
    .allows(&[
        (GUIDE, "See `core/examples/x.rs`.\n```rust\nfn main() {\n    run();\n```\n"),
        example,
    ])
    .holds();
}

const GUIDE: &str = "CONTRIBUTING.md";

/// Without the blanks at the start of lines: a part of a program stands further left in a document.
fn flush(text: &str) -> String {
    text.lines().map(str::trim_start).collect::<Vec<_>>().join("\n")
}

/// The text of a program without the docs at its top.
fn without_docs(text: &str) -> &str {
    let mut rest = text;
    while let Some(after) = rest.strip_prefix("//!") {
        rest = after.split_once('\n').map_or("", |(_, after)| after);
    }
    rest.trim()
}

/// What the README of a crate says, in this order.
const HEADINGS: &[&str] = &["Setup", "Example", "Expiry and cleanup", "What it promises", "Limits"];

#[test]
fn readmes_of_crates_have_the_same_headings() {
    let fs = ("session-fs/Cargo.toml", "[package]\nname = \"session-fs\"\n");
    let backend = ("session-fs/tests/conformance.rs", "");
    let full = "# session-fs\n\nWhat it is.\n\n## Setup\n## Example\n## Expiry and cleanup\n\
                ## What it promises\n## Migration\n## Limits\n";
    Rule {
        reason: "who knows one crate finds the same answers in the same place of the next",
        find: |tree| {
            let mut offences = Vec::new();
            for folder in published(tree) {
                let Some(readme) = tree.file(&format!("{folder}/README.md")) else {
                    offences.push(format!("{folder} has no README.md"));
                    continue;
                };
                let is_a_backend = backends(tree).any(|backend| backend == folder);
                let headings: Vec<_> =
                    readme.text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
                let expected: Vec<_> = headings
                    .iter()
                    .filter(|heading| is_a_backend || HEADINGS.contains(heading))
                    .copied()
                    .collect();
                if expected != HEADINGS || headings.last() != HEADINGS.last() {
                    offences.push(format!("{}: {headings:?}, not {HEADINGS:?}", readme.path));
                }
                if !readme.text.starts_with(&format!("# {folder}\n\n")) {
                    offences.push(format!("{} does not begin with its name", readme.path));
                }
                let most = if is_a_backend { 100 } else { 120 };
                if readme.text.lines().count() > most {
                    offences.push(format!("{}: more than {most} lines", readme.path));
                }
            }
            offences
        },
    }
    .catches(&[fs])
    .catches(&[fs, backend, ("session-fs/README.md", "# session-fs\n\n## Setup\n")])
    .catches(&[fs, backend, ("session-fs/README.md", full)])
    .catches(&[fs, ("session-fs/README.md", &full["# session-fs\n\n".len()..])])
    .allows(&[fs, ("session-fs/README.md", full)])
    .holds();
}

/// Folders of the crates that users build.
fn published(tree: &Tree) -> impl Iterator<Item = &str> {
    tree.files
        .iter()
        .filter(|file| file.path.starts_with("session-") && !file.text.contains("publish = false"))
        .filter_map(|file| file.path.strip_suffix("/Cargo.toml"))
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
            let readme = tree.file("README.md").map_or("", |file| &file.text);
            let mut offences = Vec::new();
            for folder in backends(tree) {
                let tests = tree
                    .file(&format!("{folder}/tests/conformance.rs"))
                    .map_or("", |file| &file.text);
                let Some(cells) = table_row(readme, folder) else {
                    offences.push(format!("README.md has no row for {folder}"));
                    continue;
                };
                for (column, group) in [(2, "durable"), (3, "shared"), (5, "list")] {
                    let said = cells.get(column).is_some_and(|cell| cell.starts_with("yes"));
                    if said != runs_group(tests, group) {
                        offences.push(format!("README.md, {folder}: `{}` in the column of `{group}`, against its conformance tests", cells.get(column).unwrap_or(&"nothing")));
                    }
                }
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

/// The cells of the row whose first cell names the crate.
fn table_row<'a>(text: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let name = format!("`{name}`");
    text.lines().filter(|line| line.starts_with('|')).find_map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        cells.first()?.contains(&name).then_some(cells)
    })
}

/// Whether a call of the macro that writes the tests names the group.
fn runs_group(tests: &str, group: &str) -> bool {
    tests.split("conformance_tests!(").skip(1).any(|call| {
        let call = call.split(");").next().unwrap_or_default();
        let groups = call.split_once(';').map_or("", |(_, groups)| groups);
        groups.split(',').any(|it| it.trim() == group)
    })
}
