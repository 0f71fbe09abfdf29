//! The repository's own commands, run as `cargo xtask COMMAND`.
//!
//! A laptop and the build server run the same program, so they cannot disagree.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program prints")]

mod cargo;
mod needs;
mod programs;
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
                                 oldest Rust, oldest dependencies, each feature, docs, public API
  demo [FLAGS..]                 build and serve the demo site; --help lists its flags
  bench [--quick] [--fresh] [PART..]
                                 measure and write a report; parts are limits, http and scale
  bench [--quick] CRATE..        run the benchmarks of crates and print their medians as a table
  crash [--rounds N]             kill writers of session-fs again and again, and look for damage
  hammer [--seconds N]           many processes on one folder of session-fs, and a checker
  platforms [NAME..]             session-fs on real mounts, as other users, on failing disks; as root
  fuzz [--seconds N] [TARGET..]  search for inputs that crash a parser
  peers                          ask other session libraries the same, and print a table";

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let command = args.next();
    let args: Vec<String> = args.collect();
    let done = match command.as_deref() {
        Some("test") => test::run(args),
        Some("ready") => ready::ready(args),
        Some("demo") => programs::demo(&args),
        Some("bench") => programs::bench(&args),
        Some("crash") => programs::crash(&args),
        Some("hammer") => programs::hammer(&args),
        Some("platforms") => programs::platforms(&args),
        Some("fuzz") => programs::fuzz(&args),
        Some("peers") => programs::peers(&args),
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
