//! The report: what was measured, in one Markdown file with its pictures.

mod beside;
mod chart;
mod document;
mod markdown;
mod servers;
mod stores;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) use self::document::Table;

use self::document::{Block, Section};
use super::{cells::Cells, criterion, machine::Machine, plan::Plan};

/// What was written.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) file: PathBuf,
    /// The table of ratios, as Markdown; nothing if the servers were not measured.
    pub(crate) ratios: String,
}

pub(crate) fn write(
    folder: &Path,
    plan: &Plan<'_>,
    machine: &Machine,
    cells: &Cells,
) -> Result<Report, String> {
    let servers = servers::read(cells);
    let ratios = servers::ratios(&servers);
    let mut sections = vec![about(plan, machine)];
    let mut missing = Vec::new();
    for (what, section) in [
        ("servers under load (`http`)", servers::section(&servers, cells)),
        ("stores of many sessions (`scale`)", stores::section(cells)),
        ("the benchmarks of the crates (`limits`)", limits(cells)),
    ] {
        match section {
            Some(section) => sections.push(section),
            None => missing.push(what),
        }
    }
    if !missing.is_empty() {
        let line = format!("**Not measured in this run:** {}.", missing.join(", "));
        sections[0].blocks.push(Block::Text(line));
    }
    for block in sections.iter().flat_map(|section| &section.blocks) {
        if let Block::Chart(it) = block {
            chart::draw(it, &folder.join(format!("{}.svg", it.name)))?;
        }
    }
    let file = folder.join("report.md");
    fs::write(&file, markdown::page("What sessions cost", &sections))
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let ratios = if servers.is_empty() { String::new() } else { ratios.to_string() };
    Ok(Report { file, ratios })
}

fn about(plan: &Plan<'_>, machine: &Machine) -> Section {
    let mut table = Table::new(2, &["", ""]);
    for (name, value) in [
        ("date", &*machine.date),
        ("machine", &*machine.hardware),
        ("software", &*machine.software),
        ("commit", &*machine.commit),
        ("command", plan.command()),
    ] {
        let value = if name == "command" { format!("`{value}`") } else { value.to_owned() };
        table.rows.push(vec![name.to_owned(), value]);
    }
    let mut blocks = vec![Block::Table(table)];
    if plan.quick {
        let line = "A quick run, for a first look: servers alone unless other parts were named, in \
                    one round where the full one takes the median of three, stores of up to 10,000 \
                    sessions where that goes to 1,000,000, and without the servers that take long \
                    to build, which are those on Redis and on SQLite.";
        blocks.push(Block::Text(line.to_owned()));
    }
    Section { title: "This run".to_owned(), blocks }
}

/// The benchmarks of the crates.
fn limits(cells: &Cells) -> Option<Section> {
    let medians = criterion::read(cells);
    if medians.is_empty() {
        return None;
    }
    let text = "Medians of criterion. Each ratio is to the limit of the same group, which is the \
                quickest of what is called `limit` or `raw` there: the bare system calls, or the \
                bare cipher. Where a group has none it is to the quickest.";
    Some(Section {
        title: "Beside the limits".to_owned(),
        blocks: vec![Block::Text(text.to_owned()), Block::Table(criterion::table(medians))],
    })
}
