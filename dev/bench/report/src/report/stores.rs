//! The part of the report about stores of few and of very many sessions.

use super::document::{Bar, Block, Chart, Section, Table, grouped};
use crate::{cells::Cells, criterion::time};

pub(crate) fn section(cells: &Cells) -> Option<Section> {
    let found = read(cells);
    if found.is_empty() {
        return None;
    }
    let text = "An operation on a session picked at random, as the median of 25 batches, called \
                from one thread; records of 200 bytes of sealed content. Memory is what the \
                process grew by when it was filled, and is not told for a thousand sessions, where \
                what the allocator has in reserve counts for more; disk is what files and folders \
                take.";
    let mut table =
        Table::new(1, &["store", "sessions", "get", "put", "touch", "memory each", "disk each"]);
    for it in &found {
        let [get, put, touch] =
            ["get", "put", "touch"].map(|name| it.value(name).map_or_else(String::new, time));
        let room =
            |value: Option<f64>| value.map_or_else(String::new, |it| format!("{} B", grouped(it)));
        let memory = room(it.value("memory").filter(|_| it.sessions >= 10_000));
        let disk = room(it.value("disk"));
        table.rows.push(vec![it.name.clone(), grouped(it.count()), get, put, touch, memory, disk]);
    }
    let mut blocks = vec![Block::Text(text.to_owned()), Block::Table(table)];
    for operation in ["get", "put", "touch"] {
        blocks.push(Block::Chart(chart(&found, operation)));
    }
    Some(Section { title: "Stores of many sessions".to_owned(), blocks })
}

/// A store at a size.
struct Store<'a> {
    name: String,
    sessions: u32,
    cells: &'a Cells,
}

impl Store<'_> {
    fn value(&self, name: &str) -> Option<f64> {
        self.cells.median(&["scale", &self.sessions.to_string(), &self.name], name)
    }

    fn count(&self) -> f64 {
        f64::from(self.sessions)
    }
}

/// Store by store, from few sessions to many.
fn read(cells: &Cells) -> Vec<Store<'_>> {
    let mut found: Vec<Store<'_>> = Vec::new();
    let mut order: Vec<&str> = Vec::new();
    for cell in cells.of(&["scale"]).filter(|cell| cell.value("get").is_some()) {
        let [_, sessions, store] = &cell.key[..] else { continue };
        let Ok(sessions) = sessions.parse() else { continue };
        if !order.contains(&store.as_str()) {
            order.push(store);
        }
        if !found.iter().any(|it| it.name == *store && it.sessions == sessions) {
            found.push(Store { name: store.clone(), sessions, cells });
        }
    }
    let place = |it: &Store<'_>| (order.iter().position(|name| *name == it.name), it.sessions);
    found.sort_by_key(place);
    found
}

fn chart(found: &[Store<'_>], operation: &str) -> Chart {
    let bars = found.iter().filter_map(|it| {
        let value = it.value(operation)?;
        Some(Bar {
            label: format!("{}: {}", it.name, grouped(it.count())),
            base: 0.0,
            above: value,
            text: time(value),
            ours: true,
        })
    });
    Chart {
        name: format!("scale-{operation}"),
        title: format!("{operation}: time of one, by the number of sessions"),
        bars: bars.collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use super::{Block, Cells, section};
    use crate::cells::values;

    #[test]
    fn stores_are_listed_from_few_sessions_to_many() {
        let folder = env::temp_dir().join(format!("xtask-stores-{}", process::id()));
        let _ = fs::remove_dir_all(&folder);
        let (mut cells, _) = Cells::open(&folder, "x", true, false).expect("a file");
        for (size, store, text) in [
            ("10000", "memory", "memory=500 get=90 put=200 touch=100"),
            ("1000", "memory", "memory=900 get=80 put=190 touch=95"),
            ("1000", "files", "disk=4096 get=4000 put=9000 touch=5000"),
        ] {
            cells.add(&["scale", size, store], &values(text).expect("values")).expect("a line");
        }
        let section = section(&cells).expect("figures");
        fs::remove_dir_all(&folder).expect("it was made");
        let Block::Table(table) = &section.blocks[1] else { panic!("no table") };
        let rows: Vec<_> = table.rows.iter().map(|row| row.join("|")).collect();
        assert_eq!(
            rows,
            [
                "memory|1,000|80.0 ns|190.0 ns|95.0 ns||",
                "memory|10,000|90.0 ns|200.0 ns|100.0 ns|500 B|",
                "files|1,000|4.00 us|9.00 us|5.00 us||4,096 B",
            ]
        );
    }
}
