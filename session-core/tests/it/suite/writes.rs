//! What the manager writes, right in all but one way.

use std::sync::{Arc, atomic::Ordering};

use session_core::{
    Error, ErrorKind, Expect, Outcome, Record, Removal, Result, SessionId, Timestamp, Version,
};

use super::{
    fault::{Fault, Verb},
    faulty::{FaultyManager, Records, give_way, locked},
};

impl FaultyManager {
    pub(super) async fn write(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome> {
        if self.has(Fault::RefusesLargeOnes) && record.encoded_len() > 64 * 1024 {
            return Err(Error::new(ErrorKind::TooLarge, "faulty", "larger than 64 KiB"));
        }
        if let Err(error) = self.readable(record.id()) {
            let makes_room = match error.kind() {
                ErrorKind::Corrupt => expect == Expect::Absent,
                _ => self.has(Fault::DropsLaterFormats),
            };
            if self.has(Fault::WritesOverDamage) && error.kind() == ErrorKind::Corrupt {
                return Ok(Outcome::Stored);
            }
            if !makes_room {
                return Err(error);
            }
            locked(&self.store.planted).remove(record.id());
        }
        if self.has(Fault::GivesUpWhereItShouldWait) {
            if self.store.is_written.swap(true, Ordering::SeqCst) {
                return Err(Error::new(ErrorKind::Contended, "faulty", "another one writes"));
            }
            give_way().await;
            self.store.is_written.store(false, Ordering::SeqCst);
        }
        let verb = if expect == Expect::Absent { Verb::Create } else { Verb::Put };
        let half = {
            let mut records = self.records();
            let outcome = self.answer(&records, record, expect);
            if outcome != Outcome::Stored {
                return Ok(outcome);
            }
            let is_late = record.is_expired(self.clock.now());
            if is_late && self.has(Fault::DropsWhatComesLate) {
                return Ok(Outcome::Stored);
            }
            let written = self.written(&records, record);
            match self.fault {
                _ if self.looks_first(verb) => written,
                Fault::RemovesBeforeItWrites => {
                    records.remove(record.id());
                    written
                }
                Fault::WritesInTwoHalves => {
                    let half = halved(records.get(record.id()), record);
                    self.insert(&mut records, half);
                    written
                }
                _ => {
                    self.insert(&mut records, written);
                    drop(records);
                    self.told(record.id());
                    return Ok(Outcome::Stored);
                }
            }
        };
        give_way().await;
        self.insert(&mut self.records(), half);
        self.told(record.id());
        Ok(Outcome::Stored)
    }

    pub(super) async fn move_deadline(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome> {
        self.readable(id)?;
        let late = {
            let mut records = self.records();
            let live = self.live(&records, id, &[Fault::TouchFindsExpired]).cloned();
            let Some(live) = live else {
                let says_touched = self.has(Fault::SaysTouchedOfNothing);
                return Ok(if says_touched { Outcome::Stored } else { Outcome::Gone });
            };
            if live.version() != version && !self.has(Fault::TouchesAnyVersion) {
                return Ok(Outcome::Conflict);
            }
            let touched = match self.fault {
                Fault::TouchDoesNothing => Arc::clone(&live),
                Fault::TouchOnlyExtends => {
                    Arc::new(live.with_expires_at(expires_at.max(live.expires_at())))
                }
                Fault::TouchCountsAsAPut => {
                    let mut bytes = live.with_expires_at(expires_at).to_bytes().to_vec();
                    bytes[32..40].copy_from_slice(&live.version().next().get().to_le_bytes());
                    Arc::new(Record::from_bytes(id, bytes.into())?)
                }
                Fault::TouchClampsToTheFirstDeadline => {
                    let first = locked(&self.store.grudge).first_deadlines[id];
                    Arc::new(live.with_expires_at(expires_at.min(first)))
                }
                _ => Arc::new(live.with_expires_at(expires_at)),
            };
            locked(&self.store.grudge).touched.insert(*id, touched.expires_at());
            if self.has(Fault::TouchLeadsBeyondTheDeadline) && expires_at > live.deadline() {
                locked(&self.store.grudge).immortal.insert(*id);
            }
            if self.looks_first(Verb::Touch) {
                Some(touched)
            } else {
                records.insert(*id, touched);
                self.forget(id);
                None
            }
        };
        if let Some(touched) = late {
            give_way().await;
            self.records().insert(*id, touched);
            self.forget(id);
        }
        if !self.has(Fault::TellsNothingOfTouches) {
            self.told(id);
        }
        Ok(Outcome::Stored)
    }

    pub(super) async fn take_away(&self, id: &SessionId, only: Option<Version>) -> Result<Removal> {
        if let Err(error) = self.readable(id) {
            if error.kind() != ErrorKind::Corrupt {
                return Err(error);
            }
            locked(&self.store.planted).remove(id);
            return Ok(Removal::Gone);
        }
        {
            let mut records = self.records();
            let live = self.live(&records, id, &[Fault::RemoveFindsExpired]).cloned();
            let Some(live) = live else {
                if !self.has(Fault::RemoveLeavesExpired) {
                    records.remove(id);
                }
                let says_removed = self.has(Fault::SaysRemovedOfNothing);
                return Ok(if says_removed { Removal::Removed } else { Removal::Gone });
            };
            let is_another = only.is_some_and(|version| live.version() != version);
            if is_another && !self.has(Fault::RemovesAnyVersion) {
                return Ok(Removal::Conflict);
            }
            if !self.has(Fault::RemovesNothing) && !self.looks_first(Verb::Remove) {
                records.remove(id);
                locked(&self.store.grudge).removed.push(live);
            }
            self.forget(id);
        }
        if self.looks_first(Verb::Remove) {
            give_way().await;
            self.records().remove(id);
            self.forget(id);
        }
        self.told(id);
        Ok(Removal::Removed)
    }

    fn answer(&self, records: &Records, record: &Record, expect: Expect) -> Outcome {
        let any_version = match self.fault {
            Fault::PutReplacesAnyVersion => true,
            Fault::TheSecondReplacesAnyVersion => !self.is_first,
            _ => false,
        };
        let id = record.id();
        let live = self.live(records, id, &[Fault::PutFindsExpired]);
        match (expect, live) {
            (Expect::Absent, None)
                if self.has(Fault::ExpiredStandsInTheWay) && records.contains_key(id) =>
            {
                Outcome::Conflict
            }
            (Expect::Absent, None) => Outcome::Stored,
            (Expect::Version(version), Some(live)) if live.version() == version => Outcome::Stored,
            (Expect::Version(_), Some(_)) if any_version => Outcome::Stored,
            (Expect::Absent, Some(_)) if self.has(Fault::CreateReplaces) => Outcome::Stored,
            (_, Some(_)) => Outcome::Conflict,
            (Expect::Version(_), None) if self.has(Fault::PutCreates) => Outcome::Stored,
            (Expect::Version(_), None) => Outcome::Gone,
        }
    }

    /// What is written for `record`, over what is there.
    fn written(&self, records: &Records, record: &Arc<Record>) -> Arc<Record> {
        let old = records.get(record.id());
        let mut bytes = record.to_bytes().to_vec();
        match self.fault {
            Fault::ChangesAByte => *bytes.last_mut().unwrap() ^= 1,
            Fault::LosesTheTag => bytes[48..64].fill(0),
            Fault::KeepsTextOnly => {
                let text = String::from_utf8_lossy(record.sealed()).into_owned();
                bytes.truncate(Record::HEADER_BYTES);
                bytes.extend_from_slice(text.as_bytes());
            }
            Fault::LeavesTheOldTail => {
                let tail = old.and_then(|old| old.sealed().get(record.sealed().len()..));
                bytes.extend_from_slice(tail.unwrap_or_default());
            }
            Fault::PutKeepsTheTouchedDeadline => {
                if let Some(touched) = locked(&self.store.grudge).touched.get(record.id()) {
                    return Arc::new(record.with_expires_at(*touched));
                }
            }
            _ => return Arc::clone(record),
        }
        Arc::new(Record::from_bytes(record.id(), bytes.into()).unwrap())
    }

    fn insert(&self, records: &mut Records, record: Arc<Record>) {
        let id = *record.id();
        {
            let mut grudge = locked(&self.store.grudge);
            grudge.first_deadlines.entry(id).or_insert(record.deadline());
            grudge.first_tags.entry(id).or_insert(record.principal_tag());
            grudge.put_deadlines.insert(id, record.expires_at());
        }
        if self.has(Fault::WritesTheBodyNextDoorToo)
            && let Some((other, there)) = records.iter_mut().find(|(other, _)| **other != id)
        {
            let bytes = [&there.header_bytes()[..], &record.sealed()[..]].concat();
            *there = Arc::new(Record::from_bytes(other, bytes.into()).unwrap());
        }
        records.insert(id, record);
        self.forget(&id);
    }

    pub(super) fn forget(&self, id: &SessionId) {
        locked(&self.store.copies).remove(id);
        locked(&self.copies).remove(id);
        locked(&self.probed).remove(id);
    }
}

/// `record` with the second half of its body as it was in `old`.
fn halved(old: Option<&Arc<Record>>, record: &Arc<Record>) -> Arc<Record> {
    let Some(old) = old else { return Arc::clone(record) };
    let mut bytes = record.to_bytes().to_vec();
    let at = Record::HEADER_BYTES + record.sealed().len() / 2;
    let rest = old.to_bytes();
    let rest = rest.get(at..).unwrap_or_default();
    let end = bytes.len().min(at + rest.len());
    bytes[at..end].copy_from_slice(&rest[..end - at]);
    Arc::new(Record::from_bytes(record.id(), bytes.into()).unwrap())
}
