//! `cargo xtask bench`: runs the criterion benchmarks of all crates and prints their medians as one
//! table.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{
    cargo::{Package, cargo, workspace},
    json::Json,
};

/// Runs the benchmarks of the named crates, or of all.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let (packages, target) = workspace()?;
    let plan = Plan::new(args, &packages)?;
    let results = target.join("criterion");
    let started = stamp(&results)?;
    for package in &plan.packages {
        let mut command = cargo();
        command.args(["bench", "--all-features", "--package", package.name()]);
        for bench in package.targets("bench") {
            command.args(["--bench", bench]);
        }
        command.arg("--").args(plan.quick.then_some("--quick"));
        let status = command.status().map_err(|error| format!("cargo does not start: {error}"))?;
        if !status.success() {
            return Err(format!("the benchmarks of {} failed: {status}", package.name()));
        }
    }
    let mut medians = Vec::new();
    collect(&results, started, &mut medians)?;
    if medians.is_empty() {
        return Err("no benchmark left a result".to_owned());
    }
    println!("\n{}", table(medians));
    Ok(())
}

/// What to run.
struct Plan<'a> {
    quick: bool,
    packages: Vec<&'a Package>,
}

impl<'a> Plan<'a> {
    fn new(args: &[String], packages: &'a [Package]) -> Result<Self, String> {
        let with_benches: Vec<_> =
            packages.iter().filter(|package| !package.targets("bench").is_empty()).collect();
        let mut plan = Self { quick: false, packages: Vec::new() };
        for arg in args {
            if arg == "--quick" {
                plan.quick = true;
            } else if let Some(package) = with_benches.iter().find(|it| it.name() == arg) {
                plan.packages.push(package);
            } else {
                let names: Vec<_> = with_benches.iter().map(|it| it.name()).collect();
                let names = names.join(", ");
                return Err(format!("`{arg}` is no crate with benchmarks; those are: {names}"));
            }
        }
        if plan.packages.is_empty() {
            plan.packages = with_benches;
        }
        Ok(plan)
    }
}

/// Writes a file that is older than every result of this run, and tells its time by the clock of
/// the disk.
fn stamp(folder: &Path) -> Result<SystemTime, String> {
    let failed = |error| format!("{} cannot be written: {error}", folder.display());
    fs::create_dir_all(folder).map_err(failed)?;
    let file = folder.join("started");
    fs::write(&file, "").map_err(failed)?;
    fs::metadata(&file).and_then(|it| it.modified()).map_err(failed)
}

/// The median of one benchmark.
#[derive(Clone, Debug, PartialEq)]
struct Median {
    group: String,
    function: String,
    /// The size or other parameter it ran with.
    value: String,
    nanoseconds: f64,
}

/// Finds the results criterion has written since `started`: a folder `new` for each benchmark.
fn collect(folder: &Path, started: SystemTime, medians: &mut Vec<Median>) -> Result<(), String> {
    let failed = |error| format!("{} cannot be read: {error}", folder.display());
    let estimates = folder.join("new").join("estimates.json");
    if fs::metadata(&estimates).and_then(|it| it.modified()).is_ok_and(|at| at >= started) {
        let identity = folder.join("new").join("benchmark.json");
        medians.push(
            median(&read(&identity)?, &read(&estimates)?)
                .ok_or_else(|| format!("{} is not what criterion writes", estimates.display()))?,
        );
    }
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path: PathBuf = entry.map_err(failed)?.path();
        if path.is_dir() {
            collect(&path, started, medians)?;
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Json, String> {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    Json::parse(&text).ok_or_else(|| format!("{} is no JSON", file.display()))
}

fn median(identity: &Json, estimates: &Json) -> Option<Median> {
    let name = |key| identity.get(key).and_then(Json::text).unwrap_or_default().to_owned();
    let nanoseconds = estimates.get("median")?.get("point_estimate")?.number()?;
    Some(Median {
        group: name("group_id"),
        function: name("function_id"),
        value: name("value_str"),
        nanoseconds,
    })
}

/// A Markdown table. Ratios are to the quickest of the same group and value: the limit, where a
/// bench has one beside it.
fn table(mut medians: Vec<Median>) -> String {
    medians.sort_by(|a, b| {
        let order = (&a.group, natural(&a.value)).cmp(&(&b.group, natural(&b.value)));
        order.then(a.nanoseconds.total_cmp(&b.nanoseconds))
    });
    let mut text = String::from("| benchmark | median | ratio |\n| --- | ---: | ---: |\n");
    let mut best: Option<&Median> = None;
    for it in &medians {
        let same = best.filter(|best| best.group == it.group && best.value == it.value);
        let first = same.unwrap_or(it);
        best = Some(first);
        let name = [&it.group, &it.function, &it.value].map(String::as_str);
        let name: Vec<_> = name.into_iter().filter(|part| !part.is_empty()).collect();
        let ratio = it.nanoseconds / first.nanoseconds;
        let _ = writeln!(text, "| {} | {} | {ratio:.2} |", name.join(" / "), time(it.nanoseconds));
    }
    text
}

/// Numbers in the order of their size, before all other texts.
fn natural(value: &str) -> (u64, &str) {
    (value.parse().unwrap_or(u64::MAX), value)
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 1e3 => format!("{ns:.1} ns"),
        ns if ns < 1e6 => format!("{:.2} us", ns / 1e3),
        ns if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        ns => format!("{:.2} s", ns / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, Median, median, table, time};

    fn of(group: &str, function: &str, value: &str, nanoseconds: f64) -> Median {
        let [group, function, value] = [group, function, value].map(str::to_owned);
        Median { group, function, value, nanoseconds }
    }

    #[test]
    fn a_result_of_criterion_is_read() {
        let identity =
            r#"{"group_id":"get","function_id":"fs","value_str":null,"throughput":null}"#;
        let estimates = r#"{"mean":{"point_estimate":9.0},"median":{"point_estimate":7.5}}"#;
        let read = |text| Json::parse(text).expect("JSON");
        let found = median(&read(identity), &read(estimates));
        assert_eq!(found, Some(of("get", "fs", "", 7.5)));
    }

    #[test]
    fn ratios_are_within_a_group_and_value() {
        let text = table(vec![
            of("get", "ours", "100", 30.0),
            of("get", "limit", "100", 20.0),
            of("get", "ours", "20", 5_000.0),
            of("put", "ours", "", 4e6),
        ]);
        let rows: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| get / ours / 20 | 5.00 us | 1.00 |",
                "| get / limit / 100 | 20.0 ns | 1.00 |",
                "| get / ours / 100 | 30.0 ns | 1.50 |",
                "| put / ours | 4.00 ms | 1.00 |",
            ]
        );
    }

    #[test]
    fn times_are_in_the_unit_that_fits() {
        assert_eq!([1.25, 1e3, 2.5e7, 3e9].map(time), ["1.2 ns", "1.00 us", "25.00 ms", "3.00 s"]);
    }
}
