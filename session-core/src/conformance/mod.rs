//! The rules of [`SessionManager`] as tests, for every backend to run
//! against itself.
//!
//! A backend writes a [`Harness`] and one line:
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use session_core::{
//!     Clock, ManualClock, MemorySessionManager, Timestamp,
//!     conformance::{self, Harness},
//! };
//!
//! struct Memory {
//!     clock: Arc<ManualClock>,
//!     manager: MemorySessionManager,
//! }
//!
//! impl Harness for Memory {
//!     type Manager = MemorySessionManager;
//!
//!     fn start() -> Self {
//!         let clock = Arc::new(ManualClock::default());
//!         Self { manager: MemorySessionManager::with_clock(clock.clone()), clock }
//!     }
//!
//!     fn manager(&self) -> &Self::Manager {
//!         &self.manager
//!     }
//!
//!     fn reopen(&self) -> Self::Manager {
//!         self.manager.clone()
//!     }
//!
//!     fn now(&self) -> Timestamp {
//!         self.clock.now()
//!     }
//!
//!     fn advance(&self, by: Duration) {
//!         self.clock.advance(by);
//!     }
//!
//!     fn block_on<F: Future>(&self, future: F) -> F::Output {
//!         // A backend that needs a runtime lends it here.
//!         conformance::block_on(future)
//!     }
//!
//!     fn wait(&self) {}
//! }
//!
//! session_core::conformance_tests!(
//!     Memory; base, sweep, list, probe, recall, shared, overlap, model
//! );
//! ```
//!
//! Every rule is one `#[test]`, named as it is named in the docs of the trait. The list of checks
//! lives here, so a backend meets a new one with its next build. The groups say what a backend
//! promises; a promise it does not make is absent from the names of its tests.
//!
//! | group | for | |
//! | --- | --- | --- |
//! | `base` | all | the five verbs |
//! | `sweep` | those with [`sweeping`](crate::SessionManager::sweeping) | |
//! | `list` | those with [`listing`](crate::SessionManager::listing) | |
//! | `probe` | those with [`probing`](crate::SessionManager::probing) | |
//! | `recall` | those with [`recalling`](crate::SessionManager::recalling) | |
//! | `forget` | those with [`forgetting`](crate::SessionManager::forgetting) | |
//! | `watch` | those with [`watching`](crate::SessionManager::watching) | needs a [`FeedHarness`] |
//! | `shared` | those several processes may use at once | |
//! | `durable` | those that outlive the process | needs a [`DurableHarness`] |
//! | `damaged` | all that can be written to from outside | needs a [`DamageHarness`] |
//! | `clocks` | those whose managers have clocks of their own | needs a [`ClockHarness`] |
//! | `locks` | those that lock before they write | needs a [`LockHarness`] |
//! | `model` | all | the whole stack over the backend: random operations beside a model |
//! | `overlap` | all | the whole stack over the backend: two requests of one browser, in every order of their calls |
//!
//! Exempt from semver: a release may add checks. **Everything in the backend handed to a harness
//! may be deleted.**

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a check fails by panicking: that is what a test is"
)]

pub mod base;
pub mod clocks;
pub mod damaged;
pub mod durable;
pub mod forget;
pub mod list;
pub mod locks;
pub mod model;
pub mod overlap;
pub mod probe;
mod race;
pub mod recall;
pub mod shared;
mod subject;
pub mod sweep;
pub mod watch;

use std::{sync::Arc, time::Duration};

use crate::{Clock, PrincipalTag, Record, SessionId, SessionManager, Timestamp, Version};

/// One running backend, as the suite sees it.
pub trait Harness: Sized + Sync {
    /// The manager under test.
    type Manager: SessionManager;

    /// Starts an empty backend that no other test sees.
    fn start() -> Self;

    /// The manager.
    fn manager(&self) -> &Self::Manager;

    /// Another manager on the same store, as another process would make it.
    fn reopen(&self) -> Self::Manager;

    /// The manager as an application holds it. A store that can be opened only once hands out its
    /// one manager here, and does without the groups that call [`reopen`](Self::reopen) themselves:
    /// `shared`, `probe`, `watch`, `forget`, and `overlap`'s second process.
    fn handle(&self) -> Arc<dyn SessionManager> {
        Arc::new(self.reopen())
    }

    /// What the manager's clock shows.
    fn now(&self) -> Timestamp;

    /// Moves the manager's clock forward.
    fn advance(&self, by: Duration);

    /// Runs `future` to its end. May be called from several threads at once.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Lets a moment pass for what happens in the background; called some hundred times at most.
    fn wait(&self);
}

/// A backend whose change feed can be broken from outside.
pub trait FeedHarness: Harness {
    /// Breaks the feed and lets it recover, as a lost connection would.
    fn break_feed(&self);
}

/// A durable backend, which can be closed and opened again.
pub trait DurableHarness: Harness {
    /// Closes the manager, with all that was made by [`reopen`](Harness::reopen), and opens one on
    /// the same store, as a restart of the process does.
    #[must_use]
    fn restart(self) -> Self;
}

/// A backend whose stored bytes can be replaced from outside.
pub trait DamageHarness: Harness {
    /// Puts `bytes` in the place of the record of `id`, in the backend's own frame if it has one:
    /// as another program, or another release, would have stored them.
    fn plant(&self, id: &SessionId, bytes: &[u8]);
}

/// A backend whose managers may have clocks that differ.
pub trait ClockHarness: Harness {
    /// Another manager on the same store, with a clock of its own.
    fn reopen_with_clock(&self, clock: Arc<dyn Clock>) -> Self::Manager;
}

/// A backend that locks a session, or the whole store, for a write.
pub trait LockHarness: Harness {
    /// Keeps writers of `id` waiting until what it returns is dropped, as a writer of another
    /// process would that is slow.
    fn hold(&self, id: &SessionId) -> impl Sized + Send;
}

/// A record with a body that is not sealed, for tests of a backend's own: no session opens it.
pub fn record(
    id: SessionId,
    version: Version,
    deadline: Timestamp,
    expires_at: Timestamp,
    principal_tag: Option<PrincipalTag>,
    body: &[u8],
) -> Arc<Record> {
    Arc::new(Record::unsealed(id, version, deadline, expires_at, principal_tag, body))
}

/// Runs `future` to its end on this thread, which sleeps while there is nothing to do.
///
/// For backends that need no runtime; one that does lends its own to [`Harness::block_on`].
pub fn block_on<F: Future>(future: F) -> F::Output {
    crate::park::block_on_unless(future, || false).expect("nothing ends it early")
}

/// Writes the tests of a backend: `conformance_tests!(Harness; group, group)`. See
/// [`conformance`](crate::conformance).
#[macro_export]
macro_rules! conformance_tests {
    ($harness:ty; $($group:ident),+ $(,)?) => {
        $($crate::__conformance_checks! { { $crate::__conformance_tests_of } $harness, $group })+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests_of {
    ($harness:ty, $group:ident, $($check:ident)+) => {
        mod $group {
            #[allow(unused_imports, reason = "the harness may be named by a path that needs no import")]
            use super::*;

            $(
                #[test]
                fn $check() {
                    $crate::conformance::$group::$check::<$harness>();
                }
            )+
        }
    };
}

/// The one list of all checks.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_checks {
    ({ $($then:tt)+ } $harness:ty, base) => {
        $($then)+! { $harness, base,
            absent_is_none
            removed_is_none
            remove_absent_is_gone
            remove_names_the_version
            expired_is_none
            expiry_at_the_deadline
            an_expired_record_is_gone_for_put_touch_and_remove
            an_expired_record_may_be_created_again
            exists_agrees_with_get
            put_then_get_returns_the_same_bytes
            arbitrary_bytes_round_trip
            empty_and_largest_body_round_trip
            records_do_not_bleed
            get_does_not_touch
            create_never_replaces
            put_names_the_version_it_replaces
            put_never_resurrects
            put_replaces_the_whole_record
            a_touch_reaches_the_deadline_of_the_last_put
            a_put_after_a_touch_has_its_own_deadline
            the_latest_deadline_is_kept
            putting_an_expired_record_leaves_nothing_live
            touch_moves_the_deadline
            touch_names_the_version
            touch_never_resurrects
            touch_is_clamped_to_the_absolute_deadline
            touch_can_shorten
            touch_keeps_bytes_and_version
            parallel_puts_have_one_winner
            parallel_puts_leave_one_whole_record
            a_get_is_one_step
            a_create_is_one_step
            a_put_is_one_step
            a_touch_is_one_step
            a_remove_is_one_step
            a_dropped_future_leaves_a_whole_record
            debug_hides_ids_and_bytes
            works_behind_arc_and_box
        }
    };
    ({ $($then:tt)+ } $harness:ty, sweep) => {
        $($then)+! { $harness, sweep,
            sweep_removes_expired
            sweep_keeps_live
            sweep_twice_is_ok
            sweeps_of_many_end_with_none_left
            a_sweep_is_one_step
        }
    };
    ({ $($then:tt)+ } $harness:ty, list) => {
        $($then)+! { $harness, list,
            listing_finds_every_session_of_a_tag
            a_record_moves_to_the_tag_it_was_last_put_with
            a_record_without_a_tag_is_only_scanned
            scan_finds_every_session
            listing_in_pages_ends
            a_foreign_cursor_does_not_panic
        }
    };
    ({ $($then:tt)+ } $harness:ty, probe) => {
        $($then)+! { $harness, probe, probe_agrees_with_get probe_sees_a_removal }
    };
    ({ $($then:tt)+ } $harness:ty, recall) => {
        $($then)+! { $harness, recall,
            what_was_got_is_recalled
            recall_agrees_with_get
            recall_sees_what_this_manager_wrote
            expired_is_not_recalled
        }
    };
    ({ $($then:tt)+ } $harness:ty, forget) => {
        $($then)+! { $harness, forget,
            a_get_after_forget_sees_the_store
            a_read_under_way_does_not_outlive_forget
            forget_changes_nothing
        }
    };
    ({ $($then:tt)+ } $harness:ty, watch) => {
        $($then)+! { $harness, watch,
            watch_tells_of_put_touch_and_remove
            watch_tells_when_the_feed_broke
        }
    };
    ({ $($then:tt)+ } $harness:ty, shared) => {
        $($then)+! { $harness, shared,
            two_managers_see_each_other
            a_removal_is_seen_by_both
            recall_is_as_current_as_get
            puts_of_two_managers_have_one_winner
            writers_of_two_managers_wait_for_each_other
            a_call_of_one_manager_is_one_step_for_another
            overlapping_requests_of_two_processes
        }
    };
    ({ $($then:tt)+ } $harness:ty, overlap) => {
        $($then)+! { $harness, overlap,
            overlapping_requests_of_one_process
        }
    };
    ({ $($then:tt)+ } $harness:ty, model) => {
        $($then)+! { $harness, model, random_operations_agree_with_the_model }
    };
    ({ $($then:tt)+ } $harness:ty, durable) => {
        $($then)+! { $harness, durable, records_survive_a_new_manager removals_survive_a_new_manager }
    };
    ({ $($then:tt)+ } $harness:ty, damaged) => {
        $($then)+! { $harness, damaged,
            an_unreadable_record_is_corrupt_or_absent
            a_record_of_another_session_is_corrupt_or_absent
            a_record_of_a_later_format_is_left_as_it_is
            damage_harms_no_other_session
        }
    };
    ({ $($then:tt)+ } $harness:ty, clocks) => {
        $($then)+! { $harness, clocks,
            a_removal_by_a_clock_ahead_is_seen_by_all
            a_sweep_by_a_clock_in_doubt_removes_nothing
        }
    };
    ({ $($then:tt)+ } $harness:ty, locks) => {
        $($then)+! { $harness, locks, a_writer_that_waited_looks_at_the_clock_then }
    };
}

/// A check with its group and name.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Check {
    /// The group it belongs to.
    pub group: &'static str,
    /// The rule it proves.
    pub name: &'static str,
    /// Panics if the rule does not hold.
    pub run: fn(),
}

/// Every check there is, over the backend of one harness.
pub fn all<H>() -> Vec<Check>
where
    H: FeedHarness + DurableHarness + DamageHarness + ClockHarness + LockHarness,
{
    macro_rules! list {
        ($harness:ty, $group:ident, $($check:ident)+) => {
            [$(Check { group: stringify!($group), name: stringify!($check), run: $group::$check::<$harness> }),+]
        };
    }
    let mut checks = Vec::new();
    macro_rules! add {
        ($($group:ident)+) => {
            $(checks.extend(crate::__conformance_checks! { { list } H, $group });)+
        };
    }
    add!(base sweep list probe recall forget watch shared durable damaged clocks locks overlap model);
    checks
}
