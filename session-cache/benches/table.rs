//! A hit, and an insert that makes another leave, of a stranger or of one that left not long ago,
//! beside the caches of the field.
//!
//! `cargo bench -p session-cache --bench table`. All tables hold the same records under the same
//! keys with the same hashing, and take turns: what disturbs the machine disturbs all of them.
//! After each group come the ratios of the medians over all turns.

#![expect(clippy::cast_possible_truncation, reason = "counts of a bench fit in every word")]
#![expect(clippy::print_stdout, reason = "a bench reports on its standard output")]

#[path = "support/mod.rs"]
mod peers;
#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    hint::black_box,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use session_cache::RecordTable;
use session_core::{Record, SessionId};

use self::peers::{Dash, Moka, Quick, Table};

const SIZES: [u64; 2] = [10_000, 1_000_000];
/// How long the records are, one after the other: 200 bytes in the mean. If all were as long, all
/// would lie alike on the lines of the processor's cache, and it would be chance how.
const RECORD_BYTES: [usize; 5] = [168, 184, 200, 216, 232];

/// How many times a table is asked before it is another one's turn.
const TURN: u32 = 25_000;

/// How far from each other the tables are asked.
const APART: usize = 250_007;

/// Works on a table, as many times as is said, from somewhere on, by so many threads.
type Work<'a> = Box<dyn Fn(usize, usize, usize) -> Duration + 'a>;

/// Lets the tables take turns, the first of them ours.
fn compare(criterion: &mut Criterion, title: &str, threads: usize, tables: &[(&str, Work<'_>)]) {
    let mut group = criterion.benchmark_group(title);
    let mut times = vec![Vec::new(); tables.len()];
    let mut order: Vec<_> = (0..tables.len()).collect();
    let mut turn = 0;
    for (number, (name, _)) in tables.iter().enumerate() {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_custom(|wanted| {
                let mut took = Duration::ZERO;
                // As often as it takes to be asked so many times, and then the time of just as many.
                let turns = wanted.div_ceil(TURN.into());
                for _ in 0..turns {
                    turn += 1;
                    // Whoever is asked for before the clock runs is not asked for again in the next
                    // turn.
                    let from = turn * TURN as usize / 2 * 3;
                    // In an order that changes: whoever follows moka is slower now and then.
                    order.swap(turn % tables.len(), turn * turn / 3 % tables.len());
                    for &at in &order {
                        let (_, work) = &tables[at];
                        // Of other records than the table before it, and what that one left in the
                        // processor's caches is gone.
                        let from = from + at * APART;
                        work(threads, TURN as usize / 2, from);
                        let time = work(threads, TURN as usize, from + TURN as usize / 2);
                        times[at].push(time);
                        took += if at == number { time } else { Duration::ZERO };
                    }
                }
                let done = u128::from(turns) * u128::from(TURN);
                Duration::from_nanos((took.as_nanos() * u128::from(wanted) / done) as u64)
            });
        });
    }
    group.finish();
    let medians: Vec<_> = times.into_iter().map(median).collect();
    let Some((ours, others)) = medians.split_first() else { return };
    for (other, (name, _)) in others.iter().zip(&tables[1..]).filter(|(other, _)| **other > 0.0) {
        println!("{title}: {ours:.1} ns; {name}: {other:.1} ns; ratio {:.2}", ours / other);
    }
}

/// In nanoseconds for each time.
fn median(mut turns: Vec<Duration>) -> f64 {
    turns.sort_unstable();
    let median = turns.get(turns.len() / 2).copied().unwrap_or_default();
    median.as_secs_f64() * 1e9 / f64::from(TURN)
}

fn hits(criterion: &mut Criterion) {
    for entries in SIZES {
        let records = records(entries);
        let ids: Vec<SessionId> = shuffled(records.len()).map(|at| *records[at].id()).collect();
        let tables = [
            (RecordTable::NAME, gets::<RecordTable>(&records, &ids)),
            (Dash::NAME, gets::<Dash>(&records, &ids)),
            (Quick::NAME, gets::<Quick>(&records, &ids)),
            (Moka::NAME, gets::<Moka>(&records, &ids)),
        ];
        for threads in [1, 2] {
            compare(criterion, &format!("hit/{entries}/{threads}"), threads, &tables);
        }
    }
}

/// Gets of present records in an order that has nothing to do with memory.
fn gets<'a, T: Table>(records: &[Arc<Record>], ids: &'a [SessionId]) -> Work<'a> {
    let table = filled::<T>(records);
    Box::new(move |threads, times, from| {
        on_threads(threads, |thread| {
            let from = from + thread * ids.len() / threads;
            for at in 0..times {
                let id = &ids[(from + at) % ids.len()];
                black_box(table.get(black_box(id)));
            }
        })
    })
}

/// Inserts of sessions that no table remembers, round and round: the memories of those that left
/// are shorter than a round.
fn inserts_of_strangers(criterion: &mut Criterion) {
    for entries in SIZES {
        let records = records((entries * 3).max(100_000));
        let room = entries as usize;
        let tables = [
            (RecordTable::NAME, puts::<RecordTable>(&records, room)),
            (Quick::NAME, puts::<Quick>(&records, room)),
            (Moka::NAME, puts::<Moka>(&records, room)),
        ];
        for threads in [1, 2] {
            compare(criterion, &format!("insert-evict/{entries}/{threads}"), threads, &tables);
        }
    }
}

/// Inserts of sessions that left not long ago, which all tables remember and prefer to others.
fn inserts_of_returners(criterion: &mut Criterion) {
    for entries in SIZES {
        let records = records(entries + entries / 5);
        let room = entries as usize;
        let tables = [
            (RecordTable::NAME, puts::<RecordTable>(&records, room)),
            (Quick::NAME, puts::<Quick>(&records, room)),
        ];
        for threads in [1, 2] {
            compare(criterion, &format!("insert-again/{entries}/{threads}"), threads, &tables);
        }
    }
}

fn records(number: u64) -> Vec<Arc<Record>> {
    let lengths = RECORD_BYTES.into_iter().cycle();
    (0..number).zip(lengths).map(|(n, bytes)| support::record(support::id(n), 1, bytes)).collect()
}

fn puts<T: Table>(records: &[Arc<Record>], room: usize) -> Work<'_> {
    let table = T::with_capacity(room);
    for record in records {
        table.insert(record);
    }
    Box::new(move |threads, times, from| {
        on_threads(threads, |thread| {
            let from = from + thread * records.len() / threads;
            for at in 0..times {
                table.insert(black_box(&records[(from + at) % records.len()]));
            }
        })
    })
}

fn filled<T: Table>(records: &[Arc<Record>]) -> T {
    // Room to spare, so that shards that fill unevenly still hold every record and each get is a
    // hit.
    let table = T::with_capacity(records.len() + records.len() / 4);
    for record in records {
        table.insert(record);
    }
    assert!(records.iter().all(|record| table.get(record.id()).is_some()), "every get is a hit");
    table
}

/// The time from when the first thread begins until the last is done.
fn on_threads(threads: usize, work: impl Fn(usize) + Sync) -> Duration {
    let ready = Barrier::new(threads);
    let run = &|thread| {
        ready.wait();
        let begun = Instant::now();
        work(thread);
        (begun, Instant::now())
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|at| scope.spawn(move || run(at))).collect();
        let (mut first, mut last) = run(0);
        for (begun, ended) in others.into_iter().filter_map(|other| other.join().ok()) {
            first = first.min(begun);
            last = last.max(ended);
        }
        last.saturating_duration_since(first)
    })
}

/// 0 to `n`, in an order of its own: steps of a number that has no factor in common with `n`.
fn shuffled(n: usize) -> impl Iterator<Item = usize> {
    let step = 7_919;
    (0..n).map(move |at| at * step % n)
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500))
}

criterion_group! {
    name = benches;
    config = short();
    targets = hits, inserts_of_strangers, inserts_of_returners
}
criterion_main!(benches);
