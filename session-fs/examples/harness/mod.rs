//! What the harnesses share: sessions whose records say what they should be.

#![allow(dead_code, reason = "each harness uses a part of this")]

use std::{env, path::Path, pin::pin, str::FromStr, sync::Arc, task};

use session_core::{PrincipalTag, Record, SessionId, Timestamp, Version};
use session_fs::{FileBackedSessionManager, FsConfig};

/// How often a session is changed; the last change removes it.
pub(crate) const CHANGES: u64 = 200;

/// A folder without a background sweep.
pub(crate) fn open(folder: &Path) -> session_core::Result<FileBackedSessionManager> {
    FileBackedSessionManager::with_config(&FsConfig::new(folder).without_background_sweep())
}

/// The deadline that says that a session is at its change `number`.
pub(crate) fn deadline(number: u64) -> Timestamp {
    Timestamp::from_millis((1 << 52) + number)
}

/// A record of a random length, every byte of whose body is told by its head. The head names the
/// `life` of its session: a number that a session made again under the same id does not share.
pub(crate) fn record(
    id: SessionId,
    version: Version,
    number: u64,
    life: u64,
    random: &mut Random,
) -> Arc<Record> {
    let len = match random.below(20) {
        0 => 2_000 + random.below(20_000),
        1..5 => random.below(2_000),
        _ => 100 + random.below(300),
    };
    let seed = random.next();
    let mut body = life.to_le_bytes().to_vec();
    body.extend_from_slice(&seed.to_le_bytes());
    let mut bytes = Random::new(seed);
    body.extend((0..len).map(|_| bytes.next().to_le_bytes()[0]));
    let tag = (random.below(2) == 0).then_some(PrincipalTag::from_bytes([0xa1; 16]));
    super::records::tagged(id, version.get(), deadline(number), tag, &body)
}

/// At which change a session is, by a record that must be whole.
pub(crate) fn state(record: &Record) -> Result<u64, String> {
    let body = record.sealed().get(48..).ok_or("a body is missing")?;
    let (seed, rest) = body.split_first_chunk().ok_or("a body is too short")?;
    let mut bytes = Random::new(u64::from_le_bytes(*seed));
    if rest.iter().any(|byte| *byte != bytes.next().to_le_bytes()[0]) {
        return Err("a body is torn".to_owned());
    }
    Ok(record.expires_at().as_millis() - (1 << 52))
}

/// The life of its session that a record names.
pub(crate) fn life(record: &Record) -> u64 {
    let body = record.sealed().get(40..).unwrap_or_default();
    body.first_chunk().map_or(0, |life| u64::from_le_bytes(*life))
}

/// The word after `name` on the command line.
pub(crate) fn argument(name: &str) -> Option<String> {
    env::args().skip_while(|argument| argument != name).nth(1)
}

/// The number after `name` on the command line.
pub(crate) fn value_of<T: FromStr>(name: &str, default: T) -> Result<T, String> {
    argument(name).map_or(Ok(default), |value| {
        value.parse().map_err(|_| format!("{name} wants a number, not {value}"))
    })
}

/// A small generator, whose seed is enough to repeat a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The generator `SplitMix64` (Steele, Lea, Flood 2014).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

/// Runs a future outside of any runtime: every wait happens right here.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = task::Context::from_waker(task::Waker::noop());
    loop {
        if let task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
