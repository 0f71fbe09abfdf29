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
    use super::{MAX_BYTES, NEEDED, offence};

    #[test]
    fn a_package_without_its_licence_or_full_of_data_is_refused() {
        assert_eq!(offence(NEEDED, MAX_BYTES), None);
        assert!(offence(&NEEDED[1..], 0).is_some());
        assert!(offence(NEEDED, MAX_BYTES + 1).is_some());
    }
}
