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

const ENTRIES: u64 = 20_000;

/// Bytes a full table holds for each entry, the records apart.
fn per_entry<T: Table>() -> usize {
    // Twice as many records as there is room for, so that what is kept of those who left is counted
    // too.
    let records: Vec<_> = (0..2 * ENTRIES).map(|n| support::record(support::id(n), 1, 0)).collect();
    let before = dhat::HeapStats::get().curr_bytes;
    let table = T::with_capacity(ENTRIES as usize);
    for record in &records {
        table.insert(record);
        table.get(record.id());
    }
    let taken = dhat::HeapStats::get().curr_bytes - before;
    drop(table);
    taken / ENTRIES as usize
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
    assert!(come_and_go(10_000..50_000) <= after_some);
}

#[test]
fn an_entry_costs_no_more_than_one_of_quick_cache_and_is_counted_in_full() {
    let _alone = ALONE.lock();
    let _profiler = dhat::Profiler::builder().testing().build();
    let ours = per_entry::<RecordTable>();
    let (quick, moka) = (per_entry::<Quick>(), per_entry::<Moka>());
    println!("bytes per entry beyond the record: {ours}; quick_cache {quick}; moka {moka}");
    assert!(ours <= quick, "{ours} against {quick}");
    let table = RecordTable::new(100, usize::MAX);
    let record = support::record(support::id(1), 1, 0);
    table.insert(&record);
    let counted = table.figures().bytes as usize - record.memory_len();
    assert!(ours <= counted, "{ours} are taken, {counted} are counted");
}
