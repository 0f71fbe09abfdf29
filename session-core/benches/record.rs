//! What a record costs to open and to seal, beside the cipher it cannot do without.
//!
//! `cargo bench -p session-core --bench record`

#![expect(clippy::expect_used, reason = "a bench ends where something fails")]

mod support;

use std::hint::black_box;

use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305, XNonce};
use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use session_core::{MemorySessionManager, Record};

use crate::support::{FromBytes, interface, now, open, stored};

fn record(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    let store = MemorySessionManager::new();
    let server = interface(store.clone());
    let cookie = stored(&server);
    let from_bytes = FromBytes::of(&store);
    let body = from_bytes.bytes().len() - Record::HEADER_BYTES - 40;

    bare(&mut group, body);
    in_rust(&mut group, body);
    group.bench_function("a cookie is opened on a record opened before", |bencher| {
        bencher.iter(|| open(&server, Some(black_box(&cookie))));
    });
    let uncached = interface(from_bytes);
    group.bench_function("a cookie is opened on a record from its bytes", |bencher| {
        bencher.iter(|| open(&uncached, Some(black_box(&cookie))));
    });
    group.bench_function("a cookie is opened, one of five values changed and sealed", |bencher| {
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

/// The limit: a key that is ready, and a nonce that needs no key of its own.
fn bare(group: &mut BenchmarkGroup<'_, WallTime>, body: usize) {
    let key = UnboundKey::new(&CHACHA20_POLY1305, &[3; 32]).expect("it is as long as a key");
    let key = LessSafeKey::new(key);
    let nonce = || Nonce::assume_unique_for_key([4; NONCE_LEN]);
    let header = || Aad::from(black_box([5; Record::EXPIRES_AT_OFFSET]));
    let mut sealed = vec![6; body];
    let tag = key.seal_in_place_separate_tag(nonce(), header(), &mut sealed).expect("it is short");
    group.bench_function(
        format!("limit: bare ChaCha20-Poly1305 of {body} bytes, seal"),
        |bencher| {
            let mut body = vec![6; body];
            bencher.iter(|| {
                let body = black_box(body.as_mut_slice());
                key.seal_in_place_separate_tag(nonce(), header(), body).is_ok()
            });
        },
    );
    group.bench_function(
        format!("limit: bare ChaCha20-Poly1305 of {body} bytes, open"),
        |bencher| {
            bencher.iter(|| {
                let mut body = black_box(&sealed).clone();
                key.open_in_place_separate_tag(nonce(), header(), tag, &mut body, 0..).is_ok()
            });
        },
    );
}

/// The same cipher in Rust, with the derivation.
fn in_rust(group: &mut BenchmarkGroup<'_, WallTime>, body: usize) {
    let cipher = XChaCha20Poly1305::new((&[3; 32]).into());
    let (nonce, header) = (XNonce::from([4; 24]), [5; Record::EXPIRES_AT_OFFSET]);
    let name = format!("chacha20poly1305 in place of ring, {body} bytes, seal");
    group.bench_function(name, |bencher| {
        let mut body = vec![6; body];
        bencher.iter(|| {
            let body = black_box(body.as_mut_slice());
            cipher.encrypt_inout_detached(&nonce, black_box(&header), body.into()).is_ok()
        });
    });
}

criterion_group!(benches, record);
criterion_main!(benches);
