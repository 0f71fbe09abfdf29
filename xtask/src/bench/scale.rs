//! Stores of few and of very many sessions.

use std::{path::Path, time::Duration};

use super::{
    cells::{self, Cells},
    plan::Plan,
    program::stores,
};

/// The last line of a size that was measured to its end.
const ALL: &str = "all";

/// Sizes that are not measured yet.
fn missing(plan: &Plan<'_>, cells: &Cells) -> Vec<u64> {
    let sizes = if plan.scale { plan.sizes() } else { &[] };
    let has = |size: &u64| cells.has(&["scale", &size.to_string(), ALL]);
    sizes.iter().copied().filter(|size| !has(size)).collect()
}

/// How long the sizes that are missing are thought to take, each.
pub(crate) fn expected(plan: &Plan<'_>, cells: &Cells) -> Vec<Duration> {
    missing(plan, cells).into_iter().map(expected_of).collect()
}

/// Most of it is the making of the files.
fn expected_of(sessions: u64) -> Duration {
    Duration::from_secs(2) + Duration::from_micros(70 * sessions)
}

/// Measures what is missing; `step` is told of each.
pub(crate) fn complete(
    plan: &Plan<'_>,
    data: &Path,
    cells: &mut Cells,
    mut step: impl FnMut(Duration, &str),
) -> Result<(), String> {
    for size in missing(plan, cells) {
        let text = size.to_string();
        let mut program = stores(data, size)?;
        let mut measured = Vec::new();
        while let Some(line) = program.line()? {
            let (store, values) = line.split_once('\t').ok_or("a store without figures")?;
            let values = cells::values(values)
                .ok_or_else(|| format!("{store}: `{line}` is no measurement"))?;
            measured.push((store.to_owned(), values));
        }
        program.end().map_err(|error| format!("stores of {size} sessions: {error}"))?;
        for (store, values) in measured {
            cells.add(&["scale", &text, &store], &values)?;
        }
        cells.add(&["scale", &text, ALL], &[("stores".to_owned(), 1.0)])?;
        step(expected_of(size), &format!("stores of {size} sessions"));
    }
    Ok(())
}
