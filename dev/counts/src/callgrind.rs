//! Counting with valgrind's callgrind.

use std::{env, fs, path::Path, process::Command};

use super::Compiler;

/// How often a path is gone in the shorter and in the longer run. The first times are warm-up: they
/// fill caches and allocate what stays.
const TIMES: [u64; 2] = [50, 1_050];

/// The instructions that `path` takes, by `program`, which is this one built with optimizations.
pub fn count(program: &Path, path: &str) -> Result<u64, String> {
    let [short, long] = TIMES;
    let (some, more) = (run(program, path, short)?, run(program, path, long)?);
    more.checked_sub(some)
        .map(|difference| difference / (long - short))
        .ok_or_else(|| format!("{path}: {long} times took less than {short} times"))
}

fn run(program: &Path, path: &str, times: u64) -> Result<u64, String> {
    let name = format!("counts-{}-{path}-{times}.out", std::process::id());
    let file = env::temp_dir().join(name);
    let done = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(program)
        .args([path, &times.to_string()])
        .output()
        .map_err(|error| {
            format!("valgrind does not start: {error}; install it: `apt-get install valgrind`")
        })?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(format!("{path} failed under valgrind: {said}"));
    }
    let text = fs::read_to_string(&file).map_err(|error| format!("no result: {error}"))?;
    fs::remove_file(&file).map_err(|error| format!("the result cannot be removed: {error}"))?;
    // One line for the whole run, and for each thread if there are several.
    let totals = text.lines().filter_map(|line| line.strip_prefix("totals: "));
    let total = totals.filter_map(|total| total.trim().parse::<u64>().ok()).max();
    total.ok_or_else(|| format!("callgrind wrote no total for {path}"))
}

/// The compiler that is used here.
pub fn compiler() -> Result<Compiler, String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(rustc).arg("-vV").output();
    let said = said.map_err(|error| format!("rustc does not start: {error}"))?;
    let said = String::from_utf8_lossy(&said.stdout);
    let version = said.lines().next().unwrap_or_default().to_owned();
    let host = said
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .ok_or_else(|| format!("rustc does not tell what it compiles for: {said}"))?;
    Ok(Compiler { version, host: host.to_owned() })
}
