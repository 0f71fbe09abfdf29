//! The traces: who asks for which session, in order.
//!
//! Frozen: seeds, shapes and lengths stay as they are, and [`Trace::checked`] refuses a trace that
//! came out differently. A policy is tuned against them and not they against a policy.

/// How many sessions every cache of a comparison may hold.
pub(crate) const CAPACITY: usize = 10_000;

/// Requests of the traces that have no length of their own.
const REQUESTS: usize = 1_000_000;

/// A named order of requests, each the number of a session.
pub(crate) struct Trace {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) requests: Vec<u64>,
}

impl Trace {
    /// The trace, if it is the one that was frozen.
    fn checked(self, frozen: u64) -> Result<Self, String> {
        let found = checksum(&self.requests);
        if found == frozen {
            Ok(self)
        } else {
            Err(format!("trace {} has checksum {found:#018x}, frozen is {frozen:#018x}", self.name))
        }
    }
}

/// All traces, in the order of the table.
pub(crate) fn all() -> Result<Vec<Trace>, String> {
    Ok(vec![
        zipf("zipf 0.9", 0.9, 0x5e55_0009).checked(FROZEN[0])?,
        zipf("zipf 1.0", 1.0, 0x5e55_0010).checked(FROZEN[1])?,
        zipf("zipf 1.1", 1.1, 0x5e55_0011).checked(FROZEN[2])?,
        burst("burst 5,000", 5_000, 0x5e55_5000).checked(FROZEN[3])?,
        burst("burst 9,000", 9_000, 0x5e55_9000).checked(FROZEN[4])?,
        scan(0x5e55_5ca9).checked(FROZEN[5])?,
        daily(0x5e55_da11).checked(FROZEN[6])?,
    ])
}

/// Visitors who come back, some far more often than others, and among them those who come once: 3
/// requests in 10.
fn zipf(name: &'static str, exponent: f64, seed: u64) -> Trace {
    let mut random = Random(seed);
    let popularity = Popularity::new(100_000, exponent);
    let mut once = Fresh::default();
    let requests = (0..REQUESTS)
        .map(|_| if random.below(10) < 3 { once.next() } else { popularity.pick(&mut random) })
        .collect();
    Trace { name, about: "100,000 who come back, 3 in 10 requests from one-hit visitors", requests }
}

/// Sessions that are busy and then die: `alive` at a time, twenty requests each on average, and
/// one-hit visitors among them.
fn burst(name: &'static str, alive: usize, seed: u64) -> Trace {
    let mut random = Random(seed);
    let mut fresh = Fresh::default();
    let mut sessions: Vec<u64> = (0..alive).map(|_| fresh.next()).collect();
    let requests = (0..REQUESTS)
        .map(|_| {
            if random.below(5) == 0 {
                return fresh.next();
            }
            let at = random.below(alive as u64) as usize;
            let session = sessions[at];
            if random.below(20) == 0 {
                sessions[at] = fresh.next();
            }
            session
        })
        .collect();
    Trace { name, about: "busy for 20 requests, then dead; 1 in 5 from one-hit visitors", requests }
}

/// A steady crowd, and five times somebody who looks at 15,000 sleeping sessions one after the
/// other.
fn scan(seed: u64) -> Trace {
    let mut random = Random(seed);
    let popularity = Popularity::new(20_000, 1.0);
    let mut sleeping = Fresh::default();
    let mut requests = Vec::with_capacity(REQUESTS);
    while requests.len() < REQUESTS {
        let in_scan = requests.len() % 200_000 >= 170_000;
        requests.push(if in_scan && requests.len() % 2 == 0 {
            sleeping.next()
        } else {
            popularity.pick(&mut random)
        });
    }
    Trace { name: "scan", about: "20,000 who come back, five scans over 15,000 others", requests }
}

/// Four days of 40,000 users: most come on a day, around noon, for an hour and a half, and again
/// the next day.
fn daily(seed: u64) -> Trace {
    const MINUTE: u64 = 60_000;
    let mut random = Random(seed);
    let mut once = Fresh::default();
    let mut events: Vec<(u64, u64)> = Vec::new();
    for day in 0..4_u64 {
        for user in 0..40_000_u64 {
            if random.below(10) >= 7 {
                continue;
            }
            // The sum of four even draws: a hill from 8:00 to 16:00 with its top at noon.
            let start: u64 = (0..4).map(|_| random.below(120 * MINUTE)).sum();
            let mut at = (day * 1_440 + 480) * MINUTE + start;
            let end = at + random.waiting(90.0 * MINUTE as f64);
            while at <= end {
                events.push((at, user));
                at += 1 + random.waiting(9.0 * MINUTE as f64);
            }
        }
        for _ in 0..60_000 {
            let at = (day * 1_440 + 480) * MINUTE + random.below(600 * MINUTE);
            events.push((at, once.next()));
        }
    }
    events.sort_unstable();
    let requests = events.into_iter().map(|(_, session)| session).collect();
    Trace { name: "daily", about: "40,000 users, a working day each, over four days", requests }
}

/// Sessions nobody asked for before.
struct Fresh(u64);

impl Fresh {
    fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

impl Default for Fresh {
    fn default() -> Self {
        Self(1 << 40)
    }
}

/// Draws the `k`th of `n` sessions with weight `1 / k^exponent`.
struct Popularity(Vec<u64>);

impl Popularity {
    fn new(n: u32, exponent: f64) -> Self {
        let weights: Vec<f64> = (1..=n).map(|rank| f64::from(rank).powf(-exponent)).collect();
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        Self(
            weights
                .iter()
                .map(|weight| {
                    sum += weight;
                    (sum / total * (1_u64 << 53) as f64) as u64
                })
                .collect(),
        )
    }

    fn pick(&self, random: &mut Random) -> u64 {
        let drawn = random.next() >> 11;
        self.0.partition_point(|bound| *bound <= drawn).min(self.0.len() - 1) as u64
    }
}

/// `SplitMix64`: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A time between two events that come on average every `mean`.
    fn waiting(&mut self, mean: f64) -> u64 {
        let even = ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        (-even.ln() * mean) as u64
    }
}

/// Spreads the bits of a number.
pub(crate) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn checksum(requests: &[u64]) -> u64 {
    requests.iter().fold(requests.len() as u64, |sum, request| mix(sum ^ request))
}

/// What [`checksum`] gave when the traces were frozen, before any policy was tuned.
const FROZEN: [u64; 7] = [
    0xfba1_0e65_fd1f_5434,
    0x97c8_5757_788a_3716,
    0x7cda_55f1_c31d_f140,
    0xfd3d_fc72_9d4c_4358,
    0xa525_d2e6_3f8b_8d12,
    0x6107_eb8e_599c_b454,
    0x343e_223c_5721_670f,
];
