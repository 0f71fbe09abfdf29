//! What is in the packages that are uploaded.

use std::{fs, path::Path};

use crate::cargo::output;

/// What every package must have.
const NEEDED: &[&str] =
    &["Cargo.lock", "Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "src/lib.rs"];

/// Sources and a few examples are far below this; what is above it has taken in data.
const MAX_BYTES: u64 = 512 << 10;

/// A package that was made.
pub(super) struct Made {
    pub(super) name: String,
    pub(super) version: String,
    /// Whether its manifest says where its sources are at home.
    pub(super) has_repository: bool,
}

/// Removes from `folder` what was built of other commits than this one.
///
/// To build a package from the packages of others, cargo makes a registry in the target folder. It
/// takes a version it has once unpacked or built from there for the same forever (cargo 1.95), so
/// that each commit needs a place of its own.
pub(super) fn leave_only(folder: &Path, commit: &str) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("{} cannot be cleared: {error}", folder.display());
    fs::create_dir_all(folder).map_err(fail)?;
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry.file_name() != commit {
            fs::remove_dir_all(entry.path()).map_err(fail)?;
        }
    }
    Ok(())
}

/// Looks at the packages in `folder`.
pub(super) fn look(folder: &Path, packages: &[Made]) -> Result<(), String> {
    for Made { name, version, .. } in packages {
        let file = folder.join(format!("{name}-{version}.crate"));
        let size = fs::metadata(&file)
            .map_err(|error| format!("{} is not there: {error}", file.display()))?
            .len();
        let list = output(&["package", "--quiet", "--list", "--package", name])?;
        let files: Vec<_> = list.lines().collect();
        println!("{name} {version}: {} files, {} KiB", files.len(), size >> 10);
        if let Some(what) = offence(&files, size) {
            return Err(format!("the package {name} {what}"));
        }
    }
    if packages.iter().any(|package| !package.has_repository) {
        println!(
            "no `repository` is named: until one is, links of the READMEs lead nowhere on crates.io"
        );
    }
    Ok(())
}

fn offence(files: &[&str], size: u64) -> Option<String> {
    let missing: Vec<_> = NEEDED.iter().filter(|it| !files.contains(it)).copied().collect();
    if !missing.is_empty() {
        return Some(format!("lacks {}", missing.join(", ")));
    }
    (size > MAX_BYTES)
        .then(|| format!("has {} KiB: leave data out with `exclude` in its Cargo.toml", size >> 10))
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use super::{MAX_BYTES, NEEDED, leave_only, offence};

    #[test]
    fn what_was_built_of_another_commit_is_removed() {
        let folder = env::temp_dir().join(format!("session-xtask-packages-{}", process::id()));
        for commit in ["this", "other"] {
            fs::create_dir_all(folder.join(commit).join("package")).expect("a folder");
        }
        leave_only(&folder, "this").expect("cleared");
        assert!(folder.join("this/package").exists());
        assert!(!folder.join("other").exists());
        fs::remove_dir_all(&folder).expect("cleared away");
    }

    #[test]
    fn a_package_without_its_licence_or_full_of_data_is_refused() {
        assert_eq!(offence(NEEDED, MAX_BYTES), None);
        assert!(offence(&NEEDED[1..], 0).is_some());
        assert!(offence(NEEDED, MAX_BYTES + 1).is_some());
    }
}
