//! What parts of the tests need beyond Rust, git and a C compiler: found, installed, or asked for.

use std::{
    env,
    ffi::OsStr,
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::parts::Part;

/// Something a machine has or lacks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    /// The package of Debian it comes with; `None` for a right, which no package brings.
    pub(crate) debian: Option<&'static str>,
    pub(crate) is_there: fn() -> bool,
}

pub(crate) const CHROMIUM: Tool =
    Tool { name: "chromium", debian: Some("chromium"), is_there: || finds("chromium") };
pub(crate) const CHROMEDRIVER: Tool = Tool {
    name: "chromedriver",
    debian: Some("chromium-driver"),
    is_there: || finds("chromedriver"),
};
pub(crate) const REDIS: Tool =
    Tool { name: "redis-server", debian: Some("redis-server"), is_there: || finds("redis-server") };
pub(crate) const WRK: Tool = Tool { name: "wrk", debian: Some("wrk"), is_there: || finds("wrk") };
pub(crate) const VALGRIND: Tool =
    Tool { name: "valgrind", debian: Some("valgrind"), is_there: || finds("valgrind") };
pub(crate) const CURL: Tool =
    Tool { name: "curl", debian: Some("curl"), is_there: || finds("curl") };
pub(crate) const MOUNTS: Tool = Tool {
    name: "the right to mount (that of root, or user namespaces)",
    debian: None,
    is_there: may_mount,
};
pub(crate) const REQUESTS: Tool = Tool {
    name: "Python's requests",
    debian: Some("python3-requests"),
    is_there: python_has_requests,
};

/// Sees to it that the machine has what `parts` need: installs it where it may, and says so, or
/// returns the one command that does. `without` says how to do without parts of these names.
pub(crate) fn provide(parts: &[&Part], without: fn(&[&str]) -> String) -> Result<(), String> {
    let request = |missing: &[(&str, Tool)], debian| request(missing, debian, without);
    let missing = missing(parts);
    if missing.is_empty() {
        return Ok(());
    }
    let installable = missing.iter().all(|(_, tool)| tool.debian.is_some());
    let Some(mut apt) = apt().filter(|_| installable) else {
        return Err(request(&missing, finds("apt-get")));
    };
    println!("== needs: {}; installing what is missing:", list(&missing));
    for args in [vec!["update"], install(&missing)] {
        println!("   {} {}", apt.join(" "), args.join(" "));
        let (program, before) = apt.split_first_mut().ok_or("no apt-get")?;
        let done = Command::new(*program)
            .args(before)
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .status();
        if !done.is_ok_and(|status| status.success()) {
            return Err(format!("that failed. {}", request(&missing, true)));
        }
    }
    match self::missing(parts) {
        still if still.is_empty() => Ok(()),
        still => Err(format!("installed, and still not found. {}", request(&still, true))),
    }
}

/// What is not there, with the part that needs it.
fn missing(parts: &[&Part]) -> Vec<(&'static str, Tool)> {
    let needs = parts.iter().flat_map(|part| part.tools.iter().map(|tool| (part.name, *tool)));
    needs.filter(|(_, tool)| !(tool.is_there)()).collect()
}

fn list(missing: &[(&str, Tool)]) -> String {
    let each = missing.iter().map(|(part, tool)| format!("{part} needs {}", tool.name));
    each.collect::<Vec<_>>().join(", ")
}

/// Asks the reader for what is missing.
fn request(missing: &[(&str, Tool)], debian: bool, without: fn(&[&str]) -> String) -> String {
    let (programs, rights): (Vec<_>, Vec<_>) =
        missing.iter().copied().partition(|(_, tool)| tool.debian.is_some());
    let how = if programs.is_empty() {
        "no package brings it".to_owned()
    } else if debian {
        format!(
            "install {} with\n\n    sudo apt-get update && sudo apt-get {}",
            if rights.is_empty() { "it" } else { "what a package brings" },
            install(&programs).join(" ")
        )
    } else {
        "install it".to_owned()
    };
    let mut parts: Vec<_> = missing.iter().map(|(part, _)| *part).collect();
    parts.dedup();
    format!("{}: {how}\n\n{}", list(missing), without(&parts))
}

/// The arguments of apt-get. Nothing that is only recommended: a browser would bring a desktop.
fn install(missing: &[(&str, Tool)]) -> Vec<&'static str> {
    let mut args = vec!["install", "-y", "--no-install-recommends"];
    for package in missing.iter().filter_map(|(_, tool)| tool.debian) {
        if !args.contains(&package) {
            args.push(package);
        }
    }
    args
}

/// The start of a call of apt-get that nobody has to type a password for.
fn apt() -> Option<Vec<&'static str>> {
    let quiet = |program: &str, args: &[&str]| {
        Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()
            .filter(|output| output.status.success())
    };
    if !finds("apt-get") {
        return None;
    }
    if quiet("id", &["-u"]).is_some_and(|id| id.stdout.trim_ascii() == b"0") {
        return Some(vec!["apt-get"]);
    }
    quiet("sudo", &["-n", "true"]).map(|_| vec!["sudo", "-n", "apt-get"])
}

/// Whether a program of this name is in one of the folders of `PATH`.
fn finds(program: &str) -> bool {
    find(program, &env::var_os("PATH").unwrap_or_default()).is_some()
}

fn find(program: &str, path: &OsStr) -> Option<PathBuf> {
    env::split_paths(path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Tries it, in a mount namespace of its own: nothing is mounted afterwards.
fn may_mount() -> bool {
    [&["--mount"][..], &["--mount", "--map-root-user"]].into_iter().any(|namespace| {
        let tried = Command::new("unshare")
            .args(namespace)
            .args(["mount", "-t", "tmpfs", "tmpfs", "/tmp"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    })
}

/// Asks the first Python of `PATH`, and the one of the system, which has Debian's packages.
fn python_has_requests() -> bool {
    ["python3", "/usr/bin/python3"].into_iter().any(|python| {
        let asked = Command::new(python)
            .args(["-c", "import requests"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    })
}

#[cfg(test)]
mod tests {
    use std::env;

    use super::{Tool, find, install, missing, provide, request};
    use crate::parts::{Part, Tests};

    const THERE: Tool = Tool { name: "there", debian: Some("there"), is_there: || true };
    const LACKING: Tool = Tool { name: "driver", debian: Some("the-driver"), is_there: || false };

    const RIGHT: Tool = Tool { name: "a right", debian: None, is_there: || false };

    fn part(name: &'static str, tools: &'static [Tool]) -> Part {
        Part { name, package: "p", tests: Tests::All, tools }
    }

    fn without(parts: &[&str]) -> String {
        format!("or do without {}", parts.join("+"))
    }

    #[test]
    fn what_is_there_is_not_asked_for() {
        let (browser, other) = (part("browser", &[THERE, LACKING]), part("other", &[THERE]));
        let missing = missing(&[&browser, &other]);
        assert_eq!(missing.len(), 1);
        assert_eq!((missing[0].0, missing[0].1.name), ("browser", "driver"));
        assert_eq!(provide(&[&other], without), Ok(()));
    }

    #[test]
    fn the_request_has_one_command_that_installs_and_one_that_leaves_out() {
        let (one, two) = (("browser", LACKING), ("clients", LACKING));
        assert_eq!(
            request(&[one, one, two], true, without),
            "browser needs driver, browser needs driver, clients needs driver: install it with\n\n    \
             sudo apt-get update && sudo apt-get install -y --no-install-recommends the-driver\n\n\
             or do without browser+clients"
        );
        assert!(!request(&[one], false, without).contains("apt-get"), "it is not there");
        assert_eq!(install(&[one]).last(), Some(&"the-driver"));
    }

    #[test]
    fn a_right_is_asked_for_and_nothing_is_installed_in_its_place() {
        let (mounts, browser) = (part("mounts", &[RIGHT]), part("browser", &[LACKING]));
        let alone = "mounts needs a right: no package brings it\n\nor do without mounts";
        assert_eq!(provide(&[&mounts], without), Err(alone.to_owned()));
        let both = request(&missing(&[&mounts, &browser]), true, without);
        assert!(both.contains("install what a package brings with"), "{both}");
        assert!(both.ends_with(" the-driver\n\nor do without mounts+browser"), "{both}");
    }

    #[test]
    fn a_program_is_looked_for_in_every_folder_of_the_path() {
        let here = env::current_exe().expect("a test has a path");
        let name = here.file_name().and_then(|name| name.to_str()).expect("a name");
        let folders = [env::temp_dir(), here.parent().expect("a folder").to_owned()];
        let path = env::join_paths(folders).expect("no colons");
        assert_eq!(find(name, &path), Some(here.clone()));
        assert_eq!(find("deps", &path), None);
        assert_eq!(find(name, "".as_ref()), None);
    }
}
