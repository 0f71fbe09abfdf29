//! What the checks of a release need beyond Rust: installed, or asked for.

use std::process::{Command, Stdio};

use crate::cargo::{cargo, cargo_of};

/// Something a part needs, and the one command that installs it.
struct Need<'a> {
    part: &'a str,
    name: String,
    install: Vec<String>,
}

/// Sees to it that the machine has what `parts` need: installs it, and says so, or returns the one
/// command that does.
pub(super) fn provide(parts: &[&str], rust: &str) -> Result<(), String> {
    for need in parts.iter().filter_map(|part| need(part, rust)) {
        if !is_there(&need, rust) {
            println!("== {} needs {}; installing it: {}", need.part, need.name, line(&need));
            let (program, args) = need.install.split_first().ok_or("nothing to install")?;
            let mut command = if program == "cargo" { cargo() } else { Command::new(program) };
            let done = command.args(args).stdin(Stdio::null()).status();
            if !done.is_ok_and(|status| status.success()) || !is_there(&need, rust) {
                return Err(request(&need));
            }
        }
    }
    Ok(())
}

fn need<'a>(part: &'a str, rust: &str) -> Option<Need<'a>> {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect();
    let (name, install) = match part {
        "licences" | "advisories" => {
            ("cargo-deny".to_owned(), words("cargo install --locked cargo-deny"))
        }
        "msrv" => (
            format!("Rust {rust}"),
            words(&format!("rustup toolchain install {rust} --profile minimal")),
        ),
        _ => return None,
    };
    Some(Need { part, name, install })
}

fn is_there(need: &Need<'_>, rust: &str) -> bool {
    let (mut command, args) = match need.part {
        "msrv" => (cargo_of(rust), ["--version"].as_slice()),
        _ => (cargo(), ["deny", "--version"].as_slice()),
    };
    let asked = command.args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

/// Asks the reader for what could not be installed.
fn request(need: &Need<'_>) -> String {
    let Need { part, name, .. } = need;
    format!(
        "{part} needs {name}, and this did not install it:\n\n    {}\n\n\
         or leave the part out with\n\n    cargo xtask ready --without {part}",
        line(need)
    )
}

fn line(need: &Need<'_>) -> String {
    need.install.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{is_there, need, request};

    #[test]
    fn the_request_has_one_command_that_installs_and_one_that_leaves_out() {
        let need = need("msrv", "1.89").expect("a need");
        let request = request(&need);
        for line in
            ["rustup toolchain install 1.89 --profile minimal", "cargo xtask ready --without msrv"]
        {
            assert!(request.contains(&format!("\n    {line}")), "{request}");
        }
    }

    #[test]
    fn a_rust_nobody_has_is_not_there() {
        let need = need("msrv", "0.1").expect("a need");
        assert!(!is_there(&need, "0.1"));
    }

    #[test]
    fn parts_that_need_nothing_ask_for_nothing() {
        assert!(need("docs", "1.89").is_none());
    }
}
