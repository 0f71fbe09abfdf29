//! What a cookie costs, beside the MAC it cannot do without.
//!
//! `cargo bench -p session-core --bench cookie`

#![expect(clippy::expect_used, reason = "a bench ends where something fails")]

mod support;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use session_core::{KeyRing, MemorySessionManager, SigningKey};
use sha2::Sha256;

use crate::support::{interface, key, now, open, stored};

/// What the MAC of a cookie takes in after what all cookies have in common: two lengths, a sid and
/// the random value.
const MESSAGE: [u8; 48] = [7; 48];

fn cookie(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("cookie");
    let mut prepared = Hmac::<Sha256>::new_from_slice(&[1; 32]).expect("any key will do");
    prepared.update(&[2; 64]);
    let mut tag = prepared.clone();
    tag.update(&MESSAGE);
    let tag = tag.finalize().into_bytes();
    group.bench_function("limit: bare HMAC-SHA256, key prepared", |bencher| {
        bencher.iter(|| {
            let mut mac = prepared.clone();
            mac.update(black_box(&MESSAGE));
            mac.verify_slice(black_box(&tag)).is_ok()
        });
    });

    let store = MemorySessionManager::new();
    let server = interface(store);
    let genuine = stored(&server);
    let forged = format!("{}{}", &genuine[..100], if genuine.ends_with('A') { 'B' } else { 'A' });
    group.bench_function("a malformed one is refused", |bencher| {
        bencher.iter(|| open(&server, Some(black_box(&genuine[..99]))));
    });
    group.bench_function("a forged one is refused", |bencher| {
        bencher.iter(|| open(&server, Some(black_box(&forged))));
    });
    group.bench_function("a genuine one is opened", |bencher| {
        bencher.iter(|| open(&server, Some(black_box(&genuine))));
    });

    let other = SigningKey::hmac_sha256((100..132).collect::<Vec<u8>>()).expect("a good secret");
    server.replace_keys(KeyRing::new(other).retired(key())).expect("a good ring");
    group.bench_function("one of a retired key is opened and signed again", |bencher| {
        bencher.iter(|| open(&server, Some(black_box(&genuine))));
    });
    group.bench_function("eight forged ones are refused", |bencher| {
        let cookies = [forged.as_bytes(); 8];
        bencher.iter(|| now(server.open(black_box(cookies))).is_ok());
    });
    group.finish();
}

criterion_group!(benches, cookie);
criterion_main!(benches);
