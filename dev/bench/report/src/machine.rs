//! What was measured where and when, in words that name no machine.

use std::{
    fs,
    hash::{DefaultHasher, Hasher as _},
    path::Path,
    process::Command,
    thread,
};

use crate::{program::cargo, root};

/// The machine, the sources and the day.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) hardware: String,
    pub(crate) software: String,
    /// The commit, and whether the sources differ from it.
    pub(crate) commit: String,
    /// A name for the state of the sources, which any change to them changes.
    state: String,
}

impl Machine {
    /// `folder`: a place on the disk that is measured.
    pub(crate) fn look(folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let cores = thread::available_parallelism().map_or(0, usize::from);
        let model = field(&read("/proc/cpuinfo"), "model name").unwrap_or("unknown").to_owned();
        let memory = field(&read("/proc/meminfo"), "MemTotal").and_then(gibibytes);
        let memory = memory.map_or_else(|| "unknown".to_owned(), |gib| format!("{gib:.0} GiB"));
        let disk = said("df", &["--output=fstype", &folder.display().to_string()]);
        let disk = disk.as_ref().and_then(|text| text.lines().nth(1)).map(str::to_owned);
        let commit = said("git", &["rev-parse", "--short=12", "HEAD"]);
        let others = said("git", &["status", "--porcelain"]).unwrap_or_default();
        let changes = changes(root());
        Ok(Self {
            date: said("date", &["--utc", "+%Y-%m-%d"]).unwrap_or_else(|| "unknown".to_owned()),
            hardware: format!(
                "{model}, {cores} cores, {memory} of memory, files on {}",
                disk.unwrap_or_else(|| "a file system of unknown kind".to_owned())
            ),
            software: format!(
                "Linux {}, {}",
                read("/proc/sys/kernel/osrelease").trim(),
                rustc().unwrap_or_else(|| "a compiler of unknown version".to_owned())
            ),
            state: state(commit.as_deref(), &changes),
            commit: match &commit {
                Some(commit) if others.is_empty() => commit.clone(),
                Some(commit) => format!("{commit}, with changes"),
                None => "unknown".to_owned(),
            },
        })
    }

    pub(crate) fn state(&self) -> &str {
        &self.state
    }
}

/// What a program prints, in the folder of the workspace; `None` if it is not there or fails.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = printed(root(), program, args)?;
    Some(String::from_utf8_lossy(&output).trim().to_owned())
}

fn printed(folder: &Path, program: &str, args: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new(program).args(args).current_dir(folder).output().ok()?;
    output.status.success().then_some(output.stdout)
}

/// How the sources in a repository differ from its commit: empty if they do not. Files that git was
/// not told of are sources, too, unless it is to ignore them.
fn changes(repository: &Path) -> Vec<u8> {
    let git = |args: &[&str]| printed(repository, "git", args).unwrap_or_default();
    let mut changes = git(&["diff", "--binary", "HEAD"]);
    let new = git(&["ls-files", "--others", "--exclude-standard", "-z"]);
    for name in new.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let path = repository.join(&*String::from_utf8_lossy(name));
        let content = fs::read(path).unwrap_or_default();
        // A file may begin with what is the end of a name.
        changes.extend([name, &[0], &content.len().to_le_bytes(), &content].concat());
    }
    changes
}

fn rustc() -> Option<String> {
    let output = cargo().args(["--version"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(format!("Rust {}", text.split(' ').nth(1)?))
}

fn state(commit: Option<&str>, changes: &[u8]) -> String {
    let commit = commit.unwrap_or("unknown");
    if changes.is_empty() {
        return commit.to_owned();
    }
    let mut hasher = DefaultHasher::new();
    hasher.write(changes);
    format!("{commit}-{:016x}", hasher.finish())
}

/// The value of a field of a text with a colon in each line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(it, _)| it.trim() == name).map(|(_, value)| value.trim())
}

fn gibibytes(text: &str) -> Option<f64> {
    let kibibytes: f64 = text.strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use super::{changes, field, gibibytes, printed, state};

    #[test]
    fn fields_of_the_system_are_read() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2: 4\nMemTotal:       25165824 kB\n";
        assert_eq!(field(text, "model name"), Some("Some CPU @ 2: 4"));
        assert_eq!(field(text, "MemTotal").and_then(gibibytes), Some(24.0));
        assert_eq!(field(text, "model"), None);
    }

    #[test]
    fn any_change_to_the_sources_is_another_state() {
        assert_eq!(state(Some("abc"), b""), "abc");
        assert_ne!(state(Some("abc"), b"+ a"), "abc");
        assert_ne!(state(Some("abc"), b"+ a"), state(Some("abc"), b"+ b"));
    }

    #[test]
    fn a_change_is_one_of_a_file_that_git_knows_or_was_not_told_of_but_of_none_it_ignores() {
        let folder = env::temp_dir().join(format!("session-xtask-changes-{}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
        let git = |args: &[&str]| printed(&folder, "git", args).expect("git");
        write(".gitignore", "ignored\n");
        write("known", "one");
        git(&["init", "--quiet"]);
        git(&["add", "."]);
        let somebody = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"];
        git(&[&somebody[..], &["commit", "--quiet", "--message", "one"]].concat());
        assert!(changes(&folder).is_empty());
        write("ignored", "one");
        assert!(changes(&folder).is_empty());
        for (name, text) in [("new", "one"), ("new", "two"), ("newer", ""), ("known", "two")] {
            let before = changes(&folder);
            write(name, text);
            assert_ne!(changes(&folder), before, "{name} is {text}");
        }
        fs::remove_dir_all(&folder).expect("removed");
    }
}
