//! The caches of a comparison, behind one question: was it there?

use std::collections::{BTreeMap, HashMap};

use session_cache::RecordTable;

use crate::{support, traces::CAPACITY};

/// A cache that is asked for one session after the other and keeps what it likes.
pub(crate) trait Rival {
    /// Asks for `session`, keeps it if it was not there, and tells whether it was.
    fn asked(&mut self, session: u64) -> bool;
}

/// Makes an empty cache.
type Maker = fn() -> Box<dyn Rival>;

/// The makers of all caches, by name, in the order of the table.
pub(crate) const ALL: [(&str, Maker); 4] = [
    ("LRU", || Box::new(Lru::default())),
    ("moka", || Box::new(Moka::new())),
    ("quick_cache", || Box::new(Quick::new())),
    ("session-cache", || Box::new(Ours::new())),
];

/// The seed's policy, exactly: who was asked for longest ago goes.
#[derive(Default)]
struct Lru {
    now: u64,
    last: HashMap<u64, u64>,
    order: BTreeMap<u64, u64>,
}

impl Rival for Lru {
    fn asked(&mut self, session: u64) -> bool {
        self.now += 1;
        let before = self.last.insert(session, self.now);
        if let Some(before) = before {
            self.order.remove(&before);
        }
        self.order.insert(self.now, session);
        if self.last.len() > CAPACITY
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.last.remove(&oldest);
        }
        before.is_some()
    }
}

struct Moka {
    cache: moka::sync::Cache<u64, ()>,
    asked: u64,
}

impl Moka {
    fn new() -> Self {
        Self { cache: moka::sync::Cache::new(CAPACITY as u64), asked: 0 }
    }
}

impl Rival for Moka {
    fn asked(&mut self, session: u64) -> bool {
        self.asked += 1;
        if self.asked.is_multiple_of(64) {
            // Its upkeep is paced by time, and a simulation runs faster than that.
            self.cache.run_pending_tasks();
        }
        let hit = self.cache.get(&session).is_some();
        if !hit {
            self.cache.insert(session, ());
        }
        hit
    }
}

struct Quick(quick_cache::sync::Cache<u64, ()>);

impl Quick {
    fn new() -> Self {
        Self(quick_cache::sync::Cache::new(CAPACITY))
    }
}

impl Rival for Quick {
    fn asked(&mut self, session: u64) -> bool {
        let hit = self.0.get(&session).is_some();
        if !hit {
            self.0.insert(session, ());
        }
        hit
    }
}

/// The table as it ships, with its shards.
struct Ours(RecordTable);

impl Ours {
    fn new() -> Self {
        Self(RecordTable::new(CAPACITY, usize::MAX))
    }
}

impl Rival for Ours {
    fn asked(&mut self, session: u64) -> bool {
        let id = support::id(session);
        let hit = self.0.get(&id).is_some();
        if !hit {
            self.0.insert(&support::record(id, 1, 0));
        }
        hit
    }
}
