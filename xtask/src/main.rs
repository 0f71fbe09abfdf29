//! The repository's own commands, run as `cargo xtask COMMAND`.
//!
//! A laptop and the build server run the same program, so they cannot disagree.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program prints")]

mod cargo;
mod examples;
mod fuzz;
mod guard;
mod json;
mod needs;
mod parts;
mod ready;
mod step;
mod test;
#[cfg(test)]
mod tidy;

use std::{env, process::ExitCode};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [--without NAME,..]       check everything: form, lints, tests, docs, the repository's rules;
                                 browser, clients, counts, mounts and redis can be left out
  ready [--without NAME,..]      check what a release needs beyond that: packages, licences, advisories,
                                 oldest Rust, oldest dependencies, each feature, docs
  demo [FLAGS..]                 build and serve the demo site; --help lists its flags
  bench [--quick] [--fresh] [PART..]
                                 measure and write a report; parts are limits, http and scale
  bench [--quick] CRATE..        run the benchmarks of crates and print their medians as a table
  crash [--rounds N]             kill writers of session-fs again and again, and look for damage
  hammer [--seconds N]           many processes on one folder of session-fs, and a checker
  fuzz [--seconds N] [TARGET..]  look for bytes that a reader of bytes does not stand
  peers                          ask other session libraries the same, and print a table";

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let command = args.next();
    let args: Vec<String> = args.collect();
    let done = match command.as_deref() {
        Some("test") => test::run(&args),
        Some("demo") => examples::demo(&args),
        Some("bench") => examples::bench(&args),
        Some("crash") => examples::crash(&args),
        Some("ready") => ready::run(&args),
        Some("peers") => examples::peers(&args),
        Some("fuzz") => fuzz::run(&args),
        Some("hammer") => examples::hammer(&args),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(())
        }
        Some(unknown) => Err(format!("there is no command `{unknown}`\n\n{USAGE}")),
        None => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
