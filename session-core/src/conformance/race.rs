//! Two calls on one session at once: each looks and writes in one step.
//!
//! A manager that looks, waits and then writes what it decided before brings removed sessions back
//! and loses writes. Each pair of verbs is therefore run in two ways. Step by step: the first call
//! is stopped at each point where it waits, the second is carried out there, then the first goes
//! on. And side by side on two threads, for managers that block where they are polled. Whatever
//! happened, the two answers and the record that is left must be those of one call after the other.

use std::{
    pin::{Pin, pin},
    sync::{Arc, Barrier},
    task::Poll,
};

use bytes::Bytes;
use futures_util::future::{join, maybe_done};

use super::{
    Harness,
    subject::{IDLE, LIFETIME, TICK, create, differences, lasting, new_id, poll_once},
};
use crate::{Expect, Outcome, Record, Removal, SessionId, SessionManager, Timestamp, Version};

/// A get does not leave behind what a write made stale.
pub fn a_get_is_one_step<H: Harness>() {
    of_one_manager::<H>(Verb::Get);
}

/// A create looks for a live record and writes in one step.
pub fn a_create_is_one_step<H: Harness>() {
    of_one_manager::<H>(Verb::Create);
}

/// A put compares the version and writes in one step.
pub fn a_put_is_one_step<H: Harness>() {
    of_one_manager::<H>(Verb::Put);
}

/// A touch compares the version and moves the deadline in one step.
pub fn a_touch_is_one_step<H: Harness>() {
    of_one_manager::<H>(Verb::Touch);
}

/// A removal compares the version and removes in one step.
pub fn a_remove_is_one_step<H: Harness>() {
    of_one_manager::<H>(Verb::Remove);
    of_one_manager::<H>(Verb::RemoveFirst);
}

/// A sweep looks at a record and removes it in one step.
pub fn a_sweep_is_one_step<H: Harness>() {
    of_one_manager::<H>(Verb::Sweep);
}

/// Every verb is one step for another manager of the store too.
pub fn a_call_of_one_manager_is_one_step_for_another<H: Harness>() {
    let h = H::start();
    let other = h.reopen();
    for first in Verb::CALLS.into_iter().chain([Verb::Sweep]) {
        race_all(&h, [h.manager(), &other], first);
    }
}

fn of_one_manager<H: Harness>(first: Verb) {
    let h = H::start();
    race_all(&h, [h.manager(); 2], first);
}

/// What is called, always on the same id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verb {
    Get,
    Create,
    /// In place of the first version.
    Put,
    /// Of the first version.
    Touch,
    Remove,
    /// Of the first version alone.
    RemoveFirst,
    Sweep,
}

impl Verb {
    /// The calls beside which a sweep may remove too much.
    const WRITES: [Self; 4] = [Self::Create, Self::Put, Self::Touch, Self::Remove];

    /// The five verbs; a removal with and without a version.
    const CALLS: [Self; 6] =
        [Self::Get, Self::Create, Self::Put, Self::Touch, Self::Remove, Self::RemoveFirst];
}

/// What is there before.
#[derive(Clone, Copy, Debug)]
enum Before {
    Nothing,
    Live,
    Expired,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Answer {
    Found(Option<Found>),
    Wrote(Outcome),
    Removed(Removal),
    /// A sweep may have removed what is expired, or left it to the next one.
    Swept,
}

/// What a get returned; its bytes are not shown.
#[derive(Clone, Eq, PartialEq)]
struct Found(Version, Timestamp, Bytes);

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Found").field(&self.0).field(&self.1).finish_non_exhaustive()
    }
}

/// A call stopped as often as this has shown where it waits.
const MOST_WAITS: usize = 12;

/// How often each pair is run on two threads.
const ON_THREADS: usize = 4;

/// How often the second call is polled before the first one, which it may wait for, goes on.
const PATIENCE: usize = 2_000;

fn race_all<H: Harness>(h: &H, managers: [&H::Manager; 2], first: Verb) {
    // A sweep looks at the whole store, which may take long: no more of them than show something.
    let (seconds, states, on_threads) = match first {
        Verb::Sweep if h.manager().sweeping().is_none() => return,
        Verb::Sweep => (&Verb::WRITES[..], &[Before::Live, Before::Expired][..], 1),
        _ => (&Verb::CALLS[..], &[Before::Nothing, Before::Live, Before::Expired][..], ON_THREADS),
    };
    for (second, before) in
        seconds.iter().flat_map(|it| states.iter().map(move |state| (it, state)))
    {
        let verbs = [first, *second];
        for waits in 0..MOST_WAITS {
            let race = h.block_on(Race::start(h, verbs, *before));
            let (answers, is_over) = h.block_on(race.step_by_step(managers, waits));
            let what = format!("{before:?}: {first:?} stopped at wait {waits}, {second:?}");
            h.block_on(race.judge(managers, &answers, &what));
            if is_over {
                break;
            }
        }
        for _ in 0..on_threads {
            let race = h.block_on(Race::start(h, verbs, *before));
            let answers = race.side_by_side(h, managers);
            let what = format!("{before:?}: {first:?} and {second:?} on two threads");
            h.block_on(race.judge(managers, &answers, &what));
        }
    }
}

struct Race {
    id: SessionId,
    verbs: [Verb; 2],
    now: Timestamp,
    before: Option<Arc<Record>>,
}

impl Race {
    async fn start<H: Harness>(h: &H, verbs: [Verb; 2], before: Before) -> Self {
        let id = new_id();
        let start = h.now();
        let record = |expires_at| {
            let deadline = start.saturating_add(LIFETIME);
            lasting(id, 1, b"from before", None, deadline, expires_at)
        };
        let before = match before {
            Before::Nothing => None,
            Before::Live => {
                let live = record(start.saturating_add(IDLE));
                create(h, &live).await;
                Some(live)
            }
            Before::Expired => {
                create(h, &record(start.saturating_add(TICK))).await;
                h.advance(TICK);
                None
            }
        };
        Self { id, verbs, now: h.now(), before }
    }

    /// The first is stopped when it has waited `waits` times, and goes on once the second is done;
    /// `true` if it was done before that.
    async fn step_by_step<M: SessionManager>(
        &self,
        managers: [&M; 2],
        waits: usize,
    ) -> ([Answer; 2], bool) {
        let mut first = pin!(maybe_done(self.call(managers[0], 0)));
        let mut second = pin!(maybe_done(self.call(managers[1], 1)));
        let is_over = until_it_waited(first.as_mut(), waits).await;
        for _ in 0..PATIENCE {
            if poll_once(second.as_mut()).await.is_ready() {
                break;
            }
            std::thread::yield_now();
        }
        // The second may wait for the first.
        join(first.as_mut(), second.as_mut()).await;
        let answer = "a future that is done has its output";
        ([first.take_output().expect(answer), second.take_output().expect(answer)], is_over)
    }

    fn side_by_side<H: Harness>(&self, h: &H, managers: [&H::Manager; 2]) -> [Answer; 2] {
        let start = Barrier::new(2);
        std::thread::scope(|scope| {
            [0, 1]
                .map(|who| {
                    let start = &start;
                    scope.spawn(move || {
                        start.wait();
                        h.block_on(self.call(managers[who], who))
                    })
                })
                .map(|thread| thread.join().expect("a call panicked"))
        })
    }

    async fn call<M: SessionManager>(&self, manager: &M, who: usize) -> Answer {
        let id = &self.id;
        match self.verbs[who] {
            Verb::Get => {
                let found = manager.get(id).await.expect("get");
                Answer::Found(found.as_deref().map(found_as))
            }
            Verb::Create => {
                Answer::Wrote(manager.put(&self.record(who), Expect::Absent).await.expect("create"))
            }
            Verb::Put => {
                let expect = Expect::Version(Version::FIRST);
                Answer::Wrote(manager.put(&self.record(who), expect).await.expect("put"))
            }
            Verb::Touch => {
                let touched = manager.touch(id, Version::FIRST, self.touched(who)).await;
                Answer::Wrote(touched.expect("touch"))
            }
            Verb::Remove => Answer::Removed(manager.remove(id, None).await.expect("remove")),
            Verb::RemoveFirst => {
                let removed = manager.remove(id, Some(Version::FIRST)).await;
                Answer::Removed(removed.expect("remove"))
            }
            Verb::Sweep => {
                let sweeping = manager.sweeping().expect("every manager of the store can sweep");
                while sweeping.sweep().await.expect("sweep").more {}
                Answer::Swept
            }
        }
    }

    /// What `who` writes.
    fn record(&self, who: usize) -> Arc<Record> {
        // No version comes twice under one id: a cache may take the two for the name of a record.
        let version = if self.verbs[who] == Verb::Create { 7 } else { 2 };
        let body = [&[b'1'; 300][..], &[b'2'; 600]][who];
        let deadline = self.now.saturating_add(LIFETIME);
        let expires_at = self.now.saturating_add(IDLE * [2, 3][who]);
        lasting(self.id, version, body, None, deadline, expires_at)
    }

    fn touched(&self, who: usize) -> Timestamp {
        self.now.saturating_add(IDLE * [4, 5][who])
    }

    /// The same call on a store with one place.
    fn call_of_model(&self, live: &mut Option<Arc<Record>>, who: usize) -> Answer {
        let version = live.as_ref().map(|live| live.version());
        let first = Expect::Version(Version::FIRST);
        let write = |expect: Expect, live: &mut Option<Arc<Record>>, record| {
            Answer::Wrote(match expect.check(version) {
                Ok(()) => {
                    *live = record;
                    Outcome::Stored
                }
                Err(refused) => refused,
            })
        };
        match self.verbs[who] {
            Verb::Get => Answer::Found(live.as_deref().map(found_as)),
            Verb::Create => write(Expect::Absent, live, Some(self.record(who))),
            Verb::Put => write(first, live, Some(self.record(who))),
            Verb::Touch => {
                let touched = live.as_ref().map(|it| it.with_expires_at(self.touched(who)));
                write(first, live, touched.map(Arc::new))
            }
            Verb::RemoveFirst if version.is_some_and(|it| it != Version::FIRST) => {
                Answer::Removed(Removal::Conflict)
            }
            Verb::Remove | Verb::RemoveFirst => Answer::Removed(match live.take() {
                Some(_) => Removal::Removed,
                None => Removal::Gone,
            }),
            Verb::Sweep => Answer::Swept,
        }
    }

    /// The answers and what is left are those of one order of the two calls.
    async fn judge<M: SessionManager>(&self, managers: [&M; 2], answers: &[Answer; 2], what: &str) {
        let mut left = Vec::new();
        for manager in managers {
            left.push(manager.get(&self.id).await.expect("get"));
        }
        let mut why = Vec::new();
        for order in [[0, 1], [1, 0]] {
            let mut live = self.before.clone();
            let mut wrong = Vec::new();
            for who in order {
                let expected = self.call_of_model(&mut live, who);
                if expected != answers[who] {
                    wrong.push(format!("{:?} would answer {expected:?}", self.verbs[who]));
                }
            }
            for left in &left {
                wrong.extend(match (left, &live) {
                    (None, None) => None,
                    (Some(left), Some(live)) => differences(left, live),
                    (None, Some(_)) => Some("a live record would be left".to_owned()),
                    (Some(left), None) => {
                        Some(format!("no record would be left, but {:?} is", left.version()))
                    }
                });
            }
            if wrong.is_empty() {
                managers[0].remove(&self.id, None).await.expect("remove");
                return;
            }
            why.push(format!("{:?} first: {}", self.verbs[order[0]], wrong.join("; ")));
        }
        panic!("{what} answered {answers:?}, as in no order of the two. {}", why.join(". "));
    }
}

fn found_as(record: &Record) -> Found {
    Found(record.version(), record.expires_at(), record.to_bytes())
}

/// Lets `future` go on until it has waited `waits` times and waits again; `true` if it is done.
async fn until_it_waited<F: Future>(mut future: Pin<&mut F>, waits: usize) -> bool {
    let mut waited = 0;
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending if waited == waits => Poll::Ready(false),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}
