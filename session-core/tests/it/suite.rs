//! The suite of the suite: for every check of the conformance suite there is a manager that is
//! wrong in just that way, and the check catches it.

mod abilities;
mod fault;
mod faulty;
mod writes;

use std::{
    cell::Cell,
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use session_core::{
    Clock, ManualClock, SessionId, Timestamp,
    conformance::{
        self, ClockHarness, DamageHarness, DurableHarness, FeedHarness, Harness, LockHarness,
    },
};

use self::{
    fault::{Fault, Verb},
    faulty::FaultyManager,
};
use crate::memory::block_on;

thread_local! {
    /// What is wrong with the managers that checks of this thread start.
    static FAULT: Cell<Fault> = const { Cell::new(Fault::None) };
}

struct Faulty {
    clock: Arc<ManualClock>,
    manager: FaultyManager,
}

impl Harness for Faulty {
    type Manager = FaultyManager;

    fn start() -> Self {
        let clock = Arc::new(ManualClock::default());
        Self { manager: FaultyManager::new(FAULT.get(), clock.clone()), clock }
    }

    fn manager(&self) -> &Self::Manager {
        &self.manager
    }

    fn reopen(&self) -> Self::Manager {
        self.manager.reopen()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        block_on(future)
    }

    fn wait(&self) {}
}

impl FeedHarness for Faulty {
    fn break_feed(&self) {
        self.manager.break_feed();
    }
}

impl DurableHarness for Faulty {
    fn restart(self) -> Self {
        Self { manager: self.manager.reopen(), clock: self.clock }
    }
}

impl DamageHarness for Faulty {
    fn plant(&self, id: &SessionId, bytes: &[u8]) {
        self.manager.plant(id, bytes);
    }
}

impl ClockHarness for Faulty {
    fn reopen_with_clock(&self, clock: Arc<dyn Clock>) -> Self::Manager {
        self.manager.reopen_with_clock(clock)
    }
}

impl LockHarness for Faulty {
    fn hold(&self, _id: &SessionId) -> impl Sized + Send {
        self.manager.hold()
    }
}

/// Every check, and what it is there to catch.
const CULPRITS: &[(&str, Fault)] = &[
    ("base::absent_is_none", Fault::ReturnsARecordOfAnother),
    ("base::removed_is_none", Fault::RemovesNothing),
    ("base::remove_absent_is_gone", Fault::SaysRemovedOfNothing),
    ("base::remove_names_the_version", Fault::RemovesAnyVersion),
    ("base::expired_is_none", Fault::ReturnsExpired),
    ("base::expiry_at_the_deadline", Fault::ExpiresAfterTheDeadline),
    ("base::an_expired_record_is_gone_for_put_touch_and_remove", Fault::PutFindsExpired),
    ("base::an_expired_record_is_gone_for_put_touch_and_remove", Fault::TouchFindsExpired),
    ("base::an_expired_record_is_gone_for_put_touch_and_remove", Fault::RemoveFindsExpired),
    ("base::an_expired_record_may_be_created_again", Fault::ExpiredStandsInTheWay),
    ("base::exists_agrees_with_get", Fault::ExistsFindsExpired),
    ("base::put_then_get_returns_the_same_bytes", Fault::ChangesAByte),
    ("base::put_then_get_returns_the_same_bytes", Fault::LosesTheTag),
    ("base::arbitrary_bytes_round_trip", Fault::KeepsTextOnly),
    ("base::empty_and_largest_body_round_trip", Fault::RefusesLargeOnes),
    ("base::records_do_not_bleed", Fault::WritesTheBodyNextDoorToo),
    ("base::get_does_not_touch", Fault::GetTouches),
    ("base::create_never_replaces", Fault::CreateReplaces),
    ("base::put_names_the_version_it_replaces", Fault::PutReplacesAnyVersion),
    ("base::put_never_resurrects", Fault::PutCreates),
    ("base::put_replaces_the_whole_record", Fault::LeavesTheOldTail),
    ("base::a_touch_reaches_the_deadline_of_the_last_put", Fault::TouchClampsToTheFirstDeadline),
    ("base::a_put_after_a_touch_has_its_own_deadline", Fault::PutKeepsTheTouchedDeadline),
    ("base::the_latest_deadline_is_kept", Fault::DeadlinesAreSigned),
    ("base::putting_an_expired_record_leaves_nothing_live", Fault::DropsWhatComesLate),
    ("base::touch_moves_the_deadline", Fault::TouchDoesNothing),
    ("base::touch_names_the_version", Fault::TouchesAnyVersion),
    ("base::touch_never_resurrects", Fault::SaysTouchedOfNothing),
    ("base::touch_is_clamped_to_the_absolute_deadline", Fault::TouchLeadsBeyondTheDeadline),
    ("base::touch_can_shorten", Fault::TouchOnlyExtends),
    ("base::touch_keeps_bytes_and_version", Fault::TouchCountsAsAPut),
    ("base::parallel_puts_have_one_winner", Fault::LooksFirst(Verb::Put)),
    ("base::parallel_puts_leave_one_whole_record", Fault::WritesInTwoHalves),
    ("base::a_get_is_one_step", Fault::LooksFirst(Verb::Get)),
    ("base::a_create_is_one_step", Fault::LooksFirst(Verb::Create)),
    ("base::a_put_is_one_step", Fault::LooksFirst(Verb::Put)),
    ("base::a_touch_is_one_step", Fault::LooksFirst(Verb::Touch)),
    ("base::a_remove_is_one_step", Fault::LooksFirst(Verb::Remove)),
    ("base::a_dropped_future_leaves_a_whole_record", Fault::RemovesBeforeItWrites),
    ("base::debug_hides_ids_and_bytes", Fault::DebugShowsIds),
    ("base::debug_hides_ids_and_bytes", Fault::DebugShowsBodies),
    ("base::works_behind_arc_and_box", Fault::OnlyTheFirstCanSweep),
    ("sweep::sweep_removes_expired", Fault::SweepsNothing),
    ("sweep::sweep_keeps_live", Fault::SweepMissesTouches),
    ("sweep::sweep_twice_is_ok", Fault::SweepCountsTwice),
    ("sweep::sweeps_of_many_end_with_none_left", Fault::SweepsAThousandAndSaysItIsAll),
    ("sweep::a_sweep_is_one_step", Fault::LooksFirst(Verb::Sweep)),
    ("list::listing_finds_every_session_of_a_tag", Fault::ListsFive),
    ("list::a_record_moves_to_the_tag_it_was_last_put_with", Fault::ListsByTheFirstTag),
    ("list::a_record_without_a_tag_is_only_scanned", Fault::ListsTheUntaggedForAll),
    ("list::scan_finds_every_session", Fault::ScansTheTaggedOnly),
    ("list::listing_in_pages_ends", Fault::IgnoresTheCursor),
    ("list::a_foreign_cursor_does_not_panic", Fault::TrustsACursor),
    ("probe::probe_agrees_with_get", Fault::ProbeMissesTouches),
    ("probe::probe_sees_a_removal", Fault::ProbesACopy),
    ("recall::what_was_got_is_recalled", Fault::RecallsNothing),
    ("recall::recall_agrees_with_get", Fault::RecallsAnyone),
    ("recall::recall_sees_what_this_manager_wrote", Fault::RecallsACopy),
    ("recall::expired_is_not_recalled", Fault::RecallsExpired),
    ("forget::a_get_after_forget_sees_the_store", Fault::ForgetsNothing),
    ("forget::a_read_under_way_does_not_outlive_forget", Fault::KeepsWhatItReadBeforeForget),
    ("forget::forget_changes_nothing", Fault::ForgetRemoves),
    ("watch::watch_tells_of_put_touch_and_remove", Fault::TellsNothingOfTouches),
    ("watch::watch_tells_when_the_feed_broke", Fault::TellsNothingOfABreak),
    ("shared::two_managers_see_each_other", Fault::StoresApart),
    ("shared::a_removal_is_seen_by_both", Fault::ReadsACopy),
    ("shared::recall_is_as_current_as_get", Fault::RecallsACopy),
    ("shared::puts_of_two_managers_have_one_winner", Fault::TheSecondReplacesAnyVersion),
    ("shared::writers_of_two_managers_wait_for_each_other", Fault::GivesUpWhereItShouldWait),
    (
        "shared::a_call_of_one_manager_is_one_step_for_another",
        Fault::LooksFirstBesideOthers(Verb::Create),
    ),
    (
        "shared::a_call_of_one_manager_is_one_step_for_another",
        Fault::LooksFirstBesideOthers(Verb::Get),
    ),
    (
        "shared::a_call_of_one_manager_is_one_step_for_another",
        Fault::LooksFirstBesideOthers(Verb::Put),
    ),
    (
        "shared::a_call_of_one_manager_is_one_step_for_another",
        Fault::LooksFirstBesideOthers(Verb::Remove),
    ),
    (
        "shared::a_call_of_one_manager_is_one_step_for_another",
        Fault::LooksFirstBesideOthers(Verb::Sweep),
    ),
    (
        "shared::a_call_of_one_manager_is_one_step_for_another",
        Fault::LooksFirstBesideOthers(Verb::Touch),
    ),
    ("durable::records_survive_a_new_manager", Fault::StoresApart),
    ("durable::removals_survive_a_new_manager", Fault::ARestartBringsBackRemoved),
    ("damaged::an_unreadable_record_is_corrupt_or_absent", Fault::WritesOverDamage),
    ("damaged::a_record_of_another_session_is_corrupt_or_absent", Fault::ReturnsWhatIsOfAnother),
    ("damaged::a_record_of_a_later_format_is_left_as_it_is", Fault::DropsLaterFormats),
    ("damaged::damage_harms_no_other_session", Fault::StopsAtDamage),
    ("clocks::a_removal_by_a_clock_ahead_is_seen_by_all", Fault::RemoveLeavesExpired),
    ("clocks::a_sweep_by_a_clock_in_doubt_removes_nothing", Fault::SweepsInDoubt),
    ("locks::a_writer_that_waited_looks_at_the_clock_then", Fault::ReadsTheClockBeforeTheLock),
    ("overlap::overlapping_requests_of_one_process", Fault::PutReplacesAnyVersion),
    ("overlap::overlapping_requests_of_one_process", Fault::PutCreates),
    ("shared::overlapping_requests_of_two_processes", Fault::TheSecondReplacesAnyVersion),
    ("model::random_operations_agree_with_the_model", Fault::TouchDoesNothing),
    ("model::random_operations_agree_with_the_model", Fault::RemovesNothing),
];

/// Whether `check` lets a manager with `fault` pass.
fn passes(fault: Fault, check: conformance::Check) -> bool {
    FAULT.set(fault);
    let passed = catch_unwind(AssertUnwindSafe(check.run)).is_ok();
    FAULT.set(Fault::None);
    passed
}

fn name_of(check: &conformance::Check) -> String {
    format!("{}::{}", check.group, check.name)
}

#[test]
fn every_check_catches_the_manager_that_is_wrong_in_its_way() {
    let mut unproven = Vec::new();
    for check in conformance::all::<Faulty>() {
        let name = name_of(&check);
        let mut culprits = CULPRITS.iter().filter(|(of, _)| *of == name).peekable();
        if culprits.peek().is_none() {
            unproven.push(format!("{name} has no manager that is wrong in its way"));
        }
        unproven.extend(
            culprits
                .filter(|(_, fault)| passes(*fault, check))
                .map(|(_, fault)| format!("{name} does not see {fault:?}")),
        );
    }
    assert!(unproven.is_empty(), "{unproven:#?}");
}

#[test]
fn what_is_one_step_for_one_manager_alone_passes_for_one() {
    for check in conformance::all::<Faulty>() {
        for verb in [Verb::Create, Verb::Get, Verb::Put, Verb::Remove, Verb::Sweep, Verb::Touch] {
            if check.name.ends_with("_is_one_step") {
                assert!(passes(Fault::LooksFirstBesideOthers(verb), check), "{}", check.name);
            }
        }
    }
}

/// Faults that only the check which is there for them sees: without it they would pass.
const SEEN_BY_ONE: &[Fault] = &[
    Fault::DeadlinesAreSigned,
    Fault::DropsLaterFormats,
    Fault::ReadsTheClockBeforeTheLock,
    Fault::RemoveLeavesExpired,
    Fault::ReturnsWhatIsOfAnother,
    Fault::StopsAtDamage,
    Fault::SweepsAThousandAndSaysItIsAll,
    Fault::SweepsInDoubt,
    Fault::TouchClampsToTheFirstDeadline,
    Fault::TrustsACursor,
    Fault::WritesOverDamage,
];

#[test]
fn some_faults_are_seen_by_one_check_alone() {
    for fault in SEEN_BY_ONE {
        let seen: Vec<_> = conformance::all::<Faulty>()
            .into_iter()
            // The checks of the whole stack take long, and are there for what no other sees.
            .filter(|check| check.group != "model" && !check.name.starts_with("overlapping"))
            .filter(|check| !passes(*fault, *check))
            .map(|check| name_of(&check))
            .collect();
        let expected: Vec<_> =
            CULPRITS.iter().filter(|(_, of)| of == fault).map(|(name, _)| *name).collect();
        assert_eq!(seen, expected, "{fault:?}");
    }
}

#[test]
fn every_fault_is_of_a_check_that_exists() {
    let checks: BTreeSet<String> = conformance::all::<Faulty>().iter().map(name_of).collect();
    let named: BTreeSet<String> = CULPRITS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(named, checks);
}

#[test]
fn a_correct_manager_passes_every_check() {
    let refused: Vec<String> = conformance::all::<Faulty>()
        .into_iter()
        .filter(|check| !passes(Fault::None, *check))
        .map(|check| name_of(&check))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}
