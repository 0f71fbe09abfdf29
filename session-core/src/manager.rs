//! `SessionManager`: the contract between sessions and the places that keep them.

use std::{fmt, pin::Pin, sync::Arc};

use async_trait::async_trait;

use crate::{
    ForgetSessions, ListSessions, ProbeVersions, RecallSessions, Record, Result, SessionId,
    SweepSessions, Timestamp, WatchSessions,
};

/// How often a record was put: 1 at creation, one more at every later put.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Version(u64);

impl Version {
    /// The version of a record that is created.
    pub const FIRST: Self = Self(1);

    /// The version with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The version after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number for a store whose numbers are signed; order is kept. Numbers beyond [`i64::MAX`],
    /// which no session reaches, become `i64::MAX`.
    pub const fn to_i64(self) -> i64 {
        signed(self.0)
    }

    /// The version that [`to_i64`](Self::to_i64) made `number` of.
    pub const fn from_i64(number: i64) -> Self {
        Self(unsigned(number))
    }
}

/// The same number where there is one, else the nearest.
pub(crate) const fn signed(number: u64) -> i64 {
    if number > i64::MAX.unsigned_abs() { i64::MAX } else { number.cast_signed() }
}

/// What [`signed`] made `number` of; the last one stands for all it stands for.
pub(crate) const fn unsigned(number: i64) -> u64 {
    match number {
        i64::MAX => u64::MAX,
        ..0 => 0,
        _ => number.unsigned_abs(),
    }
}

/// What a [`put`](SessionManager::put) replaces.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a manager must answer every expectation")]
pub enum Expect {
    /// Nothing: the record is created.
    Absent,
    /// The record of exactly this version.
    Version(Version),
}

impl Expect {
    /// Compares with the version of the live record, `None` if none is live: `Ok` if the put may
    /// take place, else what it answers.
    ///
    /// Call it, and write, in one step: under one lock, or in one transaction.
    ///
    /// # Errors
    ///
    /// - [`Outcome::Conflict`]: a live record is there, but not the one that was named.
    /// - [`Outcome::Gone`]: a version was named, and no live record is there.
    ///
    /// # Examples
    ///
    /// ```
    /// use session_core::{Expect, Outcome, Version};
    ///
    /// let second = Expect::Version(Version::new(2));
    /// assert_eq!(second.check(Some(Version::new(2))), Ok(()));
    /// assert_eq!(second.check(Some(Version::new(3))), Err(Outcome::Conflict));
    /// assert_eq!(second.check(None), Err(Outcome::Gone));
    /// assert_eq!(Expect::Absent.check(None), Ok(()));
    /// ```
    pub fn check(self, live: Option<Version>) -> Result<(), Outcome> {
        match (self, live) {
            (Self::Absent, None) => Ok(()),
            (Self::Version(expected), Some(live)) if expected == live => Ok(()),
            (_, Some(_)) => Err(Outcome::Conflict),
            (Self::Version(_), None) => Err(Outcome::Gone),
        }
    }
}

/// What became of a [`put`](SessionManager::put) or a [`touch`](SessionManager::touch).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle every answer")]
#[must_use = "a write that was not stored has to be handled"]
pub enum Outcome {
    /// It took place.
    Stored,
    /// A live record is there, but not the one that was named. Nothing was changed.
    Conflict,
    /// No live record is there. Nothing was changed; in particular nothing was created.
    Gone,
}

/// What became of a [`remove`](SessionManager::remove).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle every answer")]
pub enum Removal {
    /// This call removed a live record.
    Removed,
    /// A live record is there, but of another version than the one named. Nothing was changed.
    Conflict,
    /// No live record was there.
    Gone,
}

/// Keeps records: the trait a backend implements.
///
/// A manager stores opaque bytes by id and keeps versions and deadlines. It never sees a key, a
/// cookie or a plain value, so it can get neither authentication nor encryption wrong. What it must
/// get right is below: every rule is one test of the conformance suite (feature `conformance`),
/// named in brackets.
///
/// Applications hold an `Arc<dyn SessionManager>` and hand it to
/// [`SessionInterface`](crate::SessionInterface), which is the only caller of these methods in a
/// usual program: at most one `get` for a request that uses its session, one `put` for one that
/// changed it, a `touch` now and then. Any number of calls, for the same and for different ids, run
/// at the same time.
///
/// # Behaviour
///
/// - A record is *live* from the moment a `put` answered [`Outcome::Stored`] until it is removed or
///   its [`expires_at`](Record::expires_at) is reached: at the deadline it is expired, not after
///   it. An expired record is absent for every method, whether or not something has swept it.
///   (`expired_is_none`, `expiry_at_the_deadline`,
///   `an_expired_record_is_gone_for_put_touch_and_remove`,
///   `an_expired_record_may_be_created_again`)
/// - Every call is one step, also for other processes if the backend says it is shared: whatever
///   runs at the same time, the answers and the record that is left are those of one call after
///   the other. A manager that looks, waits and then writes what it decided before brings removed
///   sessions back. Of several writers that name the same version exactly one is answered
///   `Stored`. (`a_get_is_one_step`, `a_create_is_one_step`, `a_put_is_one_step`,
///   `a_touch_is_one_step`, `a_remove_is_one_step`, `parallel_puts_have_one_winner`,
///   `parallel_puts_leave_one_whole_record`; shared:
///   `a_call_of_one_manager_is_one_step_for_another`, `two_managers_see_each_other`,
///   `a_removal_is_seen_by_both`, `puts_of_two_managers_have_one_winner`)
/// - If the backend says it is durable, what it answered outlives the manager and its process.
///   (`records_survive_a_new_manager`, `removals_survive_a_new_manager`)
/// - Requests that overlap lose nothing and bring nothing back, over this manager as over any.
///   (`overlapping_requests_of_one_process`, `overlapping_requests_of_two_processes`,
///   `random_operations_agree_with_the_model`)
/// - When a future is dropped half-way, the write took place whole or not at all.
///   (`a_dropped_future_leaves_a_whole_record`)
/// - `Debug` shows no id, no record and no credential of the store. (`debug_hides_ids_and_bytes`)
/// - `Arc<T>` and `Box<T>` of a manager are managers with the same behaviour.
///   (`works_behind_arc_and_box`)
///
/// # Errors
///
/// All methods: [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) when the store could not
/// be asked or did not answer; it is then unknown whether a write took place, and the same call may
/// be tried again, since a repeated `put` of the same version can only answer `Stored` once.
/// Absence, expiry and conflicts are answers, not errors.
///
/// # Writing one
///
/// The example `directory` of this crate is a whole backend in about a hundred and fifty lines. In
/// short: implement the five verbs, return `None` from the accessors of abilities the backend does
/// not have, and add one line of tests.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a session manager",
    note = "pass a backend such as `session_fs::FileBackedSessionManager`, or write one: see the docs of `SessionManager`"
)]
pub trait SessionManager: fmt::Debug + Send + Sync + 'static {
    /// Tells whether a live record is stored under `id`.
    ///
    /// # Behaviour
    ///
    /// - True exactly when [`get`](Self::get) would return a record. (`exists_agrees_with_get`)
    async fn exists(&self, id: &SessionId) -> Result<bool>;

    /// Returns the record stored under `id`, or `None` if no live one is.
    ///
    /// What was put last is returned whole; a half-written record is never seen.
    ///
    /// # Behaviour
    ///
    /// - Unknown, removed and expired records are all `None`. (`absent_is_none`, `removed_is_none`,
    ///   `expired_is_none`)
    /// - The bytes are those of the last stored put, with the deadline of the last stored touch.
    ///   (`put_then_get_returns_the_same_bytes`, `arbitrary_bytes_round_trip`,
    ///   `empty_and_largest_body_round_trip`)
    /// - Only a record of `id` itself is returned. (`records_do_not_bleed`)
    /// - Getting does not extend a lifetime. (`get_does_not_touch`)
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt): bytes are there that are no record of
    ///   `id`.
    /// - [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported): a record of a later format; it
    ///   must be left as it is.
    async fn get(&self, id: &SessionId) -> Result<Option<Arc<Record>>>;

    /// Stores `record` under its own id, in place of what `expect` names.
    ///
    /// # Behaviour
    ///
    /// - [`Expect::Absent`]: `Stored` if no live record is there, else `Conflict`; it never
    ///   replaces a live one. (`create_never_replaces`)
    /// - [`Expect::Version`]: `Stored` if the live record has that version, `Conflict` if it has
    ///   another, `Gone` if there is none; it never creates. (`put_names_the_version_it_replaces`,
    ///   `put_never_resurrects`)
    /// - The record is replaced whole: body, version, deadlines, principal tag.
    ///   (`put_replaces_the_whole_record`)
    /// - A record that is expired already is answered as if it were live until just now: nothing of
    ///   it is readable. (`putting_an_expired_record_leaves_nothing_live`)
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Full`](crate::ErrorKind::Full): no space; what was stored before is unharmed.
    /// - [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge): larger than the backend takes. Every
    ///   backend takes [`Record::MAX_BYTES`].
    async fn put(&self, record: &Arc<Record>, expect: Expect) -> Result<Outcome>;

    /// Moves the idle deadline of the record stored under `id`, if it still has `version`.
    ///
    /// The body is not rewritten and the version does not change.
    ///
    /// # Behaviour
    ///
    /// - `Stored` if the live record has `version`, `Conflict` if it has another, `Gone` if there
    ///   is none; it never creates. (`touch_moves_the_deadline`, `touch_names_the_version`,
    ///   `touch_never_resurrects`)
    /// - The deadline is set as given, later or earlier, but at most to the record's absolute
    ///   deadline. (`touch_is_clamped_to_the_absolute_deadline`, `touch_can_shorten`)
    /// - Nothing else of the record changes. (`touch_keeps_bytes_and_version`)
    async fn touch(
        &self,
        id: &SessionId,
        version: Version,
        expires_at: Timestamp,
    ) -> Result<Outcome>;

    /// Removes the record stored under `id`; with `only`, only if it has that version.
    ///
    /// Once this has answered `Removed` or `Gone`, no get, put with [`Expect::Version`] or touch
    /// anywhere finds a record under `id`.
    ///
    /// # Behaviour
    ///
    /// - `Removed` for the call that removed a live record, `Gone` if there was none: removing
    ///   twice is no error. (`removed_is_none`, `remove_absent_is_gone`)
    /// - With `only`, `Conflict` if the live record has another version; nothing is removed then.
    ///   (`remove_names_the_version`)
    async fn remove(&self, id: &SessionId, only: Option<Version>) -> Result<Removal>;

    /// The ability to clear expired records away, if the store does not do so by itself.
    fn sweeping(&self) -> Option<&dyn SweepSessions>;

    /// The ability to find the sessions of one principal, and all sessions.
    fn listing(&self) -> Option<&dyn ListSessions>;

    /// The ability to tell a record's version for less than a get costs.
    fn probing(&self) -> Option<&dyn ProbeVersions>;

    /// The ability to tell of changes made through other managers of the same store.
    fn watching(&self) -> Option<&dyn WatchSessions>;

    /// The ability to hand out what is in memory without waiting.
    ///
    /// A wrapper hands on that of the manager inside only if its own `get` does no more than the
    /// other's: what is recalled goes past it.
    fn recalling(&self) -> Option<&dyn RecallSessions>;

    /// The ability to drop cached copies: that of every manager with a [`get`](Self::get) that may
    /// answer from a copy.
    ///
    /// A manager whose `get` always asks the store has nothing to drop and returns `None`. A
    /// wrapper hands on that of the manager inside, and a cache over a cache drops both copies.
    fn forgetting(&self) -> Option<&dyn ForgetSessions>;
}

/// What a method of a manager returns, written out.
type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

// Not as async functions: each would put the future it hands on into a box of its own.
macro_rules! forward {
    ($pointer:ident) => {
        #[deny(clippy::missing_trait_methods)]
        impl<T: SessionManager + ?Sized> SessionManager for $pointer<T> {
            fn exists<'s, 'i, 'a>(&'s self, id: &'i SessionId) -> Answer<'a, bool>
            where
                's: 'a,
                'i: 'a,
                Self: 'a,
            {
                T::exists(self, id)
            }

            fn get<'s, 'i, 'a>(&'s self, id: &'i SessionId) -> Answer<'a, Option<Arc<Record>>>
            where
                's: 'a,
                'i: 'a,
                Self: 'a,
            {
                T::get(self, id)
            }

            fn put<'s, 'r, 'a>(
                &'s self,
                record: &'r Arc<Record>,
                expect: Expect,
            ) -> Answer<'a, Outcome>
            where
                's: 'a,
                'r: 'a,
                Self: 'a,
            {
                T::put(self, record, expect)
            }

            fn touch<'s, 'i, 'a>(
                &'s self,
                id: &'i SessionId,
                version: Version,
                expires_at: Timestamp,
            ) -> Answer<'a, Outcome>
            where
                's: 'a,
                'i: 'a,
                Self: 'a,
            {
                T::touch(self, id, version, expires_at)
            }

            fn remove<'s, 'i, 'a>(
                &'s self,
                id: &'i SessionId,
                only: Option<Version>,
            ) -> Answer<'a, Removal>
            where
                's: 'a,
                'i: 'a,
                Self: 'a,
            {
                T::remove(self, id, only)
            }

            fn sweeping(&self) -> Option<&dyn SweepSessions> {
                T::sweeping(self)
            }

            fn listing(&self) -> Option<&dyn ListSessions> {
                T::listing(self)
            }

            fn probing(&self) -> Option<&dyn ProbeVersions> {
                T::probing(self)
            }

            fn watching(&self) -> Option<&dyn WatchSessions> {
                T::watching(self)
            }

            fn recalling(&self) -> Option<&dyn RecallSessions> {
                T::recalling(self)
            }

            fn forgetting(&self) -> Option<&dyn ForgetSessions> {
                T::forgetting(self)
            }
        }
    };
}

forward!(Arc);
forward!(Box);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LAST: u64 = i64::MAX.unsigned_abs();

    fn any_number() -> impl Strategy<Value = u64> {
        prop_oneof![any::<u64>(), 0..10_u64, LAST - 5..LAST + 5, u64::MAX - 5..=u64::MAX]
    }

    proptest! {
        #[test]
        fn signed_numbers_keep_the_order_and_come_back(a in any_number(), b in any_number()) {
            let (version, time) = (Version::new(a), Timestamp::from_millis(a));
            let (other, later) = (Version::new(b), Timestamp::from_millis(b));
            if a <= b {
                prop_assert!(version.to_i64() <= other.to_i64() && time.to_i64() <= later.to_i64());
            }
            prop_assert!(version.to_i64() >= 0 && time.to_i64() >= 0);
            let expected = if a < LAST { a } else { u64::MAX };
            prop_assert_eq!(Version::from_i64(version.to_i64()).get(), expected);
            prop_assert_eq!(Timestamp::from_i64(time.to_i64()).as_millis(), expected);
        }
    }

    #[test]
    fn a_negative_number_is_no_time_and_no_version() {
        assert_eq!(Timestamp::from_i64(-1), Timestamp::EPOCH);
        assert_eq!(Version::from_i64(i64::MIN).get(), 0);
    }
}
