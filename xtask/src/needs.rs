//! What commands need beyond Rust, git and a C compiler: found, installed, or asked for.

use std::process::{Command, Stdio};

/// Something a machine has or lacks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// A line for the shell that succeeds where it is there.
    pub(crate) check: &'static str,
    pub(crate) from: From,
}

/// Where a tool comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum From {
    /// A package of Debian.
    Debian(&'static str),
    /// This line for the shell installs it.
    Line(&'static str),
    /// A right, which nothing installs.
    Nowhere,
}

const fn debian(name: &'static str, check: &'static str, package: &'static str) -> Tool {
    Tool { name, check, from: From::Debian(package) }
}

pub(crate) const CHROMIUM: Tool = debian("chromium", "command -v chromium", "chromium");
pub(crate) const CHROMEDRIVER: Tool =
    debian("chromedriver", "command -v chromedriver", "chromium-driver");
pub(crate) const CURL: Tool = debian("curl", "command -v curl", "curl");
pub(crate) const REDIS: Tool = debian("redis-server", "command -v redis-server", "redis-server");
/// The first Python of `PATH`, or the one of the system, which has Debian's packages.
pub(crate) const REQUESTS: Tool = debian(
    "Python's requests",
    "python3 -c 'import requests' || /usr/bin/python3 -c 'import requests'",
    "python3-requests",
);
pub(crate) const VALGRIND: Tool = debian("valgrind", "command -v valgrind", "valgrind");
pub(crate) const WRK: Tool = debian("wrk", "command -v wrk", "wrk");
/// Tried in a mount namespace of its own: nothing is mounted afterwards.
pub(crate) const MOUNTS: Tool = Tool {
    name: "the right to mount (that of root, or user namespaces)",
    check: "unshare --mount mount -t tmpfs tmpfs /tmp || \
            unshare --mount --map-root-user mount -t tmpfs tmpfs /tmp",
    from: From::Nowhere,
};

const fn line(name: &'static str, check: &'static str, line: &'static str) -> Tool {
    Tool { name, check, from: From::Line(line) }
}

pub(crate) const CARGO_DENY: Tool =
    line("cargo-deny", "cargo deny --version", "cargo install --locked cargo-deny");
pub(crate) const CARGO_FUZZ: Tool =
    line("cargo-fuzz", "cargo fuzz --version", "cargo install --locked cargo-fuzz");
pub(crate) const CARGO_HACK: Tool =
    line("cargo-hack", "cargo hack --version", "cargo install --locked cargo-hack");
pub(crate) const CARGO_SEMVER_CHECKS: Tool = line(
    "cargo-semver-checks",
    "cargo semver-checks --version",
    "cargo install --locked cargo-semver-checks",
);
pub(crate) const CLIPPY: Tool =
    line("clippy", "cargo clippy --version", "rustup component add clippy");
pub(crate) const RUSTFMT: Tool =
    line("rustfmt", "cargo fmt --version", "rustup component add rustfmt");

/// A part of a command, and a tool it needs.
pub(crate) type Need<'a> = (&'a str, Tool);

/// Sees to it that the machine has what is needed: installs it where it may, and says so before, or
/// returns the lines that do. `without` says how to do without parts of these names.
pub(crate) fn provide(needs: &[Need<'_>], without: fn(&[&str]) -> String) -> Result<(), String> {
    let missing: Vec<_> = needs.iter().copied().filter(|(_, tool)| !succeeds(tool.check)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let apt = if succeeds("command -v apt-get && test \"$(id -u)\" = 0") {
        Some("apt-get")
    } else if succeeds("command -v apt-get && sudo -n true") {
        Some("sudo -n apt-get")
    } else {
        None
    };
    let Some(lines) = lines(&missing, apt) else {
        return Err(request(&missing, succeeds("command -v apt-get"), without));
    };
    println!("== needs: {}; installing what is missing:", list(&missing));
    for line in lines {
        println!("   {line}");
        let mut shell = shell(&line);
        let done = shell.env("DEBIAN_FRONTEND", "noninteractive").status();
        if !done.is_ok_and(|status| status.success()) {
            return Err(format!("that failed. {}", request(&missing, apt.is_some(), without)));
        }
    }
    match missing.into_iter().filter(|(_, tool)| !succeeds(tool.check)).collect::<Vec<_>>() {
        still if still.is_empty() => Ok(()),
        still => Err(format!("installed, and still missing. {}", request(&still, true, without))),
    }
}

/// What installs all of them; `None` if something is not to be had, or not without apt-get.
///
/// Nothing that is only recommended: a browser would bring a desktop.
fn lines(missing: &[Need<'_>], apt: Option<&str>) -> Option<Vec<String>> {
    let (mut packages, mut lines) = (Vec::new(), Vec::new());
    for (_, tool) in missing {
        match tool.from {
            From::Debian(package) if !packages.contains(&package) => packages.push(package),
            From::Debian(_) => {}
            From::Line(line) => lines.push(line.to_owned()),
            From::Nowhere => return None,
        }
    }
    if !packages.is_empty() {
        let (apt, packages) = (apt?, packages.join(" "));
        lines.insert(0, format!("{apt} update"));
        lines.insert(1, format!("{apt} install -y --no-install-recommends {packages}"));
    }
    Some(lines)
}

fn list(missing: &[Need<'_>]) -> String {
    let each = missing.iter().map(|(part, tool)| format!("{part} needs {}", tool.name));
    each.collect::<Vec<_>>().join(", ")
}

/// Asks the reader for what is missing.
fn request(missing: &[Need<'_>], debian: bool, without: fn(&[&str]) -> String) -> String {
    let tools: Vec<_> =
        missing.iter().copied().filter(|(_, tool)| tool.from != From::Nowhere).collect();
    let how = match lines(&tools, debian.then_some("sudo apt-get")) {
        _ if tools.is_empty() => "nothing installs it".to_owned(),
        Some(lines) => format!("install it with\n\n    {}", lines.join(" && ")),
        None => "install it".to_owned(),
    };
    let mut parts: Vec<_> = missing.iter().map(|(part, _)| *part).collect();
    parts.dedup();
    format!("{}: {how}\n\n{}", list(missing), without(&parts))
}

fn succeeds(line: &str) -> bool {
    let asked = shell(line).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn shell(line: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]).stdin(Stdio::null());
    shell
}

#[cfg(test)]
mod tests {
    use super::{From, Tool, lines, provide, request};

    const THERE: Tool = Tool { name: "there", check: "true", from: From::Debian("there") };
    const DRIVER: Tool = Tool { name: "driver", check: "false", from: From::Debian("the-driver") };
    const RIGHT: Tool = Tool { name: "a right", check: "false", from: From::Nowhere };
    const LINE: Tool = Tool { name: "line", check: "false", from: From::Line("make line") };

    fn without(parts: &[&str]) -> String {
        format!("or do without {}", parts.join("+"))
    }

    #[test]
    fn what_is_there_is_not_asked_for() {
        assert_eq!(provide(&[("browser", THERE), ("other", THERE)], without), Ok(()));
    }

    #[test]
    fn the_request_has_one_line_that_installs_and_one_that_leaves_out() {
        let (one, two) = (("browser", DRIVER), ("clients", LINE));
        assert_eq!(
            request(&[one, one, two], true, without),
            "browser needs driver, browser needs driver, clients needs line: install it with\n\n    \
             sudo apt-get update && sudo apt-get install -y --no-install-recommends the-driver && \
             make line\n\nor do without browser+clients"
        );
        assert!(!request(&[one], false, without).contains("apt-get"), "it is not there");
        assert_eq!(lines(&[two], None), Some(vec!["make line".to_owned()]));
    }

    #[test]
    fn a_right_is_asked_for_and_nothing_is_installed_in_its_place() {
        let alone = "mounts needs a right: nothing installs it\n\nor do without mounts";
        assert_eq!(provide(&[("mounts", RIGHT)], without), Err(alone.to_owned()));
        let both = provide(&[("mounts", RIGHT), ("clients", LINE)], without).expect_err("missing");
        assert!(both.contains("make line\n\nor do without mounts+clients"), "{both}");
    }

    #[test]
    fn what_is_missing_is_installed_by_its_line() {
        let folder = std::env::temp_dir().join(format!("session-xtask-{}", std::process::id()));
        let check = format!("test -d {}", folder.display()).leak();
        let made = Tool {
            name: "made",
            check,
            from: From::Line(format!("mkdir {}", folder.display()).leak()),
        };
        assert_eq!(provide(&[("fuzz", made)], without), Ok(()));
        assert!(folder.is_dir());
        let kept = Tool { from: From::Line("true"), check: "false", ..made };
        assert!(provide(&[("fuzz", kept)], without).is_err_and(|it| it.contains("still missing")));
        std::fs::remove_dir(folder).expect("it was made");
    }
}
