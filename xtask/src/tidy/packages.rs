//! Rules about packages: what they depend on, and what they say of themselves.

use std::{collections::BTreeSet, fs};

use cargo_metadata::{DependencyKind, Metadata, PackageId};

use super::{Rule, tree::dependencies};
use crate::cargo::{is_published, root, workspace};

/// Starts of the names of crates that session-core must never bring along: runtimes, the web,
/// storage. A lock that works under any runtime, such as async-lock, is none.
const NOT_IN_CORE: &str = "async-executor async-global-executor async-io async-std compio glommio \
    mio monoio smol tokio actix axum cookie h2 http hyper poem rocket salvo tower warp bb8 deadpool \
    diesel fjall fred heed libsqlite3 lmdb memmap moka mongodb postgres quick_cache redb redis \
    rocksdb rusqlite sled sqlx tempfile";

/// Starts of the names of crates that belong to an adapter for a web framework, and to no backend.
const WEB: &str = "actix axum http hyper poem rocket salvo tower warp";

/// Crates that bring sessions to a web framework: the only ones that may know it.
const ADAPTERS: [&str; 2] = ["session-actix", "session-actix-compat"];

/// Why a crate that users build must not depend on another, however far away; `None` if it may.
fn forbidden(name: &str, on: &str) -> Option<&'static str> {
    let starts = |list: &str| list.split_whitespace().any(|start| on.starts_with(start));
    match name {
        "session-core" if starts(NOT_IN_CORE) => {
            Some("the core knows no web framework, no runtime and no storage")
        }
        _ if on.starts_with("session-") && on != "session-core" => {
            Some("a crate for one backend or framework knows session-core only")
        }
        _ if !ADAPTERS.contains(&name) && starts(WEB) => Some("a backend knows no web framework"),
        _ => None,
    }
}

#[test]
fn a_crate_knows_the_core_and_an_adapter_its_framework() {
    for (name, bad, good) in [
        ("session-core", "tokio-util rusqlite session-fs", "async-lock rustix"),
        ("session-fs", "session-cache actix-web hyper", "session-core tokio"),
        ("session-actix", "session-fs", "session-core http"),
    ] {
        let may = |on: &&str| forbidden(name, on).is_none();
        assert_eq!(bad.split(' ').find(may), None, "{name}");
        assert!(good.split(' ').all(|on| may(&on)), "{name}: {good}");
    }
    let metadata = dependencies();
    let mut offences = Vec::new();
    for package in metadata.workspace_packages().into_iter().filter(|it| is_published(it)) {
        let built = built_with(&metadata, &package.id);
        assert!(built.len() > 3, "{}: {built:?}", package.name);
        offences.extend(built.into_iter().filter(|on| **on != *package.name).filter_map(|on| {
            Some(format!(
                "{} must not depend on {on}: {}",
                package.name,
                forbidden(&package.name, on)?
            ))
        }));
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

/// The names of all crates that are built with a package, on any system, by users.
fn built_with<'a>(metadata: &'a Metadata, package: &'a PackageId) -> BTreeSet<&'a str> {
    let resolve = metadata.resolve.as_ref().expect("what cargo chose");
    let (mut seen, mut next) = (BTreeSet::new(), vec![package]);
    while let Some(id) = next.pop() {
        if seen.insert(id) {
            let node = resolve.nodes.iter().find(|node| node.id == *id).expect("a node");
            let normal = node.deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|it| it.kind == DependencyKind::Normal)
            });
            next.extend(normal.map(|dependency| &dependency.pkg));
        }
    }
    seen.into_iter().map(|id| metadata[id].name.as_str()).collect()
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    Rule {
        reason: "`unsafe` is forbidden there, and what else nobody should have to look for",
        find: |tree| {
            let without = tree.ending("/Cargo.toml").filter(|file| {
                // A workspace of its own cannot take them; it forbids `unsafe` itself.
                let is_apart = file.text.starts_with("[workspace]");
                let needed = if is_apart { "unsafe_code = \"forbid\"" } else { "workspace = true" };
                let lints = file.text.split("\n[lints").nth(1).unwrap_or_default();
                !lints.lines().any(|line| line == needed)
            });
            without.map(|file| file.path.clone()).collect()
        },
    }
    .catches(&[("session-fs/Cargo.toml", "[package]\nname = \"session-fs\"\n")])
    .allows(&[("session-fs/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n")])
    .holds();
}

#[test]
fn versions_in_readmes_are_the_version_of_the_workspace() {
    let manifest = ("Cargo.toml", "[workspace.package]\nversion = \"0.2.1\"\n");
    Rule {
        reason: "what a reader copies from a README must be the release the README is about",
        find: |tree| {
            let package = tree.text("Cargo.toml").split("[workspace.package]\nversion = \"").nth(1);
            let version = package.and_then(|it| it.split('"').next()).unwrap_or("none");
            let wrong = |line: &str| {
                let (_, rest) = line.trim_start().strip_prefix("session-")?.split_once('=')?;
                let newer = version.strip_prefix(rest.split('"').nth(1)?);
                let fits = newer.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
                (!fits).then(|| format!("{line} in a workspace of version {version}"))
            };
            tree.ending("README.md").flat_map(|file| file.offences(wrong)).collect()
        },
    }
    .catches(&[manifest, ("README.md", "session-fs = \"0.1\"\n")])
    .catches(&[manifest, ("README.md", "session-fs = { version = \"0.20\" }\n")])
    .allows(&[manifest, ("README.md", "session-fs = \"0.2\"\nsession-core = \"0.2.1\"\n")])
    .holds();
}

#[test]
fn every_published_package_carries_its_licences_and_describes_itself() {
    let read =
        |path: String| fs::read(root().join(&path)).unwrap_or_else(|it| panic!("{path}: {it}"));
    for package in workspace().expect("the workspace").packages.iter().filter(|it| is_published(it))
    {
        let name = &package.name;
        for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
            let (ours, top) = (read(format!("{name}/{licence}")), read(licence.to_owned()));
            assert!(ours == top, "{name}: {licence} is not like the one at the top");
        }
        let said = package.description.is_some() && package.license.is_some();
        assert!(said && package.readme.is_some(), "{name} does not describe itself");
    }
}
