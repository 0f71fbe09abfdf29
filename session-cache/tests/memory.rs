//! What an entry costs beyond its record, counted by the allocator.

#![expect(clippy::cast_possible_truncation, reason = "the counts of a test fit in every word")]

#[path = "../benches/support/mod.rs"]
mod peers;
mod support;

use std::sync::Mutex;

use session_cache::RecordTable;

use self::peers::{Moka, Quick, Table};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Bytes a full table holds for each entry, the records apart.
fn per_entry<T: Table>(entries: u64) -> usize {
    // Twice as many records as there is room for, so that what is kept of those who left is counted
    // too.
    let records: Vec<_> = (0..2 * entries).map(|n| support::record(support::id(n), 1, 0)).collect();
    let before = dhat::HeapStats::get().curr_bytes;
    let table = T::with_capacity(entries as usize);
    for record in &records {
        table.insert(record);
        table.get(record.id());
    }
    let taken = dhat::HeapStats::get().curr_bytes - before;
    drop(table);
    taken / entries as usize
}

/// The counts are those of the whole process.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn sessions_that_ended_leave_no_memory_behind() {
    let _alone = ALONE.lock();
    let _profiler = dhat::Profiler::builder().testing().build();
    let table = RecordTable::new(100_000, usize::MAX);
    let come_and_go = |numbers: std::ops::Range<u64>| {
        for number in numbers {
            table.insert(&support::record(support::id(number), 1, 0));
            table.remove(&support::id(number));
        }
        dhat::HeapStats::get().curr_bytes
    };
    let after_some = come_and_go(0..10_000);
    let grown = come_and_go(10_000..50_000).saturating_sub(after_some);
    // Their places in the queues alone would be ten times as much.
    assert!(grown < 16_000, "{grown} bytes");
}

#[test]
fn an_entry_takes_at_most_100_bytes_beside_its_record_and_they_are_counted() {
    let _alone = ALONE.lock();
    let _profiler = dhat::Profiler::builder().testing().build();
    let table = RecordTable::new(100, usize::MAX);
    let record = support::record(support::id(1), 1, 0);
    table.insert(&record);
    let counted = table.figures().bytes as usize - record.memory_len();
    // Of the second, a slab that doubles would leave nearly a half unused.
    for entries in [6_000, 5_500] {
        let ours = per_entry::<RecordTable>(entries);
        println!("bytes per entry of {entries}: {ours}");
        assert!(ours <= 100, "{ours} bytes");
        assert!(ours <= counted, "{ours} are taken, {counted} are counted");
    }
    let (quick, moka) = (per_entry::<Quick>(6_000), per_entry::<Moka>(6_000));
    println!("quick_cache {quick}; moka {moka}");
}
