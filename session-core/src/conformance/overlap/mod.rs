//! Overlapping requests of one browser, over the whole stack: every order of two requests out of
//! all they can do.

mod requests;
mod stage;

use std::{collections::HashSet, sync::Arc};

use self::{
    requests::{Kind, Report, Ticket, World},
    stage::{Done, Schedule, Stage},
};
use super::Harness;
use crate::{CookieAction, ErrorKind};

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
    let first = h.handle();
    let second = match processes {
        Processes::One => Arc::clone(&first),
        Processes::Two => h.handle(),
    };
    let managers = [first, second];
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
                    Played { kinds, reports, log, end: world.end(&start).await }
                });
                played.judge(&format!("{first:?} and {second:?}, {processes:?}, {order:?}"));
                let ids = played.log.iter().map(Done::id).chain([played.end.id]);
                h.block_on(world.clear(ids));
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
        let ended = self.first(|done| matches!(done, Done::Removed(..)));
        let is_renewal = |done: &Done| match *done {
            // By a stranger it is a login that takes over what an earlier try at it left.
            Done::Put(who, id) => id == self.end.id && self.kinds[who].renews(),
            _ => false,
        };
        let renewal = self.first(is_renewal);
        let renewer = renewal.map(|at| self.log[at].who());
        assert_eq!(
            self.end.values.is_none(),
            ended.is_some(),
            "{what}: the session is there unless it was ended"
        );
        if let Some(ended) = ended {
            assert!(
                self.wrote_after(ended).is_empty(),
                "{what}: something was stored after the end"
            );
        }
        if let Some(renewal) = renewal {
            let mut strangers = self.wrote_after(renewal);
            // A login is made once more where the answer of the one before may be lost.
            strangers.retain(|who| Some(*who) != renewer && self.kinds[*who] != Kind::Bind);
            assert!(strangers.is_empty(), "{what}: an older request wrote after the renewal");
        }
        self.judge_changes(what);
        let last = self.log.iter().rev().find(|done| is_renewal(done)).map(Done::who);
        self.judge_cookies(what, ended, renewal, last);
        // Strangers who store something get sessions of their own, and a login that ends the one
        // that another request renewed.
        for who in self.log.iter().filter(|done| done.id() != self.end.id).map(Done::who) {
            let may_begin = !self.reports[who].was_known || self.begins_anew(who, ended);
            assert!(may_begin, "{what}: a session of its own");
        }
    }

    /// Whether this login ended the session that another request renewed, to begin a clean one.
    fn begins_anew(&self, who: usize, ended: Option<usize>) -> bool {
        self.kinds[who] == Kind::Bind && ended.is_some_and(|ended| self.log[ended].who() == who)
    }

    /// Where in the log something first happened to the session both requests came for.
    fn first(&self, is_it: impl Fn(&Done) -> bool) -> Option<usize> {
        self.log.iter().position(|done| done.id() == self.end.id && is_it(done))
    }

    /// Who changed the session after `at`.
    fn wrote_after(&self, at: usize) -> HashSet<usize> {
        self.log[at + 1..]
            .iter()
            .filter(|done| done.id() == self.end.id && !matches!(done, Done::Refused(..)))
            .map(Done::who)
            .collect()
    }

    fn unbinds(&self) -> bool {
        (0..2).any(|who| self.kinds[who] == Kind::Unbind && self.has_put(who))
    }

    fn has_put(&self, by: usize) -> bool {
        self.first(|done| matches!(*done, Done::Put(who, _) if who == by)).is_some()
    }

    /// No change that was reported stored is lost, none that was refused is there, and there is one
    /// winner.
    fn judge_changes(&self, what: &str) {
        let mut updates = Vec::new();
        let mut tickets = 0;
        for (who, report) in self.reports.iter().enumerate() {
            let failed = report.failed;
            assert!(failed.is_none_or(|kind| kind == ErrorKind::Gone), "{what}: {failed:?}");
            if !report.was_known {
                continue;
            }
            let was_told = !report.is_refused && failed.is_none();
            match self.kinds[who] {
                Kind::Set => {
                    assert_eq!(was_told, self.has_put(who), "{what}: request {who} was told");
                    if let Some(values) = &self.end.values {
                        let kept = values.contains_key(["a", "b"][who]);
                        let expected = was_told && !self.unbinds();
                        assert_eq!(kept, expected, "{what}: the value of request {who}");
                    }
                }
                Kind::Update | Kind::TryUpdate => {
                    assert_eq!(report.number.is_some(), self.has_put(who), "{what}: request {who}");
                    updates.extend(report.number);
                }
                Kind::Renew | Kind::Bind | Kind::Unbind => {
                    let has_put =
                        self.log.iter().any(|done| matches!(*done, Done::Put(by, _) if by == who));
                    assert_eq!(was_told, has_put, "{what}: request {who} was told");
                }
                _ => {}
            }
            tickets += usize::from(report.ticket == Some(Ticket));
        }
        updates.sort_unstable();
        let counted: Vec<u32> = (1..).take(updates.len()).collect();
        assert_eq!(updates, counted, "{what}: every update has its own number");
        assert!(tickets <= 1, "{what}: the ticket was taken {tickets} times");
        if self.unbinds() {
            if let Some(values) = &self.end.values {
                assert!(values.keys().eq(["same"]), "{what}: what a logout keeps");
            }
        } else if let Some(values) = &self.end.values {
            let number = values.get("number").and_then(|number| number.parse().ok());
            assert_eq!(number, Some(updates.len()), "{what}: the number of updates");
            assert_eq!(values.contains_key("ticket"), tickets == 0, "{what}: the ticket");
            assert!(values.contains_key("same"), "{what}: a value nobody changed");
        }
    }

    /// Just the tokens that should be alive are, and the browser is told of those only.
    fn judge_cookies(
        &self,
        what: &str,
        ended: Option<usize>,
        renewal: Option<usize>,
        renewer: Option<usize>,
    ) {
        let original = ended.is_none() && renewer.is_none();
        assert_eq!(self.end.original_is_alive, original, "{what}: the cookie from before");
        for (who, report) in self.reports.iter().enumerate() {
            let is_alive = self.end.issued_is_alive[who];
            // A request that learns that its session was taken from it leaves the browser alone.
            let over = ended.into_iter().chain(renewal).min();
            let learned = over.is_some_and(|over| {
                self.log[over + 1..].iter().any(
                    |done| matches!(*done, Done::Refused(by, id) if by == who && id == self.end.id),
                ) && self.log[over].who() != who
                    && self.kinds[who] != Kind::Bind
            });
            match &report.cookie {
                CookieAction::Set(_) if self.begins_anew(who, ended) => {
                    assert_eq!(is_alive, Some(true), "{what}: the cookie of login {who}");
                }
                CookieAction::Set(_) if report.was_known => {
                    let expected = ended.is_none() && renewer.is_none_or(|renewer| renewer == who);
                    assert_eq!(is_alive, Some(expected), "{what}: the cookie of request {who}");
                    assert!(!learned, "{what}: request {who} sent a cookie of a session it lost");
                }
                CookieAction::Set(_) => {
                    assert_eq!(is_alive, Some(true), "{what}: the cookie of stranger {who}");
                }
                CookieAction::Remove => {
                    let is_own = ended.is_some_and(|ended| self.log[ended].who() == who);
                    assert!(is_own, "{what}: request {who} removed a cookie and ended nothing");
                }
                CookieAction::Keep => {
                    let told = renewer != Some(who) || ended.is_some();
                    assert!(told, "{what}: request {who} renewed and told nobody");
                }
            }
        }
        if self.kinds == [Kind::Rotate; 2] {
            let [first, second] = &self.end.issued;
            assert!(first.is_some() && first == second, "{what}: both are sent the same new token");
        }
    }
}
