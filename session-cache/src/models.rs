//! The shard and the shared load in every interleaving of their threads.

use std::{future::poll_fn, sync::Arc, task::Poll};

use bytes::Bytes;
use loom::{future::block_on, thread};
use session_core::{Record, SessionId, Timestamp, Version};

use crate::{
    error::SharedError,
    flight::Flight,
    sync::atomic::{AtomicUsize, Ordering},
    table::{RecordTable, Shard, Start, Written},
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

/// What a request does that finds nothing: asks the store, and keeps what it read.
fn load(shard: &Shard, store: &Store) -> Option<u64> {
    let id = id();
    let mut taken = None;
    let start = shard.start(
        &id,
        NOW,
        |_| true,
        |_| true,
        |ticket| {
            taken = Some(ticket);
            Box::pin(std::future::pending())
        },
    );
    match start {
        Start::Found(found) => Some(found.record.version().get()),
        Start::Wait { passenger, .. } => {
            let ticket = taken?;
            let read = store.load(Ordering::SeqCst) as u64;
            let found = (read > 0).then(|| record(read));
            shard.land(&id, ticket, found.as_ref(), NOW, || true);
            drop(passenger);
            Some(read)
        }
    }
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
                shard.end_write(&id(), ticket, &Written::Outdated, NOW, |_| true);
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

/// Every interleaving in which a thread is interrupted twice at most: the three threads of a flight
/// have too many others.
fn bounded(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

/// A load that waits once and is woken from another thread.
fn slow(begun: &Arc<AtomicUsize>) -> crate::flight::Call<Option<Arc<Record>>> {
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
fn all_who_wait_are_told_how_a_load_ended() {
    bounded(|| {
        let begun = Arc::new(AtomicUsize::new(0));
        let (flight, first) = Flight::new(slow(&begun));
        let second = flight.board().expect("nobody left");
        let other = thread::spawn(move || block_on(second).is_ok());
        assert!(block_on(first).is_ok());
        assert!(other.join().expect("the other ends"));
        assert_eq!(begun.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn one_who_leaves_takes_the_load_from_nobody() {
    bounded(|| {
        let begun = Arc::new(AtomicUsize::new(0));
        let (flight, mut first) = Flight::new(slow(&begun));
        let second = flight.board().expect("nobody left");
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
