//! `report [--quick] [--fresh] [PART|CRATE..]`: measures, and makes one report of it.
//!
//! Three parts: the criterion benchmarks of all crates, the servers under load, and stores of many
//! sessions. Each cell that was measured is kept in a file, so that an interrupted run goes on
//! where it was.
//!
//! `cargo xtask bench` runs it, and installs what it needs before.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that measures prints")]

mod cells;
mod criterion;
mod http;
mod machine;
mod plan;
mod program;
mod progress;
mod report;
mod scale;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use cargo_metadata::{Metadata, MetadataCommand, Package};

use self::{
    cells::Cells, http::Load, machine::Machine, plan::Plan, program::build, progress::Progress,
};

fn main() -> ExitCode {
    match run(env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.."))
}

/// The names of the benchmarks of a package.
fn benches(package: &Package) -> impl Iterator<Item = &str> {
    package.targets.iter().filter(|it| it.is_bench()).map(|it| &*it.name)
}

/// Measures what `args` ask for: everything, one part, or the benchmarks of some crates.
fn run(args: impl Iterator<Item = String>) -> Result<(), String> {
    let mut cargo = MetadataCommand::new();
    let metadata = cargo.current_dir(root()).no_deps().exec().map_err(|it| it.to_string())?;
    let Metadata { packages, target_directory: target, .. } = metadata;
    let target = target.into_std_path_buf();
    let plan = Plan::new(args, &packages)?;
    let results = target.join("criterion");
    if plan.only_crates {
        println!("\n{}", criterion::table(criterion::measure(&plan, &results)?));
        return Ok(());
    }
    // Before the sources are looked at: cargo may have to write a lock file.
    build(&plan, &target)?;
    let folder = target.join("bench");
    let machine = Machine::look(&folder)?;
    let (mut cells, found) = Cells::open(&folder, machine.state(), plan.quick, plan.fresh)?;
    if found > 0 {
        println!("{found} measurements are there from before; `--fresh` begins anew");
    }
    let data = empty(&folder.join("data"))?;
    let load = if plan.http { Some(Load::start(&plan, &data, &target, &mut cells)?) } else { None };
    let mut expected = criterion::expected(&plan, &cells);
    expected.extend(load.iter().flat_map(|load| load.expected(&plan, &cells)));
    expected.extend(scale::expected(&plan, &cells));
    let mut progress = Progress::new(&expected);
    let mut step = |expected: Duration, what: &str| progress.step(expected, what);
    criterion::complete(&plan, &results, &mut cells, &mut step)?;
    if let Some(load) = load {
        load.complete(&plan, &mut cells, &mut step)?;
    }
    let stores = scale::complete(&plan, &data, &mut cells, &mut step)?;
    let report = report::write(&folder, &plan, &machine, &cells)?;
    println!("\n{}\n{}", report.ratios, report.file.display());
    if let Some(stores) = stores {
        println!("\nThat is all. The files of the stores are being removed.");
        stores.end()?;
    }
    fs::remove_dir_all(&data).map_err(|error| format!("{}: {error}", data.display()))
}

/// What servers and stores write to while they are measured: on the disk that the project is on,
/// since the system's folder for temporary files may be memory.
fn empty(folder: &Path) -> Result<PathBuf, String> {
    let failed = |error| format!("{} cannot be emptied: {error}", folder.display());
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => fs::create_dir_all(folder).map_err(failed)?,
    }
    Ok(folder.to_path_buf())
}
