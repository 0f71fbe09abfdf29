//! Servers under load, in turns.

use std::{path::Path, time::Duration};

use super::{
    cells::{self, Cells},
    plan::Plan,
    program::{Program, servers},
};

/// What a request of each does.
pub(crate) const HANDLERS: [&str; 3] = ["plain", "read", "write"];

/// The shortest time the load generator knows. Of many short turns each sees what disturbs the
/// others too; a long one has it alone.
const SECONDS: u32 = 1;

/// That in words.
pub(crate) const TURNS: &str = "They take turns of a second.";

/// The program that loads servers, and what it has.
#[derive(Debug)]
pub(crate) struct Load {
    program: Program,
    names: Vec<String>,
}

impl Load {
    /// Starts it, and notes which servers there are.
    pub(crate) fn start(
        plan: &Plan<'_>,
        data: &Path,
        target: &Path,
        cells: &mut Cells,
    ) -> Result<Self, String> {
        let (mut program, mut names) = (servers(plan, data, target)?, Vec::new());
        while let Some(line) = program.line()?.filter(|line| !line.is_empty()) {
            let fields: Vec<_> = line.split('\t').collect();
            let key = [&["server"], &fields[..]].concat();
            if !cells.has(&key) {
                cells.add(&key, &[("order".to_owned(), number(names.len()))])?;
            }
            names.push(fields[0].to_owned());
        }
        if names.is_empty() {
            return Err("the program that loads servers has none".to_owned());
        }
        Ok(Self { program, names })
    }

    /// What is not measured yet, in the order it will be: each round asks every server.
    fn missing(&self, plan: &Plan<'_>, cells: &Cells) -> Vec<[String; 4]> {
        let mut missing = Vec::new();
        for round in 1..=plan.rounds() {
            for handler in HANDLERS {
                for name in &self.names {
                    let key = ["http", name, handler, &round.to_string()].map(str::to_owned);
                    if !cells.has(&key.each_ref().map(String::as_str)) {
                        missing.push(key);
                    }
                }
            }
        }
        missing
    }

    /// How long the measurements that are missing are thought to take, each.
    pub(crate) fn expected(&self, plan: &Plan<'_>, cells: &Cells) -> Vec<Duration> {
        vec![TURN; self.missing(plan, cells).len()]
    }

    /// Measures what is missing; `step` is told of each.
    pub(crate) fn complete(
        mut self,
        plan: &Plan<'_>,
        cells: &mut Cells,
        mut step: impl FnMut(Duration, &str),
    ) -> Result<(), String> {
        for key in self.missing(plan, cells) {
            let [_, name, handler, round] = key.each_ref().map(String::as_str);
            self.program.tell(&format!("{name}\t{handler}\t{SECONDS}"))?;
            let line = self.program.line()?.ok_or_else(|| {
                format!("the load of {name}, {handler}, failed; the next run goes on from here")
            })?;
            let values = cells::values(&line)
                .ok_or_else(|| format!("{name}, {handler}: `{line}` is no measurement"))?;
            cells.add(&["http", name, handler, round], &values)?;
            let of = |name: &str| {
                values.iter().find(|(it, _)| it == name).map_or(f64::NAN, |(_, value)| *value)
            };
            let told = format!(
                "round {round} of {}, {handler}: {name}: {:.0} requests/s, {:.1} us each",
                plan.rounds(),
                of("rate"),
                of("cpu"),
            );
            step(TURN, &told);
        }
        self.program.end()
    }
}

/// With what it takes to look whether the sessions are there.
const TURN: Duration = Duration::from_millis(1_100);

fn number(index: usize) -> f64 {
    u32::try_from(index).map_or(f64::MAX, f64::from)
}
