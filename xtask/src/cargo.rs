//! Calling cargo.

use std::{
    env,
    ffi::OsString,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::json::Json;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .unwrap_or_else(|| OsString::from(env!("CARGO_MANIFEST_DIR")));
    let mut root = PathBuf::from(package);
    root.pop();
    root
}

/// The cargo that runs this program, in the folder of the workspace.
pub(crate) fn cargo() -> Command {
    at_the_top(Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())))
}

/// The cargo of another version of Rust, which rustup has.
pub(crate) fn cargo_of(version: &str) -> Command {
    let mut command = at_the_top(Command::new("rustup"));
    command.args(["run", version, "cargo"]);
    // These name the cargo and the compiler of the version that runs this program.
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command
}

/// In the folder of the workspace, without what cargo says of this package.
pub(crate) fn at_the_top(mut command: Command) -> Command {
    command.current_dir(root());
    // Cargo told this program about its own package. Build scripts that ask for the same names (that
    // of ring does) would run again at every change between `cargo xtask` and a plain cargo call.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    command
}

/// The standard output of a cargo call that is expected to succeed.
pub(crate) fn output(args: &[&str]) -> Result<String, String> {
    let line = || format!("cargo {}", args.join(" "));
    let output = cargo()
        .args(args)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("`{}` does not start: {error}", line()))?;
    if !output.status.success() {
        return Err(format!("`{}` failed", line()));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{}` printed no UTF-8", line()))
}

/// A member of the workspace, as `cargo metadata` describes it.
#[derive(Clone, Debug)]
pub(crate) struct Package(pub(crate) Json);

impl Package {
    pub(crate) fn name(&self) -> &str {
        self.0.get("name").and_then(Json::text).unwrap_or_default()
    }

    pub(crate) fn version(&self) -> &str {
        self.0.get("version").and_then(Json::text).unwrap_or_default()
    }

    /// Where its sources are at home.
    pub(crate) fn repository(&self) -> Option<&str> {
        self.0.get("repository").and_then(Json::text)
    }

    /// The oldest version of Rust it says it builds with.
    pub(crate) fn rust_version(&self) -> Option<&str> {
        self.0.get("rust_version").and_then(Json::text)
    }

    /// Whether it may be published: its manifest has no `publish = false`.
    pub(crate) fn is_published(&self) -> bool {
        !matches!(self.0.get("publish"), Some(Json::List(_)))
    }

    /// Names of its features, without `default`.
    pub(crate) fn features(&self) -> Vec<&str> {
        let Some(Json::Object(features)) = self.0.get("features") else { return Vec::new() };
        features.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "default").collect()
    }

    /// Names of the targets of a kind: `lib`, `bench`, `example`.
    pub(crate) fn targets(&self, kind: &str) -> Vec<&str> {
        self.0
            .get("targets")
            .map_or(&[][..], Json::items)
            .iter()
            .filter(|target| {
                let kinds = target.get("kind").map_or(&[][..], Json::items);
                kinds.iter().any(|it| it.text() == Some(kind))
            })
            .filter_map(|target| target.get("name").and_then(Json::text))
            .collect()
    }
}

/// The members of the workspace and the folder cargo builds into.
pub(crate) fn workspace() -> Result<(Vec<Package>, PathBuf), String> {
    let text = output(&["metadata", "--no-deps", "--format-version", "1"])?;
    let metadata = Json::parse(&text).ok_or("`cargo metadata` printed something else than JSON")?;
    let target = metadata
        .get("target_directory")
        .and_then(Json::text)
        .ok_or("`cargo metadata` names no target folder")?;
    let packages = metadata.get("packages").map_or(&[][..], Json::items);
    Ok((packages.iter().cloned().map(Package).collect(), PathBuf::from(target)))
}
