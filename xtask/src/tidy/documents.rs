//! Rules about Markdown and about text files in general.

use std::path::Path;

use super::Rule;
use crate::cargo::root;

#[test]
fn no_path_of_somebody_s_machine_is_written_down() {
    Rule {
        reason: "it is of no use to anyone else, and shows strangers how a machine is set up",
        find: |tree| {
            let find = |line: &str| {
                let is_name = |char: char| char.is_alphanumeric() || "._-}*".contains(char);
                let names = |folder: &&str| {
                    let mut places = line.match_indices(*folder);
                    places.any(|(at, _)| {
                        let (before, after) = (&line[..at], &line[at + folder.len()..]);
                        !before.ends_with(is_name) && !after.starts_with(is_name)
                    })
                };
                let found = ["/root", "/home", "/Users"].iter().any(names);
                found.then(|| line.trim().to_owned())
            };
            // Not in the rules, whose made-up offences are offences.
            let files = tree.files.iter().filter(|it| !it.path.starts_with("xtask/src/tidy/"));
            files.flat_map(|file| file.offences(find)).collect()
        },
    }
    .catches(&[("README.md", "cd /home/me/session\n")])
    .catches(&[(".ci/run", "ls \"/root\"\n")])
    .allows(&[("README.md", "https://host/home/ and /roots of words\n")])
    .holds();
}

#[test]
fn links_between_documents_lead_somewhere() {
    Rule {
        reason: "a link to a file that was moved sends the reader away; lychee looks at the others",
        find: |tree| {
            let dead = tree.ending(".md").flat_map(|file| {
                let folder = root().join(&file.path).parent().map(Path::to_path_buf);
                file.offences(move |line| {
                    let mut targets =
                        line.split("](").skip(1).filter_map(|it| it.split(')').next());
                    let target = targets.find(|target| {
                        let path = target.split('#').next().unwrap_or_default();
                        let there = folder.as_ref().is_some_and(|it| it.join(path).exists());
                        !target.contains("://") && !there
                    })?;
                    Some(target.to_owned())
                })
            });
            dead.collect()
        },
    }
    .catches(&[("docs/A.md", "see [B](NOWHERE.md)")])
    .allows(&[("docs/A.md", "[C](../README.md#part), [site](https://example.org/x), [docs](.)")])
    .holds();
}

#[test]
fn commands_named_in_documents_exist() {
    Rule {
        reason: "a reader's first command must work",
        find: |tree| {
            let unknown = |line: &str| {
                let mut named = line
                    .split("cargo xtask ")
                    .skip(1)
                    .filter_map(|rest| rest.split(|char: char| !char.is_ascii_lowercase()).next());
                let name = named.find(|name| {
                    !name.is_empty() && !crate::USAGE.contains(&format!("\n  {name} "))
                })?;
                Some(format!("`cargo xtask {name}`"))
            };
            let texts = tree.ending(".md").chain(tree.ending(".ci/run")).chain(tree.ending(".yml"));
            texts.flat_map(|file| file.offences(unknown)).collect()
        },
    }
    .catches(&[("README.md", "Run `cargo xtask dome` first.\n")])
    .allows(&[("README.md", "Run `cargo xtask demo` first, or `cargo xtask COMMAND`.\n")])
    .holds();
}

/// Documents about the files of this repository.
const MAPS: [&str; 5] =
    ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "RELEASING.md", "SECURITY.md"];

#[test]
fn files_named_in_documents_exist() {
    let maps = |text| MAPS.map(|path| (path, text));
    Rule {
        reason: "a map with streets that are gone is worse than none",
        find: |tree| {
            let mut offences = Vec::new();
            for path in MAPS {
                let names = code_spans(tree.text(path)).filter(|span| names_file(span));
                let missing = names.filter(|name| {
                    let part = format!("/{}/", name.trim_end_matches('/'));
                    !tree.files.iter().any(|file| format!("/{}/", file.path).contains(&part))
                });
                offences.extend(missing.map(|name| format!("{path} names `{name}`")));
                offences.extend(tree.file(path).is_none().then(|| format!("{path} is missing")));
            }
            offences
        },
    }
    .catches(&[("ARCHITECTURE.md", "")])
    .catches(&maps("See `session-fs/src/disk.rs`."))
    .allows(&maps("See `README.md`, `SECURITY.md` and `Record::seal`."))
    .holds();
}

/// Whether code in a document is the name of a file or folder of the repository.
fn names_file(span: &str) -> bool {
    let path = span.contains('/') || [".rs", ".md", ".toml"].iter().any(|end| span.ends_with(end));
    path && !span.contains(' ') && !span.contains("::")
}

/// What stands between single backticks, outside code blocks.
pub(super) fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2))
}
