//! What a whole request costs in this crate, over memory.
//!
//! `cargo bench -p session-core --bench session`

#![expect(clippy::expect_used, reason = "a bench ends where something fails")]

mod support;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use session_core::{Clock, MemorySessionManager, SystemClock};
use sha2::{Digest, Sha256};

use crate::support::{FromBytes, fill, interface, now, open, stored};

fn session(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session");
    let store = MemorySessionManager::new();
    let server = interface(store.clone());
    let cookie = stored(&server);

    let prepared = Hmac::<Sha256>::new_from_slice(&[1; 32]).expect("any key will do");
    group.bench_function("limit: one HMAC-SHA256 and one SHA-256", |bencher| {
        bencher.iter(|| {
            let mut mac = prepared.clone();
            mac.update(black_box(&[7; 48]));
            let hash = Sha256::digest(black_box([8; 56]));
            mac.verify_slice(&hash).is_ok()
        });
    });
    let clock = SystemClock::new();
    group.bench_function("one look at the clock", |bencher| bencher.iter(|| clock.now()));

    group.bench_function("no cookie, nothing done", |bencher| {
        bencher.iter(|| now(open(&server, None).finish()).is_ok());
    });
    group.bench_function("one value is read", |bencher| {
        bencher.iter(|| {
            let session = open(&server, Some(black_box(&cookie)));
            let visits: Option<u32> = session.get("visits").expect("a number");
            assert_eq!(visits, Some(17));
            now(session.finish()).is_ok()
        });
    });
    let uncached = interface(FromBytes::of(&store));
    group.bench_function("one value is read from the bytes of the record", |bencher| {
        bencher.iter(|| {
            let session = open(&uncached, Some(black_box(&cookie)));
            let visits: Option<u32> = session.get("visits").expect("a number");
            assert_eq!(visits, Some(17));
            now(session.finish()).is_ok()
        });
    });
    group.bench_function("one value is set to what it was", |bencher| {
        bencher.iter(|| {
            let session = open(&server, Some(black_box(&cookie)));
            session.insert("visits", &17).expect("it fits");
            now(session.finish()).is_ok()
        });
    });
    group.bench_function("a new session of five values is stored", |bencher| {
        bencher.iter_batched(
            || interface(MemorySessionManager::new()),
            |server| {
                let session = open(&server, None);
                fill(&session).expect("it fits");
                (now(session.finish()).is_ok(), server)
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("one value is changed and stored", |bencher| {
        let mut visits = 0_u64;
        bencher.iter(|| {
            let session = open(&server, Some(black_box(&cookie)));
            visits += 1;
            session.insert("visits", &visits).expect("it fits");
            now(session.finish()).is_ok()
        });
    });
    group.finish();
}

criterion_group!(benches, session);
criterion_main!(benches);
