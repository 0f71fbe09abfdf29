//! The files of the repository, as the rules see them.

use std::{fs, path::Path};

use crate::cargo::{Package, root, workspace};

/// A text file, or a part of one.
pub(super) struct File {
    /// From the top of the repository, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    /// What stands behind the last dot of its name.
    pub(super) fn ending(&self) -> &str {
        ending(&self.path)
    }

    /// Its lines with their numbers, from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.split('\n').enumerate().map(|(at, line)| (at + 1, line))
    }

    /// The offences of the lines for which `wrong` has a word.
    pub(super) fn offences<'a>(
        &'a self,
        wrong: impl Fn(&'a str) -> Option<String> + 'a,
    ) -> impl Iterator<Item = String> + 'a {
        self.lines().filter_map(move |(number, line)| {
            wrong(line).map(|what| format!("{}:{number}: {what}", self.path))
        })
    }
}

/// What the rules look at.
pub(super) struct Tree {
    pub(super) files: Vec<File>,
    pub(super) packages: Vec<Package>,
}

impl Tree {
    /// All text files of the repository and all packages of the workspace.
    pub(super) fn of_the_repository() -> Self {
        let (packages, _) = workspace().expect("the workspace");
        let mut files = Vec::new();
        read(&root(), "", &mut files);
        assert!(files.len() > 20, "the files of the repository are found");
        Self { files, packages }
    }

    /// Files that are not there.
    pub(super) fn made_up(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() })
            .collect();
        Self { files, packages: Vec::new() }
    }

    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Files written in Rust; not those of the rules, whose made-up offences are offences.
    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files
            .iter()
            .filter(|file| file.ending() == "rs" && !file.path.starts_with("xtask/src/tidy/"))
    }

    /// Files of libraries and programs, without tests, benches and examples.
    pub(super) fn sources(&self) -> impl Iterator<Item = &File> {
        self.rust().filter(|file| file.path.contains("/src/"))
    }

    pub(super) fn markdown(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.ending() == "md")
    }
}

/// Files that people write and read.
const ENDINGS: &[&str] = &["css", "html", "js", "md", "rs", "sh", "svg", "toml", "yml"];
const NAMES: &[&str] = &["run", "LICENSE-APACHE", "LICENSE-MIT", ".gitignore"];

/// Reads a folder; follows no link, and leaves out what git and cargo put there.
fn read(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let entry = entry.expect("an entry of a folder");
        let kind = entry.file_type().expect("the kind of an entry");
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = format!("{prefix}{name}");
        if kind.is_dir() {
            if name != "target" && name != ".git" {
                read(&entry.path(), &format!("{path}/"), files);
            }
        } else if kind.is_file() && is_text(&name) {
            let text = fs::read_to_string(entry.path()).expect("a text file");
            files.push(File { path, text });
        }
    }
}

fn is_text(name: &str) -> bool {
    ENDINGS.contains(&ending(name)) || NAMES.contains(&name)
}

pub(super) fn ending(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}
