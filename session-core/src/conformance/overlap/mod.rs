//! Overlapping requests of one browser, over the whole stack: every order of two requests out of
//! all they can do.

mod requests;
mod stage;

use std::{collections::HashSet, sync::Arc, time::Duration};

use self::{
    requests::{Kind, Report, Ticket, World},
    stage::{Done, Schedule, Stage},
};
use super::Harness;
use crate::{CookieAction, ErrorKind, Saved, SessionManager};

/// Two requests in one process keep every promise, in every order of their calls.
pub fn overlapping_requests_of_one_process<H: Harness>() {
    play_all::<H>(Processes::One);
}

/// Two requests in two processes keep every promise, in every order of their calls.
pub fn overlapping_requests_of_two_processes<H: Harness>() {
    play_all::<H>(Processes::Two);
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Processes {
    One,
    Two,
}

/// More orders than this are not played for one pair of requests.
const MAX_ORDERS: usize = 500;

fn play_all<H: Harness>(processes: Processes) {
    let h = H::start();
    let stage = Stage::default();
    let managers: [Arc<dyn SessionManager>; 2] = [Arc::new(h.reopen()), Arc::new(h.reopen())];
    for (at, first) in Kind::ALL.into_iter().enumerate() {
        for second in Kind::ALL.into_iter().skip(at) {
            let mut schedule = Some(Schedule::default());
            for _ in 0..MAX_ORDERS {
                let Some(mut order) = schedule else { break };
                let kinds = [first, second];
                let world = World::build(&h, &stage, &managers, kinds, processes == Processes::One);
                let played = h.block_on(async {
                    let start = world.start(&h).await;
                    let requests = [
                        Box::pin(world.request(0, &start)) as _,
                        Box::pin(world.request(1, &start)) as _,
                    ];
                    let (reports, log) = stage.play(requests, &mut order).await;
                    Played { kinds, reports, log, end: world.end(&start, &order).await }
                });
                played.judge(&format!("{first:?} and {second:?}, {processes:?}, {order:?}"));
                h.block_on(world.clear());
                schedule = order.next();
            }
        }
    }
}

/// What became of two requests.
struct Played {
    kinds: [Kind; 2],
    reports: [Report; 2],
    log: Vec<Done>,
    end: requests::End,
}

impl Played {
    /// The small model: what must hold whatever the order was.
    fn judge(&self, what: &str) {
        let known = |who: usize| self.reports[who].was_known;
        let of = |done: &Done| match *done {
            Done::Put(who, id) | Done::Touched(who, id) | Done::Removed(who, id) => {
                (who, id == self.end.id)
            }
        };
        let removed =
            self.log.iter().any(|done| matches!(done, Done::Removed(_, id) if *id == self.end.id));
        // Nothing ended comes back.
        assert_eq!(
            self.end.values.is_none(),
            removed,
            "{what}: the session is there unless it was ended"
        );
        if let Some(at) = self
            .log
            .iter()
            .position(|done| matches!(done, Done::Removed(_, id) if *id == self.end.id))
        {
            let after = self.log[at + 1..].iter().filter(|done| of(done).1).count();
            assert_eq!(after, 0, "{what}: something was stored after the end");
        }
        // Nothing of a request opened before a change of privilege is stored after it.
        let renewal = self.log.iter().position(|done| {
            matches!(*done, Done::Put(who, id) if id == self.end.id && known(who)
                && matches!(self.kinds[who], Kind::Renew | Kind::Bind))
        });
        let renewer = renewal.map(|at| of(&self.log[at]).0);
        if let (Some(at), Some(renewer)) = (renewal, renewer) {
            let strangers =
                self.log[at + 1..].iter().map(of).filter(|(who, ours)| *ours && *who != renewer);
            assert_eq!(strangers.count(), 0, "{what}: an older request wrote after the renewal");
        }
        self.judge_changes(what);
        self.judge_cookies(what, removed, renewer);
        // Nobody got a session of their own but those who came as strangers and stored something.
        let strangers = [0, 1].into_iter().filter(|who| {
            !known(*who)
                && self.log.iter().any(
                    |done| matches!(*done, Done::Put(by, id) if by == *who && id != self.end.id),
                )
        });
        let own: HashSet<_> =
            self.log.iter().filter(|done| !of(done).1).map(|done| of(done).0).collect();
        assert_eq!(own, strangers.collect(), "{what}: a session of its own");
    }

    /// No change that was reported stored is lost, none that was refused is there, and there is one
    /// winner.
    fn judge_changes(&self, what: &str) {
        let mut updates = Vec::new();
        let mut tickets = 0;
        for (who, report) in self.reports.iter().enumerate() {
            assert!(
                report.failed.is_none_or(|kind| kind == ErrorKind::Gone),
                "{what}: failed with {:?}",
                report.failed
            );
            if !report.was_known {
                continue;
            }
            let gone = report.saved == Saved::Gone || report.failed == Some(ErrorKind::Gone);
            match (self.kinds[who], &self.end.values) {
                (Kind::Set, Some(values)) => {
                    let kept = values.contains_key(["a", "b"][who]);
                    assert_eq!(kept, !gone, "{what}: request {who} was told {:?}", report.saved);
                }
                (Kind::Update, _) => updates.extend(report.number),
                _ => {}
            }
            tickets += usize::from(report.ticket == Some(Ticket));
        }
        updates.sort_unstable();
        let counted: Vec<u32> = (1..).take(updates.len()).collect();
        assert_eq!(updates, counted, "{what}: every update has its own number");
        assert!(tickets <= 1, "{what}: the ticket was taken {tickets} times");
        if let Some(values) = &self.end.values {
            let number = values.get("number").and_then(|number| number.parse().ok());
            assert_eq!(number, Some(updates.len()), "{what}: the number of updates");
            assert_eq!(values.contains_key("ticket"), tickets == 0, "{what}: the ticket");
            assert!(values.contains_key("same"), "{what}: a value nobody changed");
        }
    }

    /// Just the tokens that should be alive are.
    fn judge_cookies(&self, what: &str, removed: bool, renewer: Option<usize>) {
        let original = !removed && renewer.is_none();
        assert_eq!(self.end.original_is_alive, original, "{what}: the cookie from before");
        for (who, report) in self.reports.iter().enumerate() {
            match (&report.cookie, self.end.issued_is_alive[who]) {
                (CookieAction::Set(_), alive) if report.was_known => {
                    let expected = !removed && renewer.is_none_or(|renewer| renewer == who);
                    assert_eq!(alive, Some(expected), "{what}: the cookie of request {who}");
                }
                (CookieAction::Set(_), alive) => {
                    assert_eq!(alive, Some(true), "{what}: the cookie of stranger {who}");
                }
                (CookieAction::Remove, _) => {
                    let ended = self
                        .log
                        .iter()
                        .any(|done| matches!(done, Done::Removed(by, _) if *by == who));
                    assert!(ended, "{what}: request {who} removed a cookie and ended nothing");
                }
                (CookieAction::Keep, _) => {
                    assert_ne!(renewer, Some(who), "{what}: request {who} renewed and told nobody");
                }
            }
        }
    }
}
