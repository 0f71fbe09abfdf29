//! What a record costs to open and to seal, beside the cipher it cannot do without.
//!
//! `cargo bench -p session-core --bench record`

#![expect(clippy::expect_used, reason = "a bench ends where something fails")]

mod support;

use std::hint::black_box;

use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use criterion::{Criterion, criterion_group, criterion_main};
use session_core::{MemorySessionManager, Record};

use crate::support::{FromBytes, interface, now, open, stored};

fn record(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    let store = MemorySessionManager::new();
    let server = interface(store.clone());
    let cookie = stored(&server);
    let from_bytes = FromBytes::of(&store);
    let body = from_bytes.bytes().len() - Record::HEADER_BYTES - 40;

    let cipher = XChaCha20Poly1305::new((&[3; 32]).into());
    let (nonce, header) = (XNonce::from([4; 24]), [5; Record::EXPIRES_AT_OFFSET]);
    let mut sealed = vec![6; body];
    let tag: Tag = cipher
        .encrypt_inout_detached(&nonce, &header, sealed.as_mut_slice().into())
        .expect("it is short");
    group.bench_function(
        format!("limit: bare XChaCha20-Poly1305 of {body} bytes, seal"),
        |bencher| {
            let mut body = vec![6; body];
            bencher.iter(|| {
                let tag = cipher.encrypt_inout_detached(
                    &nonce,
                    black_box(&header),
                    black_box(body.as_mut_slice()).into(),
                );
                tag.is_ok()
            });
        },
    );
    group.bench_function(
        format!("limit: bare XChaCha20-Poly1305 of {body} bytes, open"),
        |bencher| {
            bencher.iter(|| {
                let mut body = black_box(&sealed).clone();
                cipher
                    .decrypt_inout_detached(
                        &nonce,
                        black_box(&header),
                        body.as_mut_slice().into(),
                        &tag,
                    )
                    .is_ok()
            });
        },
    );
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

criterion_group!(benches, record);
criterion_main!(benches);
