//! The criterion benchmarks of the crates: run, and their medians collected.

use std::{
    cmp::Ordering,
    fs, mem,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use cargo_metadata::Package;
use serde_json::Value;

use super::{
    cells::Cells,
    plan::Plan,
    program::{bench, done},
    report::Table,
};
use crate::benches;

/// Runs the benchmarks of the crates of a plan.
pub(crate) fn measure(plan: &Plan<'_>, results: &Path) -> Result<Vec<Median>, String> {
    let mut medians = Vec::new();
    for package in &plan.packages {
        medians.extend(run(plan, package, results)?);
    }
    Ok(medians)
}

/// Runs those that are missing; `step` is told of each crate.
pub(crate) fn complete(
    plan: &Plan<'_>,
    results: &Path,
    cells: &mut Cells,
    mut step: impl FnMut(Duration, &str),
) -> Result<(), String> {
    for package in missing(plan, cells) {
        for it in run(plan, package, results)? {
            let key = ["median", &package.name, &it.group, &it.function, &it.value];
            cells.add(&key, &[("nanoseconds".to_owned(), it.nanoseconds)])?;
        }
        cells.add(&[CRATE, &package.name], &[("benchmarks".to_owned(), 1.0)])?;
        step(expected_of(package, plan), &format!("benchmarks of {}", &package.name));
    }
    Ok(())
}

/// A crate whose benchmarks ran to their end.
const CRATE: &str = "crate";

fn missing<'a>(plan: &Plan<'a>, cells: &Cells) -> Vec<&'a Package> {
    let packages = plan.packages.iter().copied();
    packages.filter(|package| !cells.has(&[CRATE, &package.name])).collect()
}

/// How long the crates that are missing are thought to take, each.
pub(crate) fn expected(plan: &Plan<'_>, cells: &Cells) -> Vec<Duration> {
    let missing = missing(plan, cells);
    missing.into_iter().map(|package| expected_of(package, plan)).collect()
}

/// Each target of benchmarks takes about as long as another.
fn expected_of(package: &Package, plan: &Plan<'_>) -> Duration {
    let each = Duration::from_secs(if plan.quick { 8 } else { 20 });
    benches(package).map(|_| each).sum()
}

/// What `complete` has kept.
pub(crate) fn read(cells: &Cells) -> Vec<Median> {
    let medians = cells.of(&["median"]).filter_map(|cell| {
        let [_, package, group, function, value] = &cell.key[..] else { return None };
        // Two crates may have a group of the same name.
        let group = format!("{package}: {group}");
        let [function, value] = [function, value].map(String::clone);
        Some(Median { group, function, value, nanoseconds: cell.value("nanoseconds")? })
    });
    // One that was interrupted within a crate has run again: the last one counts.
    let mut found: Vec<Median> = Vec::new();
    for it in medians {
        found.retain(|old| {
            (&old.group, &old.function, &old.value) != (&it.group, &it.function, &it.value)
        });
        found.push(it);
    }
    found
}

fn run(plan: &Plan<'_>, package: &Package, results: &Path) -> Result<Vec<Median>, String> {
    let started = stamp(results)?;
    // Less than criterion takes by itself: the whole report is to be had within twenty minutes.
    let shortly: &[_] = if plan.quick {
        &["--quick"]
    } else {
        &["--warm-up-time", "0.3", "--measurement-time", "0.6"]
    };
    done(bench(plan, &[package]).arg("--").args(shortly))?;
    let mut medians = Vec::new();
    collect(results, started, &mut medians)?;
    if medians.is_empty() {
        return Err(format!("no benchmark of {} left a result", &package.name));
    }
    Ok(medians)
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
pub(crate) struct Median {
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
            median(&read_json(&identity)?, &read_json(&estimates)?)
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

fn read_json(file: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

fn median(identity: &Value, estimates: &Value) -> Option<Median> {
    let name = |key| identity[key].as_str().unwrap_or_default().to_owned();
    let nanoseconds = estimates["median"]["point_estimate"].as_f64()?;
    let (group, mut function, mut value) =
        (name("group_id"), name("function_id"), name("value_str"));
    if function.is_empty() {
        // A group whose parameter is what is compared.
        mem::swap(&mut function, &mut value);
    }
    Some(Median { group, function, value, nanoseconds })
}

/// Ratios are to the limit of the same group and value: the quickest that is called so, or, where
/// a bench has none beside it, the quickest.
pub(crate) fn table(mut medians: Vec<Median>) -> Table {
    let order = |it: &Median| (!it.is_limit(), it.nanoseconds);
    medians.sort_by(|a, b| {
        let group = (&a.group, natural(&a.value)).cmp(&(&b.group, natural(&b.value)));
        group.then(order(a).partial_cmp(&order(b)).unwrap_or(Ordering::Equal))
    });
    let mut table = Table::new(1, &["benchmark", "median", "ratio"]);
    let mut limit: Option<&Median> = None;
    for it in &medians {
        let same = limit.filter(|limit| limit.group == it.group && limit.value == it.value);
        let first = same.unwrap_or(it);
        limit = Some(first);
        let name = [&it.group, &it.function, &it.value].map(String::as_str);
        let name: Vec<_> = name.into_iter().filter(|part| !part.is_empty()).collect();
        let ratio = it.nanoseconds / first.nanoseconds;
        table.rows.push(vec![name.join(" / "), time(it.nanoseconds), format!("{ratio:.2}")]);
    }
    table
}

impl Median {
    fn is_limit(&self) -> bool {
        ["limit: ", "raw: "].iter().any(|start| self.function.starts_with(start))
    }
}

/// Numbers in the order of their size, before all other texts.
fn natural(value: &str) -> (u64, &str) {
    (value.parse().unwrap_or(u64::MAX), value)
}

/// In the unit that fits.
pub(crate) fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 1e3 => format!("{ns:.1} ns"),
        ns if ns < 1e6 => format!("{:.2} us", ns / 1e3),
        ns if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        ns => format!("{:.2} s", ns / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::{Median, median, table, time};

    fn of(group: &str, function: &str, value: &str, nanoseconds: f64) -> Median {
        let [group, function, value] = [group, function, value].map(str::to_owned);
        Median { group, function, value, nanoseconds }
    }

    #[test]
    fn a_result_of_criterion_is_read() {
        let identity =
            r#"{"group_id":"get","function_id":"fs","value_str":null,"throughput":null}"#;
        let estimates = r#"{"mean":{"point_estimate":9.0},"median":{"point_estimate":7.5}}"#;
        let read = |text| serde_json::from_str(text).expect("JSON");
        let found = median(&read(identity), &read(estimates));
        assert_eq!(found, Some(of("get", "fs", "", 7.5)));
    }

    #[test]
    fn a_parameter_alone_is_what_is_compared() {
        let identity = r#"{"group_id":"hit","function_id":null,"value_str":"moka"}"#;
        let estimates = r#"{"median":{"point_estimate":7.5}}"#;
        let read = |text| serde_json::from_str(text).expect("JSON");
        let found = median(&read(identity), &read(estimates));
        assert_eq!(found, Some(of("hit", "moka", "", 7.5)));
    }

    #[test]
    fn ratios_are_to_what_is_called_a_limit() {
        let table = table(vec![
            of("put", "hit", "", 10.0),
            of("put", "raw: pwrite and more", "", 40.0),
            of("put", "raw: pwrite", "", 20.0),
        ]);
        let ratios: Vec<_> = table.rows.iter().map(|row| row[2].as_str()).collect();
        assert_eq!(ratios, ["1.00", "2.00", "0.50"]);
    }

    #[test]
    fn ratios_are_within_a_group_and_value() {
        let table = table(vec![
            of("get", "ours", "100", 30.0),
            of("get", "limit", "100", 20.0),
            of("get", "ours", "20", 5_000.0),
            of("put", "ours", "", 4e6),
        ]);
        let rows: Vec<_> = table.rows.iter().map(|row| row.join(" | ")).collect();
        assert_eq!(
            rows,
            [
                "get / ours / 20 | 5.00 us | 1.00",
                "get / limit / 100 | 20.0 ns | 1.00",
                "get / ours / 100 | 30.0 ns | 1.50",
                "put / ours | 4.00 ms | 1.00",
            ]
        );
    }

    #[test]
    fn times_are_in_the_unit_that_fits() {
        assert_eq!([1.25, 1e3, 2.5e7, 3e9].map(time), ["1.2 ns", "1.00 us", "25.00 ms", "3.00 s"]);
    }
}
