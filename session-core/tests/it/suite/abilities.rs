//! What else the manager can do, right in all but one way.

use std::{
    ops::Bound,
    sync::{Arc, Weak},
    time::Duration,
};

use async_trait::async_trait;
use session_core::{
    Cursor, ErrorKind, ForgetSessions, ListSessions, Page, PrincipalTag, Probe, ProbeVersions,
    RecallSessions, Record, Result, SessionId, SweepSessions, Swept, Watch, WatchChanges,
    WatchSessions,
};

use super::{
    fault::{Fault, Verb},
    faulty::{FaultyManager, Store, give_way, locked},
};

#[async_trait]
impl SweepSessions for FaultyManager {
    async fn sweep(&self) -> Result<Swept> {
        let _turn = self.turn().await;
        let now = self.clock.now();
        if self.looks_first(Verb::Sweep) {
            let mut expired: Vec<_> = self.records().keys().copied().collect();
            expired.retain(|id| self.live(&self.records(), id, &[]).is_none());
            give_way().await;
            for id in &expired {
                self.records().remove(id);
            }
            let mut swept = Swept::default();
            swept.removed = expired.len() as u64;
            return Ok(swept);
        }
        if !self.clock.is_settled() && !self.has(Fault::SweepsInDoubt) {
            return Ok(Swept::default());
        }
        if self.has(Fault::StopsAtDamage) {
            let planted: Vec<_> = locked(&self.store.planted).keys().copied().collect();
            let damage = planted.iter().find_map(|id| self.readable(id).err());
            if let Some(error) = damage.filter(|error| error.kind() == ErrorKind::Corrupt) {
                return Err(error);
            }
        }
        let mut swept = Swept::default();
        let mut records = self.records();
        let mut grudge = locked(&self.store.grudge);
        records.retain(|id, record| {
            swept.scanned += 1;
            let deadline = match self.fault {
                Fault::SweepMissesTouches => grudge.put_deadlines[id],
                _ => record.expires_at(),
            };
            let has_enough =
                self.has(Fault::SweepsAThousandAndSaysItIsAll) && swept.removed == 1_000;
            let goes = now >= deadline && !self.has(Fault::SweepsNothing) && !has_enough;
            if goes {
                swept.removed += 1;
                swept.bytes += record.encoded_len() as u64;
            }
            !goes
        });
        grudge.swept += swept.removed;
        if self.has(Fault::SweepCountsTwice) {
            swept.removed = grudge.swept;
        }
        Ok(swept)
    }
}

impl FaultyManager {
    fn page(
        &self,
        cursor: Option<&Cursor>,
        limit: usize,
        is_wanted: impl Fn(&Record) -> bool,
    ) -> Page {
        let after = cursor
            .filter(|_| !self.has(Fault::IgnoresTheCursor))
            .and_then(|cursor| {
                let id = cursor.as_bytes().try_into().ok().map(SessionId::from_bytes)?.ok();
                assert!(id.is_some() || !self.has(Fault::TrustsACursor), "not one of ours");
                id
            })
            .map_or(Bound::Unbounded, Bound::Excluded);
        let now = self.clock.now();
        let records = self.records();
        let mut ids: Vec<_> = records
            .range((after, Bound::Unbounded))
            .filter(|(_, record)| !record.is_expired(now) && is_wanted(record))
            .map(|(id, _)| *id)
            .take(limit + 1)
            .collect();
        let mut has_more = ids.len() > limit;
        ids.truncate(limit);
        if self.has(Fault::ListsFive) {
            ids.truncate(5);
            has_more = false;
        }
        let next = ids.last().filter(|_| has_more).map(|id| Cursor::new(*id.as_bytes()));
        Page::new(ids, next)
    }

    pub(super) fn break_feed(&self) {
        let watchers: Vec<_> = locked(&self.store.watchers).values().cloned().collect();
        for watcher in watchers {
            if !self.has(Fault::TellsNothingOfABreak) {
                watcher.broken();
            }
            watcher.alive();
        }
    }
}

#[async_trait]
impl ListSessions for FaultyManager {
    async fn by_principal(
        &self,
        tag: &PrincipalTag,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page> {
        Ok(self.page(cursor, limit, |record| {
            let of = match self.fault {
                Fault::ListsByTheFirstTag => locked(&self.store.grudge).first_tags[record.id()],
                _ => record.principal_tag(),
            };
            of == Some(*tag) || (of.is_none() && self.has(Fault::ListsTheUntaggedForAll))
        }))
    }

    async fn scan(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page> {
        Ok(self.page(cursor, limit, |record| {
            record.principal_tag().is_some() || !self.has(Fault::ScansTheTaggedOnly)
        }))
    }
}

#[async_trait]
impl ProbeVersions for FaultyManager {
    async fn probe(&self, id: &SessionId) -> Result<Option<Probe>> {
        if self.has(Fault::ProbesACopy)
            && let Some(copy) = locked(&self.probed).get(id)
            && copy.expires_at > self.clock.now()
        {
            return Ok(Some(*copy));
        }
        self.readable(id)?;
        let records = self.records();
        let probe = self.live(&records, id, &[]).map(|record| {
            let expires_at = match self.fault {
                Fault::ProbeMissesTouches => locked(&self.store.grudge).put_deadlines[id],
                _ => record.expires_at(),
            };
            Probe { version: record.version(), expires_at }
        });
        if let Some(probe) = probe {
            locked(&self.probed).insert(*id, probe);
        }
        Ok(probe)
    }
}

impl RecallSessions for FaultyManager {
    fn recall(&self, id: &SessionId) -> Option<Arc<Record>> {
        let records = self.records();
        let found = self.live(&records, id, &[Fault::RecallsExpired]).cloned();
        match self.fault {
            Fault::RecallsNothing => None,
            Fault::RecallsAnyone => found.or_else(|| records.values().next().cloned()),
            Fault::RecallsACopy => locked(&self.recalled).get(id).cloned().or(found),
            _ => found,
        }
    }
}

impl ForgetSessions for FaultyManager {
    fn forget(&self, id: &SessionId) {
        match self.fault {
            Fault::ForgetsNothing => {}
            Fault::ForgetRemoves => {
                self.records().remove(id);
            }
            _ => {
                locked(&self.copies).remove(id);
            }
        }
    }
}

impl WatchSessions for FaultyManager {
    fn watch(&self, watcher: Arc<dyn WatchChanges>) -> Result<Watch> {
        watcher.alive();
        let mut watchers = locked(&self.store.watchers);
        let number = watchers.keys().max().map_or(0, |last| last + 1);
        watchers.insert(number, watcher);
        Ok(Watch::new(Subscription { store: Arc::downgrade(&self.store), number }))
    }

    fn heartbeat(&self) -> Duration {
        Duration::MAX
    }
}

struct Subscription {
    store: Weak<Store>,
    number: usize,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(store) = self.store.upgrade() {
            locked(&store.watchers).remove(&self.number);
        }
    }
}
