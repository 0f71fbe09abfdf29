//! The files of the repository, as the rules see them.

use std::fs;

use cargo_metadata::{Metadata, MetadataCommand};

use crate::cargo::{git, root};

/// A text file, or a part of one.
pub(super) struct File {
    /// From the top of the repository, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    /// The offences of the lines for which `wrong` has a word.
    pub(super) fn offences<'a>(
        &'a self,
        wrong: impl Fn(&'a str) -> Option<String> + 'a,
    ) -> impl Iterator<Item = String> + 'a {
        self.text.split('\n').enumerate().filter_map(move |(at, line)| {
            wrong(line).map(|what| format!("{}:{}: {what}", self.path, at + 1))
        })
    }
}

/// What the rules look at.
pub(super) struct Tree {
    pub(super) files: Vec<File>,
}

impl Tree {
    /// All text files that git knows or would be told of.
    pub(super) fn of_the_repository() -> Self {
        let names = git(&["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let names = names.expect("a clone of the repository");
        let file = |path: &str| {
            // One that was deleted, one that is no text and one that leads to another are left out.
            let file = root().join(path);
            let text = fs::read_to_string(&file).ok().filter(|_| !file.is_symlink())?;
            Some(File { path: path.to_owned(), text })
        };
        let files: Vec<_> = names.split_terminator('\0').filter_map(file).collect();
        assert!(files.len() > 20, "the files of the repository are found");
        Self { files }
    }

    /// Files that are not there.
    pub(super) fn made_up(files: &[(&str, &str)]) -> Self {
        let file =
            |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into() };
        Self { files: files.iter().map(file).collect() }
    }

    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    pub(super) fn text(&self, path: &str) -> &str {
        self.file(path).map_or("", |file| &file.text)
    }

    /// Files with this end.
    pub(super) fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.path.ends_with(end))
    }
}

/// All packages, those of others too, and what depends on what.
pub(super) fn dependencies() -> Metadata {
    MetadataCommand::new().current_dir(root()).exec().expect("the workspace")
}
