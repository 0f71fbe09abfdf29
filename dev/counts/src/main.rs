//! `counts PATH TIMES` goes a hot path; `counts record` writes what all of them take.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program prints")]

use std::{env, fs, path::Path, process::ExitCode};

use counts::{Budget, PATHS, compiler, count};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["record"] => record(),
        [path, times] => go(path, times),
        _ => Err("usage: counts PATH TIMES | record".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn go(path: &str, times: &str) -> Result<(), String> {
    let times = times.parse().map_err(|_| format!("`{times}` is no number of times"))?;
    let (_, path) = PATHS
        .iter()
        .find(|(name, _)| *name == path)
        .ok_or_else(|| format!("there is no path `{path}`"))?;
    path(times);
    Ok(())
}

fn record() -> Result<(), String> {
    let program = env::current_exe().map_err(|error| format!("where is this program? {error}"))?;
    let mut budget = Budget { compiler: compiler()?, counts: Vec::new() };
    for (path, _) in PATHS {
        let count = count(&program, path)?;
        println!("{path}: {count}");
        budget.counts.push(((*path).to_owned(), count));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.txt");
    fs::write(file, budget.to_text()).map_err(|error| format!("it cannot be written: {error}"))
}
