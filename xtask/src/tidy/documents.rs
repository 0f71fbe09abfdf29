//! Rules about Markdown and about text files in general.

use super::{
    Rule,
    tree::{File, Tree, ending},
};

#[test]
fn lines_have_no_blanks_at_their_end() {
    Rule {
        reason: "editors that remove them make diffs nobody asked for",
        find: |tree| {
            let texts = tree.files.iter().filter(|file| !file.path.ends_with("LICENSE-APACHE"));
            texts
                .flat_map(|file| {
                    file.offences(|line| {
                        (line != line.trim_end()).then(|| "blanks at the end".to_owned())
                    })
                })
                .collect()
        },
    }
    .catches(&[("README.md", "text \nmore\n")])
    .catches(&[("README.md", "text\r\n")])
    .allows(&[("README.md", "text\n")])
    .holds();
}

#[test]
fn no_path_of_somebody_s_machine_is_written_down() {
    Rule {
        reason: "it is of no use to anyone else, and tells strangers how somebody's machine is set up",
        find: |tree| {
            let texts =
                tree.files.iter().filter(|file| !file.path.starts_with("xtask/src/tidy/"));
            texts
                .flat_map(|file| {
                    file.offences(|line| {
                        ["/root", "/home", "/Users"]
                            .iter()
                            .find(|start| names_folder(line, start))
                            .map(|start| format!("{start}: {}", line.trim()))
                    })
                })
                .collect()
        },
    }
    .catches(&[("README.md", "cd /home/me/session\n")])
    .catches(&[(".ci/run", "ls \"/root\"\n")])
    .allows(&[("README.md", "https://host/home/ and /roots of words\n")])
    .holds();
}

/// Whether an absolute path in `line` begins with the folder.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + folder.len()..].chars().next();
        let part_of_name = |char: char| char.is_alphanumeric() || "._-}*".contains(char);
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    })
}

#[test]
fn links_between_documents_lead_somewhere() {
    Rule {
        reason: "a link to a file that was moved sends the reader away",
        find: |tree| {
            let mut offences = Vec::new();
            for file in tree.markdown() {
                for target in link_targets(&file.text) {
                    let elsewhere = target.contains("://") || target.starts_with('#');
                    let path = target.split('#').next().unwrap_or_default();
                    let path = join(&file.path, path);
                    let folder = format!("{path}/");
                    let there =
                        tree.files.iter().any(|it| it.path == path || it.path.starts_with(&folder));
                    if !elsewhere && !there {
                        offences.push(format!("{}: {target}", file.path));
                    }
                }
            }
            offences
        },
    }
    .catches(&[("docs/A.md", "see [B](B.md)")])
    .allows(&[
        ("docs/A.md", "see [C](../C.md#part), [site](https://example.org/x) and [docs](.)"),
        ("C.md", ""),
    ])
    .holds();
}

/// The targets of inline links.
fn link_targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
}

/// The path from the top of the repository that `relative` is, seen from the file `from`.
fn join(from: &str, relative: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in relative.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn commands_named_in_documents_exist() {
    Rule {
        reason: "a reader's first command must work",
        find: |tree| {
            let texts = tree.markdown().chain(tree.file(".ci/run"));
            texts
                .flat_map(|file| {
                    file.offences(|line| {
                        let named = line.split("cargo xtask ").skip(1).filter_map(|rest| {
                            rest.split(|char: char| !char.is_ascii_lowercase()).next()
                        });
                        let unknown = named
                            .filter(|name| !name.is_empty())
                            .find(|name| !crate::USAGE.contains(&format!("\n  {name} ")));
                        unknown.map(|name| format!("`cargo xtask {name}`"))
                    })
                })
                .collect()
        },
    }
    .catches(&[("README.md", "Run `cargo xtask dome` first.\n")])
    .allows(&[("README.md", "Run `cargo xtask demo` first, or `cargo xtask COMMAND`.\n")])
    .holds();
}

/// Documents about the files of this repository.
const MAPS: &[&str] = &["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"];

#[test]
fn files_named_in_documents_exist() {
    Rule {
        reason: "a map with streets that are gone is worse than none",
        find: |tree| {
            let mut offences = Vec::new();
            for path in MAPS {
                let Some(map) = tree.file(path) else {
                    offences.push(format!("{path} is not there"));
                    continue;
                };
                let missing =
                    code_spans(&map.text).filter(|span| names_file(span)).filter(|name| {
                        let part = format!("/{}/", name.trim_end_matches('/'));
                        !tree.files.iter().any(|file| format!("/{}/", file.path).contains(&part))
                    });
                offences.extend(missing.map(|name| format!("{path} names `{name}`")));
            }
            offences
        },
    }
    .catches(&[("ARCHITECTURE.md", "")])
    .catches(&with_maps("See `session-fs/src/disk.rs`."))
    .allows(&with_maps("See `README.md`, `SECURITY.md` and `Record::seal`."))
    .holds();
}

/// Whether code in a document is the name of a file or folder of the repository.
fn names_file(span: &str) -> bool {
    let path = span.contains('/') || ["rs", "md", "toml"].contains(&ending(span));
    path && !span.contains(' ') && !span.contains("::")
}

/// Made-up documents of all these names.
fn with_maps(text: &'static str) -> Vec<(&'static str, &'static str)> {
    MAPS.iter().map(|path| (*path, text)).collect()
}

/// What stands between single backticks, outside code blocks.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2))
}

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
///
/// A README that is part of the docs of its crate is compiled with them, and free to choose its
/// text.
fn stray_examples(tree: &Tree, readme: &File) -> Vec<String> {
    let folder = readme.path.trim_end_matches("README.md");
    let included = format!("{folder}src/lib.rs");
    if tree.file(&included).is_some_and(|lib| lib.text.contains("include_str!(\"../README.md\")")) {
        return Vec::new();
    }
    let mut offences = Vec::new();
    let mut before = String::new();
    for (at, part) in readme.text.split("```").enumerate() {
        if at % 2 == 0 {
            part.clone_into(&mut before);
        } else if let Some(code) = part.strip_prefix("rust").and_then(|it| it.split_once('\n')) {
            let named = code_spans(&before).filter(|span| ending(span) == "rs").last();
            let example = named.and_then(|name| tree.file(&format!("{folder}{name}")));
            let text = example.map(|file| without_docs(&file.text));
            if text != Some(code.1.trim()) {
                let named = named.unwrap_or("an example it does not name");
                offences.push(format!("{}: Rust that is not {named}", readme.path));
            }
        }
    }
    offences
}

/// The text of a program without the docs at its top.
fn without_docs(text: &str) -> &str {
    let mut rest = text;
    while let Some(after) = rest.strip_prefix("//!") {
        rest = after.split_once('\n').map_or("", |(_, after)| after);
    }
    rest.trim()
}

/// What a backend's README says, in this order.
const HEADINGS: &[&str] = &["Setup", "Example", "Expiry and cleanup", "What it promises", "Limits"];

#[test]
fn readmes_of_backends_have_the_same_headings() {
    Rule {
        reason: "who knows one backend finds the same answers in the same place of the next",
        find: |tree| {
            let mut offences = Vec::new();
            for folder in backends(tree) {
                let Some(readme) = tree.file(&format!("{folder}/README.md")) else {
                    offences.push(format!("{folder} has no README.md"));
                    continue;
                };
                let headings: Vec<_> =
                    readme.text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
                if headings != HEADINGS {
                    offences.push(format!("{}: {headings:?}, not {HEADINGS:?}", readme.path));
                }
                if readme.text.lines().count() > 100 {
                    offences.push(format!("{}: more than 100 lines", readme.path));
                }
            }
            offences
        },
    }
    .catches(&[("session-fs/tests/conformance.rs", "")])
    .catches(&[("session-fs/tests/conformance.rs", ""), ("session-fs/README.md", "## Setup\n")])
    .holds();
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
                for (column, group) in [(2, "durable"), (3, "shared")] {
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
        ("README.md", "| [`session-fs`](session-fs) | files | yes | yes |\n"),
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
