//! Being told of changes.

use std::sync::{Arc, Mutex};

use super::{
    FeedHarness,
    subject::{IDLE, created, put, record},
};
use crate::{Outcome, SessionId, SessionManager, Version, WatchChanges};

#[derive(Debug, Clone, Copy, Eq, PartialEq)]
enum Told {
    Changed(SessionId),
    Alive,
    Broken,
}

#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<Told>>);

impl Recorder {
    fn tell(&self, told: Told) {
        self.0.lock().expect("no panic while locked").push(told);
    }

    fn take(&self) -> Vec<Told> {
        std::mem::take(&mut *self.0.lock().expect("no panic while locked"))
    }
}

impl WatchChanges for Recorder {
    fn changed(&self, id: &SessionId) {
        self.tell(Told::Changed(*id));
    }

    fn alive(&self) {
        self.tell(Told::Alive);
    }

    fn broken(&self) {
        self.tell(Told::Broken);
    }
}

/// Waits until `wanted` was told, and returns all that was told up to then.
fn until<H: FeedHarness>(h: &H, recorder: &Recorder, wanted: Told) -> Vec<Told> {
    let mut told = Vec::new();
    for _ in 0..500 {
        told.extend(recorder.take());
        if told.contains(&wanted) {
            return told;
        }
        h.wait();
    }
    panic!("the watcher was not told");
}

/// Every change through another manager is told.
pub fn watch_tells_of_put_touch_and_remove<H: FeedHarness>() {
    let h = H::start();
    let recorder = Arc::new(Recorder::default());
    let watching = h.manager().watching().expect("the group `watch` needs the ability to watch");
    let watch = watching.watch(Arc::clone(&recorder) as _).expect("watch");
    until(&h, &recorder, Told::Alive);
    let other = h.reopen();
    let first = h.block_on(created(&h, b"first"));
    let id = *first.id();
    until(&h, &recorder, Told::Changed(id));
    let second = h.block_on(put(&h, &record(&h, id, 2, b"second"), 1));
    assert_eq!(second, Outcome::Stored);
    until(&h, &recorder, Told::Changed(id));
    let later = h.now().saturating_add(IDLE * 2);
    let touched = h.block_on(other.touch(&id, Version::new(2), later)).expect("touch");
    assert_eq!(touched, Outcome::Stored);
    until(&h, &recorder, Told::Changed(id));
    h.block_on(other.remove(&id, None)).expect("remove");
    until(&h, &recorder, Told::Changed(id));
    drop(watch);
}

/// A feed that may have lost something says so before it goes on.
pub fn watch_tells_when_the_feed_broke<H: FeedHarness>() {
    let h = H::start();
    let recorder = Arc::new(Recorder::default());
    let watching = h.manager().watching().expect("the group `watch` needs the ability to watch");
    let watch = watching.watch(Arc::clone(&recorder) as _).expect("watch");
    until(&h, &recorder, Told::Alive);
    recorder.take();
    h.break_feed();
    let mut told = until(&h, &recorder, Told::Broken);
    if told.last() != Some(&Told::Alive) {
        told.extend(until(&h, &recorder, Told::Alive));
    }
    let broken = told.iter().position(|told| *told == Told::Broken);
    let whole = told.iter().rposition(|told| *told == Told::Alive);
    assert!(broken < whole, "alive again after it broke");
    let record = h.block_on(created(&h, b"value"));
    until(&h, &recorder, Told::Changed(*record.id()));
    drop(watch);
}
