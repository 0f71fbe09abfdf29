//! A hit, and an insert that makes another leave, beside the caches of the field.
//!
//! `cargo bench -p session-cache --bench table`. All tables hold the same records under the same
//! keys with the same hashing. Two tables of each kind are never alive at once, so that none is
//! measured in a cache another one has filled.

#![expect(clippy::cast_possible_truncation, reason = "counts of a bench fit in every word")]

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
const RECORD_BYTES: usize = 200;

fn hits(criterion: &mut Criterion) {
    for entries in SIZES {
        let records: Vec<_> =
            (0..entries).map(|n| support::record(support::id(n), 1, RECORD_BYTES)).collect();
        hit::<Dash>(criterion, &records);
        hit::<RecordTable>(criterion, &records);
        hit::<Quick>(criterion, &records);
        hit::<Moka>(criterion, &records);
    }
}

/// Gets of present records in an order that has nothing to do with memory, by one thread and by
/// two.
fn hit<T: Table>(criterion: &mut Criterion, records: &[Arc<Record>]) {
    let table = filled::<T>(records);
    let ids: Vec<SessionId> = shuffled(records.len()).map(|at| *records[at].id()).collect();
    for threads in [1, 2] {
        let mut group = criterion.benchmark_group(format!("hit/{}/{threads}", records.len()));
        group.bench_function(BenchmarkId::from_parameter(T::NAME), |bencher| {
            bencher.iter_custom(|gets| {
                on_threads(threads, |thread| {
                    let from = thread * ids.len() / threads;
                    for at in 0..gets as usize {
                        let id = &ids[(from + at) % ids.len()];
                        black_box(table.get(black_box(id)));
                    }
                })
            });
        });
        group.finish();
    }
}

fn inserts(criterion: &mut Criterion) {
    for entries in SIZES {
        // Twice as many as there is room for, round and round: each is gone when it comes again.
        let records: Vec<_> =
            (0..entries * 2).map(|n| support::record(support::id(n), 1, RECORD_BYTES)).collect();
        insert::<RecordTable>(criterion, &records);
        insert::<Quick>(criterion, &records);
        insert::<Moka>(criterion, &records);
    }
}

fn insert<T: Table>(criterion: &mut Criterion, records: &[Arc<Record>]) {
    let room = records.len() / 2;
    let table = T::with_capacity(room);
    for record in records {
        table.insert(record);
    }
    for threads in [1, 2] {
        let mut group = criterion.benchmark_group(format!("insert-evict/{room}/{threads}"));
        let mut next = 0;
        group.bench_function(BenchmarkId::from_parameter(T::NAME), |bencher| {
            bencher.iter_custom(|inserts| {
                let begun = next;
                next += inserts as usize;
                on_threads(threads, |thread| {
                    let from = begun + thread * room;
                    for at in 0..inserts as usize {
                        table.insert(black_box(&records[(from + at) % records.len()]));
                    }
                })
            });
        });
        group.finish();
    }
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
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500))
}

criterion_group! { name = benches; config = short(); targets = hits, inserts }
criterion_main!(benches);
