//! The part of the report about servers under load.

use super::{
    beside,
    document::{Bar, Block, Chart, Section, Table, grouped},
};
use crate::{
    cells::{Cells, median},
    http::{HANDLERS, TURNS},
};

/// A server, and what it was measured at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) side: String,
    pub(crate) durability: String,
    pub(crate) base: String,
    pub(crate) setting: String,
    /// For each handler; `None` if it was not measured.
    pub(crate) figures: [Option<Figures>; HANDLERS.len()],
}

/// Medians over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figures {
    /// Requests per second.
    pub(crate) rate: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Microseconds of processor time for a request.
    pub(crate) cpu: f64,
    /// What of that the server without sessions did not take in the same round.
    pub(crate) above: f64,
    /// How many times what it took.
    pub(crate) times: f64,
}

/// All servers that were measured, in their order.
pub(crate) fn read(cells: &Cells) -> Vec<Server> {
    let mut servers: Vec<_> = cells
        .of(&["server"])
        .filter_map(|cell| {
            let [_, name, side, durability, base, setting] = &cell.key[..] else { return None };
            let figures = HANDLERS.map(|handler| figures(cells, name, base, handler));
            let server = Server {
                name: name.clone(),
                side: side.clone(),
                durability: durability.clone(),
                base: base.clone(),
                setting: setting.clone(),
                figures,
            };
            Some((cell.value("order")?, server))
        })
        .collect();
    servers.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    servers.retain(|(_, server)| server.figures.iter().any(Option::is_some));
    servers.into_iter().map(|(_, server)| server).collect()
}

fn figures(cells: &Cells, name: &str, base: &str, handler: &str) -> Option<Figures> {
    let of = |value| cells.median(&["http", name, handler], value);
    let (mut above, mut times) = (Vec::new(), Vec::new());
    for cell in cells.of(&["http", name, handler]) {
        let round = cell.key.last()?;
        let without = cells.median(&["http", base, handler, round], "cpu");
        if let Some((cpu, without)) = cell.value("cpu").zip(without) {
            above.push(cpu - without);
            times.push(cpu / without);
        }
    }
    Some(Figures {
        rate: of("rate")?,
        p50: of("p50")?,
        p99: of("p99")?,
        cpu: of("cpu")?,
        above: median(above)?,
        times: median(times)?,
    })
}

pub(crate) fn section(servers: &[Server], cells: &Cells) -> Option<Section> {
    if servers.is_empty() {
        return None;
    }
    let rounds =
        cells.of(&["http"]).filter_map(|cell| cell.key.last()?.parse::<u32>().ok()).max()?;
    let medians = match rounds {
        1 => "One round, with no median.".to_owned(),
        rounds => format!("Medians of {rounds} rounds."),
    };
    let mut blocks = vec![Block::Text(format!(
        "Each server is a process with one worker on one core; wrk, with 16 connections, and Redis \
         are on another. {TURNS} Every request carries one of the cookies of 1,000 sessions of \
         five values; `plain` does not touch the session, `read` reads a counter and `write` \
         increments it. {medians} Processor time is that of the server's process, all threads, \
         and of its Redis, if it has one; above bare is what the same framework without sessions \
         did not take for the same answer in the same round. What survives is what was answered: \
         `memory` ends with the process, `process crash` survives its end in any way, `power \
         loss` that of the machine. A busier server is more often ahead of the client, which then \
         sleeps and has to be woken: what handlers that only work for 2, 8 and 20 us take above \
         bare tells how much of the others' is that."
    ))];
    blocks.push(Block::Text(
        "**Processor time for a request, as a multiple of that of the bare framework**".to_owned(),
    ));
    blocks.push(Block::Table(ratios(servers)));
    for (at, handler) in HANDLERS.iter().enumerate() {
        blocks.push(Block::Chart(chart(servers, at, handler)));
        blocks.push(Block::Table(table(servers, at)));
    }
    blocks.extend(beside::blocks(servers));
    Some(Section { title: "Servers under load".to_owned(), blocks })
}

/// The short table: processor time as a multiple of the bare server's, and requests per second.
pub(crate) fn ratios(servers: &[Server]) -> Table {
    let mut head = vec!["sessions", "durability"];
    head.extend(HANDLERS);
    let rates = HANDLERS.map(|handler| format!("{handler}, requests/s"));
    head.extend(rates.iter().map(String::as_str));
    let mut table = Table::new(2, &head);
    for server in servers {
        let mut row = vec![server.name.clone(), server.durability.clone()];
        row.extend(server.figures.iter().map(|it| told(*it, |it| format!("{:.2}", it.times))));
        row.extend(server.figures.iter().map(|it| told(*it, |it| grouped(it.rate))));
        table.rows.push(row);
    }
    table
}

fn table(servers: &[Server], handler: usize) -> Table {
    let head = [
        "sessions",
        "set up with",
        "durability",
        "requests/s",
        "p50 us",
        "p99 us",
        "CPU us",
        "above bare us",
        "times bare",
    ];
    let mut table = Table::new(3, &head);
    for server in servers {
        let mut row = vec![server.name.clone(), server.setting.clone(), server.durability.clone()];
        let figures = server.figures[handler];
        row.extend([
            told(figures, |it| grouped(it.rate)),
            told(figures, |it| grouped(it.p50)),
            told(figures, |it| grouped(it.p99)),
            told(figures, |it| format!("{:.1}", it.cpu)),
            told(figures, |it| format!("{:+.1}", it.above)),
            told(figures, |it| format!("{:.2}", it.times)),
        ]);
        table.rows.push(row);
    }
    table
}

fn chart(servers: &[Server], at: usize, handler: &str) -> Chart {
    let mut bars: Vec<_> = servers
        .iter()
        .filter_map(|server| {
            let it = server.figures[at]?;
            Some(Bar {
                label: server.name.clone(),
                base: it.cpu - it.above.max(0.0),
                above: it.above.max(0.0),
                text: format!("{:.1} us", it.cpu),
                ours: server.side == "ours",
            })
        })
        .collect();
    bars.sort_by(|a, b| (a.base + a.above).total_cmp(&(b.base + b.above)));
    Chart {
        name: format!("cpu-{handler}"),
        title: format!("{handler}: processor time for a request; grey: without sessions"),
        bars,
    }
}

fn told(figures: Option<Figures>, text: impl Fn(&Figures) -> String) -> String {
    figures.as_ref().map_or_else(|| "not measured".to_owned(), text)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{env, fs, process};

    use super::{Cells, Figures, Server, ratios, read};
    use crate::cells::values;

    pub(crate) fn server(
        name: &str,
        side: &str,
        durability: &str,
        times: f64,
        rate: f64,
    ) -> Server {
        let it = Figures {
            rate,
            p50: 1.0,
            p99: 2.0,
            cpu: times * 10.0,
            above: times * 10.0 - 10.0,
            times,
        };
        let [name, side, durability] = [name, side, durability].map(str::to_owned);
        let (base, setting) = ("bare".to_owned(), String::new());
        Server { name, side, durability, base, setting, figures: [Some(it), Some(it), None] }
    }

    #[test]
    fn what_is_above_bare_is_so_round_by_round() {
        let folder = env::temp_dir().join(format!("xtask-servers-{}", process::id()));
        let _ = fs::remove_dir_all(&folder);
        let (mut cells, _) = Cells::open(&folder, "x", true, false).expect("a file");
        let mut add = |key: &[&str], text: &str| {
            cells.add(key, &values(text).expect("values")).expect("a line");
        };
        add(&["server", "store", "ours", "memory", "bare", ""], "order=1");
        add(&["server", "bare", "bare", "", "bare", ""], "order=0");
        add(&["server", "other", "peer", "memory", "bare", ""], "order=2");
        for (round, bare, store) in [("1", 10, 12), ("2", 20, 23), ("3", 10, 20)] {
            let text = |cpu: i32| format!("rate=5 p50=1 p99=2 cpu={cpu}");
            add(&["http", "bare", "read", round], &text(bare));
            add(&["http", "store", "read", round], &text(store));
        }
        let servers = read(&cells);
        fs::remove_dir_all(&folder).expect("it was made");
        let names: Vec<_> = servers.iter().map(|server| &*server.name).collect();
        assert_eq!(names, ["bare", "store"], "the other one was not measured");
        let read = servers[1].figures[1].expect("figures");
        assert_eq!((read.cpu, read.above, read.times), (20.0, 3.0, 1.2));
        assert_eq!(servers[1].figures[0], None);
    }

    #[test]
    fn what_was_not_measured_is_said() {
        let table = ratios(&[server("store", "ours", "memory", 1.234, 12_345.6)]);
        let row = table.rows[0].join("|");
        assert_eq!(row, "store|memory|1.23|1.23|not measured|12,346|12,346|not measured");
    }
}
