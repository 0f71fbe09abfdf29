//! Stores of few and of very many sessions.

use std::{path::Path, time::Duration};

use super::{
    cells::{self, Cells},
    plan::Plan,
    program::{Program, stores},
};

/// The stores that are measured, as the program names them.
const STORES: [&str; 4] =
    ["memory", "files", "cache over files, exclusive", "cache over files, checked"];

/// Sizes at which a store is not measured yet.
fn missing(plan: &Plan<'_>, cells: &Cells) -> Vec<u64> {
    let sizes = if plan.scale { plan.sizes() } else { &[] };
    let has =
        |size: u64| STORES.iter().all(|store| cells.has(&["scale", &size.to_string(), store]));
    sizes.iter().copied().filter(|size| !has(*size)).collect()
}

/// How long what is missing is thought to take, each.
pub(crate) fn expected(plan: &Plan<'_>, cells: &Cells) -> Vec<Duration> {
    let missing = missing(plan, cells);
    let stores = |size| STORES.iter().map(move |store| expected_of(size, store));
    missing.into_iter().flat_map(stores).collect()
}

/// Most of it is the making of the files, and some the loading of them.
fn expected_of(sessions: u64, store: &str) -> Duration {
    let each = match store {
        "memory" => 2,
        "files" => 60,
        _ => 15,
    };
    Duration::from_secs(2) + Duration::from_micros(each * sessions)
}

/// Measures what is missing; `step` is told of each size. What is returned removes the files yet: a
/// million take a while.
pub(crate) fn complete(
    plan: &Plan<'_>,
    data: &Path,
    cells: &mut Cells,
    mut step: impl FnMut(Duration, &str),
) -> Result<Option<Program>, String> {
    let sizes = missing(plan, cells);
    if sizes.is_empty() {
        return Ok(None);
    }
    let mut program = stores(data, &sizes)?;
    for _ in 0..sizes.len() * STORES.len() {
        let Some(line) = program.line()? else {
            return Err(match program.end() {
                Ok(()) => "the stores were not measured to the end".to_owned(),
                Err(error) => format!("the stores were not measured to the end: {error}"),
            });
        };
        let wrong = || format!("`{line}` is no measurement of a store");
        let [size, store, values] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(wrong());
        };
        cells.add(&["scale", size, store], &cells::values(values).ok_or_else(wrong)?)?;
        let sessions = size.parse().map_err(|_| wrong())?;
        step(expected_of(sessions, store), &format!("{size} sessions: {store}"));
    }
    Ok(Some(program))
}
