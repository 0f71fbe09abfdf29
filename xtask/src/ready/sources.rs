//! The sources, as git knows them: their commit, and a copy for checks that change `Cargo.lock`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::cargo::root;

/// Makes `folder` a copy of what git knows or would be told of: no more and no less.
///
/// A file that has not changed keeps its time, so that cargo does not build it once more.
pub(super) fn copy(folder: &Path) -> Result<(), String> {
    let wanted = files()?;
    for file in &wanted {
        let (from, to) = (root().join(file), folder.join(file));
        // Deleted, and not yet committed.
        let Ok(text) = fs::read(&from) else { continue };
        if fs::read(&to).is_ok_and(|there| there == text) {
            continue;
        }
        let parent = to.parent().ok_or_else(|| format!("{} has no folder", to.display()))?;
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&to, text))
            .map_err(|error| format!("{} cannot be written: {error}", to.display()))?;
    }
    remove_others(folder, folder, &wanted)
}

/// The commit that is checked out.
pub(super) fn commit() -> Result<String, String> {
    git(&["rev-parse", "HEAD"]).map(|commit| commit.trim().to_owned())
}

fn files() -> Result<Vec<PathBuf>, String> {
    let names = git(&["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
    Ok(names.split_terminator('\0').map(PathBuf::from).collect())
}

fn git(args: &[&str]) -> Result<String, String> {
    let asked = Command::new("git").current_dir(root()).args(args).output();
    let asked = asked.map_err(|error| format!("git does not start: {error}"))?;
    if !asked.status.success() {
        return Err(format!("`git {}` failed: a release is made from a clone", args.join(" ")));
    }
    String::from_utf8(asked.stdout).map_err(|_| "git printed no UTF-8".to_owned())
}

/// Removes what an earlier copy had and this one has not.
fn remove_others(top: &Path, folder: &Path, wanted: &[PathBuf]) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.is_dir() {
            remove_others(top, &path, wanted)?;
        } else if path.strip_prefix(top).is_ok_and(|name| !wanted.iter().any(|it| it == name)) {
            fs::remove_file(&path)
                .map_err(|error| format!("{} cannot be removed: {error}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use super::copy;

    #[test]
    fn a_copy_has_what_git_knows_and_loses_what_it_does_not() {
        let folder = env::temp_dir().join(format!("session-xtask-copy-{}", process::id()));
        copy(&folder).expect("a copy");
        let manifest = folder.join("Cargo.toml");
        let before = fs::metadata(&manifest).and_then(|it| it.modified()).expect("its time");
        fs::write(folder.join("xtask/src/stray.rs"), "").expect("a file nobody knows");
        fs::write(folder.join("Cargo.lock"), "changed").expect("a changed file");
        copy(&folder).expect("a copy of the copy");
        assert!(!folder.join("xtask/src/stray.rs").exists());
        assert_ne!(fs::read(folder.join("Cargo.lock")).expect("the file"), b"changed");
        let after = fs::metadata(&manifest).and_then(|it| it.modified()).expect("its time");
        assert_eq!(before, after, "what had not changed was not written");
        assert!(!folder.join("target").exists(), "what is built is not copied");
        fs::remove_dir_all(&folder).expect("cleared away");
    }
}
