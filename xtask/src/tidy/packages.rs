//! Rules about packages: what they depend on, and what they say of themselves.

use super::{
    Rule,
    tree::{File, Tree},
};
use crate::{cargo::Package, json::Json};

/// Crates of this workspace that tests and examples of a crate may use.
const FOR_TESTS: &[(&str, &[&str])] = &[
    ("session-core", &[]),
    ("session-fs", &["session-core"]),
    ("session-cache", &["session-core"]),
    // The program that looks for stale reads needs the cache that might serve them.
    ("session-redis", &["session-core", "session-cache"]),
    // Its examples are whole programs, and its bench compares: they need places to keep sessions.
    ("session-actix", &["session-core", "session-fs", "session-cache"]),
    ("session-actix-compat", &["session-core", "session-fs"]),
    // Knows the demo as a program only.
    ("demo-tests", &[]),
    ("demo", &["session-core", "session-fs", "session-redis", "session-cache", "session-actix"]),
    ("testkit", &["session-core"]),
    ("counts", &["session-core", "session-cache", "session-actix"]),
    ("fuzz-targets", &["session-core", "session-fs", "session-cache", "session-actix"]),
    ("report", &[]),
    ("scale", &["session-core", "session-fs", "session-cache"]),
    ("xtask", &[]),
];

/// Packages that are all test, and nobody's dependency.
const ALL_TEST: &[&str] = &["counts", "demo", "fuzz-targets", "scale", "testkit"];

#[test]
fn crates_depend_on_the_core_and_on_nothing_else_of_ours() {
    let package = |name, kind, on| {
        let text =
            format!(r#"{{"name":"{name}","dependencies":[{{"name":"{on}","kind":{kind}}}]}}"#);
        let package = Package(Json::parse(&text).expect("JSON"));
        Tree { files: Vec::new(), packages: vec![package] }
    };
    Rule {
        reason: "a user builds and audits the crates that are used, and no others",
        find: |tree| tree.packages.iter().flat_map(wrong_edges).collect(),
    }
    .catches_in(&package("session-cache", "null", "session-fs"))
    .catches_in(&package("session-cache", "\"dev\"", "session-actix"))
    .catches_in(&package("session-unheard-of", "null", "session-core"))
    .catches_in(&package("xtask", "null", "session-core"))
    .holds();
}

fn wrong_edges(package: &Package) -> Vec<String> {
    let name = package.name();
    let Some((_, for_tests)) = FOR_TESTS.iter().find(|(it, _)| *it == name) else {
        return vec![format!("{name} is not in the list of what crates may use")];
    };
    let dependencies = package.0.get("dependencies").map_or(&[][..], Json::items);
    let ours = dependencies.iter().filter_map(|dependency| {
        let on = dependency.get("name").and_then(Json::text)?;
        let kind = dependency.get("kind").and_then(Json::text).unwrap_or("normal");
        on.starts_with("session-").then_some((on, kind))
    });
    ours.filter(|(on, kind)| match *kind {
        kind if kind == "dev" || ALL_TEST.contains(&name) => !for_tests.contains(on),
        _ => *on != "session-core" || !name.starts_with("session-"),
    })
    .map(|(on, kind)| format!("{name} must not have the {kind} dependency {on}"))
    .collect()
}

#[test]
fn xtask_has_no_dependencies() {
    let package = r#"{"name":"xtask","dependencies":[{"name":"serde","kind":null}]}"#;
    let package = Package(Json::parse(package).expect("JSON"));
    Rule {
        reason: "the first command on a fresh machine builds it, and waits for whatever it needs",
        find: |tree| {
            let xtask = tree.packages.iter().find(|package| package.name() == "xtask");
            let dependencies = xtask.and_then(|xtask| xtask.0.get("dependencies"));
            let dependencies = dependencies.map_or(&[][..], Json::items);
            dependencies.iter().map(|it| format!("xtask depends on {it:?}")).collect()
        },
    }
    .catches_in(&Tree { files: Vec::new(), packages: vec![package] })
    .holds();
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    Rule {
        reason: "`unsafe` is forbidden there, and what else nobody should have to look for",
        find: |tree| {
            let manifests = tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml"));
            manifests
                .filter(|file| {
                    // A workspace of its own cannot take them; it forbids `unsafe` itself.
                    let is_apart = file.text.starts_with("[workspace]");
                    let needed = if is_apart {
                        "\n[lints.rust]\nunsafe_code = \"forbid\"\n"
                    } else {
                        "\n[lints]\nworkspace = true\n"
                    };
                    !file.text.contains(needed)
                })
                .map(|file| format!("{} has no `[lints] workspace = true`", file.path))
                .collect()
        },
    }
    .catches(&[("session-fs/Cargo.toml", "[package]\nname = \"session-fs\"\n")])
    .allows(&[("session-fs/Cargo.toml", "[package]\n\n[lints]\nworkspace = true\n")])
    .holds();
}

#[test]
fn versions_of_dependencies_stand_in_the_workspace_alone() {
    Rule {
        reason: "where a version stands twice, one of them is forgotten when the other is raised",
        find: |tree| {
            let manifests = tree.files.iter().filter(|file| {
                // A workspace of its own has its own.
                file.path.ends_with("/Cargo.toml") && !file.text.starts_with("[workspace]")
            });
            manifests.flat_map(versions).collect()
        },
    }
    .catches(&[("a/Cargo.toml", "[dependencies]\n# Why.\nserde = \"1\"\n")])
    .catches(&[("a/Cargo.toml", "[dev-dependencies]\nserde = { version = \"1\" }\n")])
    .catches(&[("a/Cargo.toml", "[dependencies.serde]\nversion = \"1\"\n")])
    .allows(&[("a/Cargo.toml", "[package]\nname = \"a\"\n\n[dependencies]\nb.path = \"../b\"\n")])
    .allows(&[("a/Cargo.toml", "[dependencies]\nb = { workspace = true, features = [\"x\"] }\n")])
    .allows(&[("b/Cargo.toml", "[workspace]\n\n[dependencies]\nserde = \"1\"\n")])
    .holds();
}

/// Lines of the tables of dependencies that name a version.
fn versions(manifest: &File) -> Vec<String> {
    let mut table = "";
    let mut offences = Vec::new();
    for (number, line) in manifest.lines() {
        if line.starts_with('[') {
            table = line;
        } else if table.contains("dependencies")
            && let Some((name, value)) = line.split_once('=')
        {
            let is_version = value.trim_start().starts_with('"') && !name.contains('.')
                || name.trim().ends_with("version")
                || value.contains("version =");
            if is_version {
                offences.push(format!("{}:{number}: {line}", manifest.path));
            }
        }
    }
    offences
}

#[test]
fn versions_in_readmes_are_the_version_of_the_workspace() {
    let manifest = ("Cargo.toml", "[workspace.package]\nversion = \"0.2.1\"\n");
    Rule {
        reason: "what a reader copies from a README must be the release the README is about",
        find: |tree| {
            let manifest = tree.file("Cargo.toml").map_or("", |file| &file.text);
            let version = manifest
                .lines()
                .skip_while(|line| *line != "[workspace.package]")
                .find_map(|line| line.strip_prefix("version = \""))
                .and_then(|rest| rest.split('"').next())
                .unwrap_or_default();
            if version.is_empty() {
                return vec!["Cargo.toml has no version of the workspace".to_owned()];
            }
            let readmes = tree.markdown().filter(|file| file.path.ends_with("README.md"));
            readmes
                .flat_map(|file| {
                    file.offences(|line| {
                        let (_, rest) =
                            line.trim_start().strip_prefix("session-")?.split_once('=')?;
                        let named = rest.split('"').nth(1)?;
                        let newer = version.strip_prefix(named);
                        let fits =
                            newer.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
                        (!fits).then(|| format!("{line} in a workspace of version {version}"))
                    })
                })
                .collect()
        },
    }
    .catches(&[manifest, ("README.md", "session-fs = \"0.1\"\n")])
    .catches(&[manifest, ("README.md", "session-fs = { version = \"0.20\" }\n")])
    .allows(&[manifest, ("README.md", "session-fs = \"0.2\"\nsession-core = \"0.2.1\"\n")])
    .holds();
}

#[test]
fn every_published_package_carries_its_licences_and_describes_itself() {
    let silent = r#"{"name":"session-x","publish":null,"description":"placeholder"}"#;
    let silent = Package(Json::parse(silent).expect("JSON"));
    Rule {
        reason: "a package is used far from this repository, and the licences ask to be with it",
        find: |tree| {
            let mut offences = Vec::new();
            for package in tree.packages.iter().filter(|package| package.is_published()) {
                let name = package.name();
                for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
                    let ours = std::fs::read(crate::cargo::root().join(name).join(licence));
                    let top = std::fs::read(crate::cargo::root().join(licence));
                    if !ours.is_ok_and(|ours| top.is_ok_and(|top| top == ours)) {
                        offences.push(format!("{name} has no {licence} like the one at the top"));
                    }
                }
                for field in ["description", "license", "readme", "rust_version"] {
                    let text = package.0.get(field).and_then(Json::text).unwrap_or_default();
                    if text.is_empty() || text == "placeholder" {
                        offences.push(format!("{name} has no {field} in its Cargo.toml"));
                    }
                }
            }
            offences
        },
    }
    .catches_in(&Tree { files: Vec::new(), packages: vec![silent] })
    .holds();
}
