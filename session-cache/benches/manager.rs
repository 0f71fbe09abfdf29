//! A hit as an application pays for it: `dyn SessionManager::get().await`.
//!
//! `cargo bench -p session-cache --bench manager`. The peers are the same tables behind the least
//! that a manager must do: look the record up and check its deadline.

#![expect(clippy::expect_used, reason = "a bench that cannot be set up has to stop")]

#[path = "support/mod.rs"]
mod peers;
#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    fmt,
    hint::black_box,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use session_cache::{CacheConfig, CachingSessionManager, Coherence};
use session_core::{
    Clock, Expect, ForgetSessions, ListSessions, MemorySessionManager, Outcome, ProbeVersions,
    RecallSessions, Record, Removal, Result, SessionId, SessionManager, SweepSessions, SystemClock,
    Timestamp, Version, WatchSessions,
};

use self::peers::{Dash, Moka, Quick, Table};

const ENTRIES: u64 = 10_000;

/// A table behind the trait, for reading only.
struct Plain<T> {
    table: T,
    clock: SystemClock,
}

impl<T: Table> Plain<T> {
    fn filled(records: &[Arc<Record>]) -> Arc<dyn SessionManager> {
        let table = T::with_capacity(records.len() * 5 / 4);
        for record in records {
            table.insert(record);
        }
        Arc::new(Self { table, clock: SystemClock::new() })
    }
}

impl<T: Table> fmt::Debug for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::NAME)
    }
}

#[async_trait]
impl<T: Table> SessionManager for Plain<T> {
    async fn exists(&self, id: &SessionId) -> Result<bool> {
        Ok(self.get(id).await?.is_some())
    }

    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>> {
        Ok(self.table.get(id).filter(|record| !record.is_expired(self.clock.now())))
    }

    async fn put(&self, _: &Arc<Record>, _: Expect) -> Result<Outcome> {
        Ok(Outcome::Gone)
    }

    async fn touch(&self, _: &SessionId, _: Version, _: Timestamp) -> Result<Outcome> {
        Ok(Outcome::Gone)
    }

    async fn remove(&self, _: &SessionId, _: Option<Version>) -> Result<Removal> {
        Ok(Removal::Gone)
    }

    fn sweeping(&self) -> Option<&dyn SweepSessions> {
        None
    }

    fn listing(&self) -> Option<&dyn ListSessions> {
        None
    }

    fn probing(&self) -> Option<&dyn ProbeVersions> {
        None
    }

    fn watching(&self) -> Option<&dyn WatchSessions> {
        None
    }

    fn recalling(&self) -> Option<&dyn RecallSessions> {
        None
    }

    fn forgetting(&self) -> Option<&dyn ForgetSessions> {
        None
    }
}

fn cached(records: &[Arc<Record>], coherence: Coherence) -> Arc<dyn SessionManager> {
    let parent = MemorySessionManager::new();
    for record in records {
        let stored = block_on(parent.put(record, Expect::Absent));
        assert_eq!(stored.expect("put"), Outcome::Stored);
    }
    let config = CacheConfig::new().capacity(records.len() * 5 / 4);
    let manager = CachingSessionManager::with_config(parent, coherence, config);
    Arc::new(manager.expect("the in-memory manager has every ability"))
}

fn gets(criterion: &mut Criterion) {
    let records: Vec<_> = (0..ENTRIES).map(|n| support::record(support::id(n), 1, 200)).collect();
    let subjects: [(&str, Arc<dyn SessionManager>); 7] = [
        (Dash::NAME, Plain::<Dash>::filled(&records)),
        ("exclusive", cached(&records, Coherence::Exclusive)),
        ("watching", cached(&records, Coherence::Watching)),
        ("max_age", cached(&records, Coherence::MaxAge(Duration::from_secs(3_600)))),
        ("checked", cached(&records, Coherence::Checked)),
        (Quick::NAME, Plain::<Quick>::filled(&records)),
        (Moka::NAME, Plain::<Moka>::filled(&records)),
    ];
    let mut group = criterion.benchmark_group("get");
    for (name, manager) in &subjects {
        for record in &records {
            assert!(
                block_on(manager.get(record.id())).expect("get").is_some(),
                "a hit from now on"
            );
        }
        let mut at = 0;
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                at = (at + 7_919) % records.len();
                black_box(block_on(manager.get(black_box(records[at].id()))))
            });
        });
    }
    group.finish();
}

/// Runs a future that is ready when it is asked, as a hit is.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500))
}

criterion_group! { name = benches; config = short(); targets = gets }
criterion_main!(benches);
