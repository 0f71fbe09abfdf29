//! The programs that measure.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use cargo_metadata::Package;

use super::{benches, plan::Plan, root};

/// Builds all that is to be measured, so that no compiler runs beside a measurement.
pub(crate) fn build(plan: &Plan<'_>, target: &Path) -> Result<(), String> {
    if plan.http {
        println!("== building the servers");
        done(&mut peers("build", plan.quick, target))?;
    }
    if plan.scale {
        println!("== building the stores");
        done(plain().arg("build").args(SCALE))?;
    }
    if !plan.packages.is_empty() {
        println!("== building the benchmarks");
        done(bench(plan, &plan.packages).arg("--no-run"))?;
    }
    Ok(())
}

/// The cargo that built this program, in the folder of the workspace.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

const PEERS: &str = "dev/bench/peers/Cargo.toml";

/// Quick without the servers that take most of the time to build. They are built where everything
/// is, so that what they share with it is built once.
fn peers(what: &str, quick: bool, target: &Path) -> Command {
    let mut command = cargo();
    command.args([what, "--release", "--manifest-path", PEERS, "--target-dir"]).arg(target);
    command.args(quick.then_some("--no-default-features"));
    command
}

/// With the profile of the benchmarks: their dependencies are built for it anyway.
const SCALE: [&str; 4] = ["--profile", "bench", "--package", "scale"];

/// Without the information for debuggers, which takes the compiler time.
fn plain() -> Command {
    let mut command = cargo();
    command.env("CARGO_PROFILE_BENCH_DEBUG", "false");
    command
}

/// The benchmarks of `packages`. All packages of the plan are named each time: for others, cargo
/// would build what they share with other features, and so again. No two of them have a benchmark
/// of the same name.
pub(crate) fn bench(plan: &Plan<'_>, packages: &[&Package]) -> Command {
    let mut command = plain();
    command.args(["bench", "--all-features"]);
    for package in &plan.packages {
        command.args(["--package", &package.name]);
    }
    for bench in packages.iter().flat_map(|package| benches(package)) {
        command.args(["--bench", bench]);
    }
    command
}

/// The program that loads servers.
pub(crate) fn servers(plan: &Plan<'_>, data: &Path, target: &Path) -> Result<Program, String> {
    Program::start(peers("run", plan.quick, target).args(["--quiet", "--", "http"]), data)
}

/// The program that fills stores.
pub(crate) fn stores(data: &Path, sizes: &[u64]) -> Result<Program, String> {
    let sizes = sizes.iter().map(u64::to_string);
    Program::start(plain().args(["run", "--quiet"]).args(SCALE).arg("--").args(sizes), data)
}

/// Runs to the end, which must be a good one.
pub(crate) fn done(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("cargo does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed: {status}")) }
}

/// A running program that is told what to measure, a line at a time.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Program {
    /// `data`: its folder for temporary files.
    fn start(command: &mut Command, data: &Path) -> Result<Self, String> {
        let failed = |error| format!("a program that measures does not start: {error}");
        command.env("TMPDIR", data).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("it has no output")?);
        Ok(Self { child, orders, answers })
    }

    pub(crate) fn tell(&mut self, line: &str) -> Result<(), String> {
        let mut orders = self.orders.as_ref().ok_or("it has no input")?;
        orders
            .write_all(format!("{line}\n").as_bytes())
            .map_err(|error| format!("it ended: {error}"))
    }

    /// The next line, without its end; `None` if there are no more.
    pub(crate) fn line(&mut self) -> Result<Option<String>, String> {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line);
        read.map_err(|error| format!("its output cannot be read: {error}"))?;
        Ok(line.strip_suffix('\n').map(str::to_owned))
    }

    /// Lets it end, and tells whether all went well.
    pub(crate) fn end(mut self) -> Result<(), String> {
        self.orders = None;
        let status =
            self.child.wait().map_err(|error| format!("it cannot be waited for: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("it ended with {status}")) }
    }
}

/// Also when the run fails: servers that nobody asks any more are not left behind.
impl Drop for Program {
    fn drop(&mut self) {
        self.orders = None;
        let _ = self.child.wait();
    }
}
