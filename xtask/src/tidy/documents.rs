//! Rules about Markdown and about text files in general.

use super::{Rule, tree::ending};

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
pub(super) fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2))
}
