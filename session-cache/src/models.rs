//! The shard, the feed, touches and the shared call in every interleaving of their threads.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use bytes::Bytes;
use loom::{future::block_on, thread};
use session_core::{ManualClock, Outcome, Record, SessionId, Timestamp, Version, WatchChanges};

use crate::{
    error::SharedError,
    feed::Feed,
    shared_call::SharedCall,
    sync::atomic::{AtomicUsize, Ordering},
    table::{Loaded, RecordTable, Shard, Start, Written},
    touches::Touches,
};

const NOW: Timestamp = Timestamp::from_millis(1);

fn id() -> SessionId {
    let mut bytes = [7; 16];
    bytes[6] = 0x47;
    bytes[8] = 0x87;
    SessionId::from_bytes(bytes).expect("a version 4 UUID")
}

fn record(version: u64) -> Arc<Record> {
    let mut bytes = vec![0; 112];
    bytes[..6].copy_from_slice(b"SSNR\x01\x00");
    bytes[16..32].copy_from_slice(id().as_bytes());
    bytes[32..40].copy_from_slice(&Version::new(version).get().to_le_bytes());
    bytes[40..48].fill(0xff);
    bytes[64..72].fill(0xff);
    Arc::new(Record::from_bytes(&id(), Bytes::from(bytes)).expect("a record"))
}

/// A parent with one record: 0 is none.
type Store = AtomicUsize;

/// A request that finds no entry: asks the store, and keeps what it read.
fn load(shard: &Shard, store: &Store) -> Option<u64> {
    load_while(shard, store, || true)
}

/// As [`load`], where records are admitted for as long as is said.
fn load_while(shard: &Shard, store: &Store, admitted: impl Fn() -> bool) -> Option<u64> {
    let id = id();
    let mut taken = None;
    let (start, _) = shard.start(
        &id,
        true,
        NOW,
        |_| admitted(),
        |_| admitted(),
        |ticket| {
            taken = Some(ticket);
            Box::pin(std::future::pending())
        },
    );
    let waiter = match start {
        Start::Hit(record) => return Some(record.version().get()),
        Start::Join(waiter) | Start::Begin(waiter) => waiter,
    };
    let ticket = taken?;
    let read = store.load(Ordering::SeqCst) as u64;
    let record = (read > 0).then(|| record(read));
    let loaded = record.as_ref().map_or(Loaded::Absent, Loaded::Record);
    shard.end_load(&id, ticket, loaded, NOW, &admitted);
    drop(waiter);
    Some(read)
}

fn kept(table: &RecordTable) -> u64 {
    table.get(&id()).map_or(0, |record| record.version().get())
}

#[test]
fn a_load_that_overlaps_a_write_never_leaves_the_older_record() {
    loom::model(|| {
        let table = Arc::new(RecordTable::new(4, usize::MAX));
        let store = Arc::new(Store::new(1));
        let writer = {
            let (table, store) = (Arc::clone(&table), Arc::clone(&store));
            thread::spawn(move || {
                let shard = table.shard(&id());
                let ticket = shard.begin_write(&id());
                store.store(2, Ordering::SeqCst);
                shard.end_write(&id(), ticket, &Written::Put(&record(2)), NOW, |_| true);
                assert_eq!(kept(&table).max(2), 2);
                assert_ne!(kept(&table), 1, "the write has ended");
            })
        };
        load(table.shard(&id()), &store);
        writer.join().expect("the writer ends");
        assert_ne!(kept(&table), 1);
    });
}

#[test]
fn a_load_that_overlaps_a_removal_never_leaves_the_record() {
    loom::model(|| {
        let table = Arc::new(RecordTable::new(4, usize::MAX));
        let store = Arc::new(Store::new(1));
        let remover = {
            let (table, store) = (Arc::clone(&table), Arc::clone(&store));
            thread::spawn(move || {
                let shard = table.shard(&id());
                let ticket = shard.begin_write(&id());
                store.store(0, Ordering::SeqCst);
                shard.end_write(&id(), ticket, &Written::Gone, NOW, |_| true);
                assert_eq!(kept(&table), 0, "the removal has ended");
            })
        };
        load(table.shard(&id()), &store);
        remover.join().expect("the remover ends");
        assert_eq!(kept(&table), 0);
    });
}

#[test]
fn of_two_writes_that_overlap_the_older_record_never_stays() {
    loom::model(|| {
        let table = Arc::new(RecordTable::new(4, usize::MAX));
        let store = Arc::new(Store::new(1));
        let put = |table: &RecordTable, store: &Store| {
            let shard = table.shard(&id());
            let ticket = shard.begin_write(&id());
            let stored = store.fetch_add(1, Ordering::SeqCst) as u64 + 1;
            shard.end_write(&id(), ticket, &Written::Put(&record(stored)), NOW, |_| true);
        };
        let other = {
            let (table, store) = (Arc::clone(&table), Arc::clone(&store));
            thread::spawn(move || put(&table, &store))
        };
        put(&table, &store);
        other.join().expect("the other ends");
        assert!([0, 3].contains(&kept(&table)), "the last one, or none");
    });
}

#[test]
fn a_change_that_is_told_while_a_load_is_under_way_keeps_it_out() {
    loom::model(|| {
        let table = Arc::new(RecordTable::new(4, usize::MAX));
        let store = Arc::new(Store::new(1));
        let feed = {
            let (table, store) = (Arc::clone(&table), Arc::clone(&store));
            thread::spawn(move || {
                store.store(2, Ordering::SeqCst);
                table.shard(&id()).invalidate(&id());
                assert_ne!(kept(&table), 1, "the change was told");
            })
        };
        load(table.shard(&id()), &store);
        feed.join().expect("the feed ends");
        assert_ne!(kept(&table), 1);
    });
}

#[test]
fn what_is_loaded_while_the_feed_breaks_and_mends_is_current() {
    bounded(|| {
        let table = Arc::new(RecordTable::new(4, usize::MAX));
        let store = Arc::new(Store::new(1));
        let clock = Arc::new(ManualClock::at(NOW));
        let feed = Arc::new(Feed::new(Arc::clone(&table), clock, Duration::from_secs(60)));
        feed.alive();
        let breaking = {
            let (store, feed) = (Arc::clone(&store), Arc::clone(&feed));
            thread::spawn(move || {
                feed.broken();
                // A change that the feed never reports.
                store.store(2, Ordering::SeqCst);
                feed.alive();
            })
        };
        load_while(table.shard(&id()), &store, || feed.is_whole(NOW));
        breaking.join().expect("the feed ends");
        assert_ne!(kept(&table), 1, "the feed is whole, and its table current");
    });
}

#[test]
fn what_is_loaded_while_the_feed_is_late_is_current_when_it_is_used() {
    bounded(|| {
        let table = Arc::new(RecordTable::new(4, usize::MAX));
        let store = Arc::new(Store::new(1));
        let clock = Arc::new(ManualClock::at(NOW));
        let feed = Arc::new(Feed::new(Arc::clone(&table), clock, Duration::from_secs(60)));
        feed.alive();
        let reporting = {
            let (store, feed) = (Arc::clone(&store), Arc::clone(&feed));
            thread::spawn(move || {
                store.store(2, Ordering::SeqCst);
                feed.changed(&id());
                feed.alive();
            })
        };
        load_while(table.shard(&id()), &store, || feed.is_unbroken());
        reporting.join().expect("the feed ends");
        assert_ne!(kept(&table), 1, "the change was reported before the feed was whole");
    });
}

#[test]
fn a_late_write_that_overlaps_a_load_is_awaited() {
    loom::model(|| {
        let table = Arc::new(RecordTable::new(4, usize::MAX));
        let store = Arc::new(Store::new(1));
        let writer = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                let shard = table.shard(&id());
                let ticket = shard.begin_write(&id());
                let written = Written::Uncertain(Version::FIRST, Timestamp::EPOCH);
                shard.end_write(&id(), ticket, &written, NOW, |_| true);
            })
        };
        load(table.shard(&id()), &store);
        writer.join().expect("the writer ends");
        let recalled = table.shard(&id()).recall(&id(), |_| true);
        assert!(recalled.is_none(), "the write may still replace what is kept");
    });
}

#[test]
fn touches_that_overlap_are_merged_or_take_turns() {
    bounded(|| {
        let touches = Arc::new(Touches::default());
        let calls = Arc::new(std::sync::Mutex::new(Vec::new()));
        let touch = |touches: &Arc<Touches>, calls: &Arc<std::sync::Mutex<Vec<u64>>>, until| {
            let calls = Arc::clone(calls);
            let call = async move |until: Timestamp| {
                calls.lock().expect("no panic while locked").push(until.as_millis());
                Ok(Outcome::Stored)
            };
            let until = Timestamp::from_millis(until);
            let waiter = touches.join(NOW, &id(), Version::FIRST, until, call);
            block_on(waiter.expect("of one version")).is_ok()
        };
        let other = {
            let (touches, calls) = (Arc::clone(&touches), Arc::clone(&calls));
            thread::spawn(move || touch(&touches, &calls, 7))
        };
        assert!(touch(&touches, &calls, 9));
        assert!(other.join().expect("the other ends"));
        let calls = calls.lock().expect("no panic while locked");
        assert!(matches!(calls[..], [7, 9] | [9, 7] | [9]), "{calls:?}");
        assert!(touches.is_idle(), "no group is left behind");
    });
}

/// Every interleaving in which a thread is interrupted twice at most: the three threads of a shared
/// call have too many others.
fn bounded(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

/// A load that waits once and is woken from another thread.
fn slow(begun: &Arc<AtomicUsize>) -> crate::shared_call::Call<Option<Arc<Record>>> {
    begun.fetch_add(1, Ordering::SeqCst);
    let mut waited = false;
    Box::pin(poll_fn(move |context| {
        if waited {
            return Poll::Ready(Ok(Some(record(1))));
        }
        waited = true;
        let waker = context.waker().clone();
        thread::spawn(move || waker.wake());
        Poll::Pending
    }))
}

#[test]
fn every_waiter_gets_the_result_of_a_load() {
    bounded(|| {
        let begun = Arc::new(AtomicUsize::new(0));
        let (call, first) = SharedCall::new(slow(&begun));
        let second = call.join().expect("no waiter has left");
        let other = thread::spawn(move || block_on(second).is_ok());
        assert!(block_on(first).is_ok());
        assert!(other.join().expect("the other ends"));
        assert_eq!(begun.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_waiter_that_leaves_takes_the_load_from_no_other() {
    bounded(|| {
        let begun = Arc::new(AtomicUsize::new(0));
        let (call, mut first) = SharedCall::new(slow(&begun));
        let second = call.join().expect("no waiter has left");
        let other = thread::spawn(move || {
            // Polled once, and dropped wherever the load is by then.
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let _ = std::pin::Pin::new(&mut first).poll(&mut context);
            drop(first);
        });
        let landed: Result<_, SharedError> = block_on(second);
        assert!(landed.is_ok());
        other.join().expect("the other ends");
    });
}
