//! What each crate may build on, its dependencies' dependencies included.

use std::collections::BTreeSet;

use crate::cargo::{Package, output};

/// Starts of the names of crates that session-core must never bring along, whoever asks for them.
const NOT_IN_CORE: &[&str] = &[
    // Runtimes. A lock that works under any of them, such as async-lock, is none.
    "async-executor",
    "async-global-executor",
    "async-io",
    "async-std",
    "compio",
    "glommio",
    "mio",
    "monoio",
    "smol",
    "tokio",
    // The web.
    "actix",
    "axum",
    "cookie",
    "h2",
    "http",
    "hyper",
    "poem",
    "rocket",
    "salvo",
    "tower",
    "warp",
    // Storage.
    "bb8",
    "deadpool",
    "diesel",
    "fjall",
    "fred",
    "heed",
    "libsqlite3",
    "lmdb",
    "memmap",
    "moka",
    "mongodb",
    "postgres",
    "quick_cache",
    "redb",
    "redis",
    "rocksdb",
    "rusqlite",
    "rustix",
    "sled",
    "sqlx",
    "tempfile",
];

/// Starts of the names of crates that belong to an adapter for a web framework, and to no backend.
const WEB: &[&str] =
    &["actix", "axum", "http", "hyper", "poem", "rocket", "salvo", "tower", "warp"];

/// Crates that bring sessions to a web framework: the only ones that may know it.
const ADAPTERS: &[&str] = &["session-actix", "session-actix-compat"];

/// Looks at every crate that is built by users.
pub(crate) fn run(packages: &[Package]) -> Result<(), String> {
    let mut offences = Vec::new();
    for name in packages.iter().map(Package::name).filter(|name| name.starts_with("session-")) {
        let tree = output(&[
            "tree",
            "--locked",
            "--package",
            name,
            "--edges",
            "normal",
            "--all-features",
            "--target",
            "all",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])?;
        let crates: BTreeSet<_> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        let crates: Vec<_> = crates.into_iter().collect();
        println!("{name}: {} crates", crates.len().saturating_sub(1));
        offences.extend(offending(name, &crates));
    }
    if offences.is_empty() { Ok(()) } else { Err(offences.join("\n")) }
}

/// The crates of a dependency tree that `name` must not have.
fn offending(name: &str, crates: &[&str]) -> Vec<String> {
    let starts = |list: &[&str], it: &str| list.iter().any(|start| it.starts_with(start));
    let mut offences = Vec::new();
    for it in crates.iter().filter(|it| **it != name) {
        let reason = if name == "session-core" && starts(NOT_IN_CORE, it) {
            "the core knows no web framework, no runtime and no storage"
        } else if it.starts_with("session-") && *it != "session-core" {
            "a crate for one backend or framework knows session-core only"
        } else if !ADAPTERS.contains(&name) && starts(WEB, it) {
            "a backend knows no web framework"
        } else {
            continue;
        };
        offences.push(format!("{name} must not depend on {it}: {reason}"));
    }
    offences
}

#[cfg(test)]
mod tests {
    use super::offending;

    #[test]
    fn a_runtime_a_framework_and_a_store_are_kept_out_of_the_core() {
        assert!(offending("session-core", &["session-core", "async-lock", "serde"]).is_empty());
        for bad in ["tokio", "tokio-util", "actix-http", "rusqlite", "rustix", "session-fs"] {
            assert_eq!(offending("session-core", &[bad]).len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_backend_sees_the_core_only() {
        assert!(offending("session-fs", &["session-core", "tokio", "rustix"]).is_empty());
        for bad in ["session-cache", "session-actix", "actix-web", "hyper"] {
            assert_eq!(offending("session-fs", &[bad]).len(), 1, "{bad}");
        }
    }

    #[test]
    fn an_adapter_sees_its_framework_and_no_backend() {
        assert!(offending("session-actix", &["session-core", "actix-web", "http"]).is_empty());
        assert_eq!(offending("session-actix", &["session-fs"]).len(), 1);
    }
}
