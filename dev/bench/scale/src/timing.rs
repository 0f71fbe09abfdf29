//! The cost of an operation on a session picked at random.

use std::{sync::Arc, time::Instant};

use session_core::{Expect, Outcome, Record, SessionManager, Timestamp, Version};
use tokio::runtime::Runtime;

use crate::{Done, records};

/// Each operation is timed so many at a time; the median of the batches is what it costs.
const BATCHES: usize = 25;

/// Of reads, and of writes, in a batch.
const READS: usize = 4_000;
const WRITES: usize = 400;

/// `name=nanoseconds` of each operation.
pub(crate) fn operations(
    runtime: &Runtime,
    manager: &dyn SessionManager,
    sessions: u64,
) -> Done<Vec<String>> {
    let mut picked = Picked { sessions, seed: sessions };
    let get = median(|| {
        let ids =
            picked.numbers(READS).map(records::id).collect::<session_core::Result<Vec<_>>>()?;
        let started = Instant::now();
        runtime.block_on(async {
            for id in &ids {
                if manager.get(id).await?.is_none() {
                    return Err("a session is not there".into());
                }
            }
            Done::Ok(())
        })?;
        Ok(each(started, READS))
    })?;
    let touch = median(|| {
        let records = picked.records(runtime, manager)?;
        let started = Instant::now();
        runtime.block_on(async {
            for record in &records {
                let until = Timestamp::from_millis(record.expires_at().as_millis() + 1);
                if manager.touch(record.id(), record.version(), until).await? != Outcome::Stored {
                    return Err("a session could not be touched".into());
                }
            }
            Done::Ok(())
        })?;
        Ok(each(started, records.len()))
    })?;
    let put = median(|| {
        let mut changes = Vec::new();
        for old in picked.records(runtime, manager)? {
            let next = Version::new(old.version().get() + 1);
            changes.push((records::with_id(*old.id(), next, old.expires_at())?, old.version()));
        }
        let started = Instant::now();
        runtime.block_on(async {
            for (record, version) in &changes {
                if manager.put(record, Expect::Version(*version)).await? != Outcome::Stored {
                    return Err("a session could not be changed".into());
                }
            }
            Done::Ok(())
        })?;
        Ok(each(started, changes.len()))
    })?;
    let told = [("get", get), ("put", put), ("touch", touch)];
    Ok(told.map(|(name, seconds)| format!("{name}={:.1}", seconds * 1e9)).to_vec())
}

/// Numbers of sessions, the same in every run.
struct Picked {
    sessions: u64,
    seed: u64,
}

impl Picked {
    fn numbers(&mut self, count: usize) -> impl Iterator<Item = u64> {
        (0..count).map(|_| {
            self.seed += 1;
            records::mix(self.seed) % self.sessions
        })
    }

    /// What is stored now of some of them, each once.
    fn records(
        &mut self,
        runtime: &Runtime,
        manager: &dyn SessionManager,
    ) -> Done<Vec<Arc<Record>>> {
        let mut numbers: Vec<_> = self.numbers(WRITES).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let records = numbers.into_iter().map(|number| {
            let found = runtime.block_on(manager.get(&records::id(number)?))?;
            found.ok_or_else(|| "a session is not there".into())
        });
        records.collect()
    }
}

/// Seconds for each of `count`.
fn each(started: Instant, count: usize) -> f64 {
    started.elapsed().as_secs_f64() / u32::try_from(count).map_or(f64::NAN, f64::from)
}

fn median(mut batch: impl FnMut() -> Done<f64>) -> Done<f64> {
    let mut times = (0..BATCHES).map(|_| batch()).collect::<Done<Vec<_>>>()?;
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
