//! `SessionManager`: the contract between sessions and the places that keep them.

use std::{fmt, pin::Pin, sync::Arc};

use async_trait::async_trait;

use crate::{
    ForgetSessions, ListSessions, ProbeVersions, RecallSessions, Record, Result, SessionId,
    SweepSessions, Timestamp, Version, WatchSessions,
};

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
/// - The time is the manager's [`Clock`](crate::Clock), looked at when the record is: a writer that
///   waits for a lock looks at the clock once it has it, or it revives what has expired meanwhile.
///   Clocks of two processes may differ. (`a_writer_that_waited_looks_at_the_clock_then`)
/// - Every number is a deadline, beyond [`i64::MAX`] too: sessions may be kept without end.
///   (`the_latest_deadline_is_kept`)
/// - Every call is one step, also for other processes if the backend says it is shared: whatever
///   runs at the same time, the answers and the record that is left are those of one call after
///   the other. A manager that looks, waits and then writes what it decided before brings removed
///   sessions back. Of several writers that name the same version exactly one is answered
///   `Stored`. (`a_get_is_one_step`, `a_create_is_one_step`, `a_put_is_one_step`,
///   `a_touch_is_one_step`, `a_remove_is_one_step`, `parallel_puts_have_one_winner`,
///   `parallel_puts_leave_one_whole_record`; shared:
///   `a_call_of_one_manager_is_one_step_for_another`, `two_managers_see_each_other`,
///   `a_removal_is_seen_by_both`, `puts_of_two_managers_have_one_winner`)
/// - A writer that meets another one waits for it. (`writers_of_two_managers_wait_for_each_other`)
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
/// - An id is random and created once, and every put raises the version, so an id and a version
///   name one record: a cache may compare the two. The manager stores the version it is given and
///   need not check that it is the next.
/// - What is stored and cannot be read is never answered as a record, and harms no other session.
///   Whether it stays or is set aside is the backend's choice: each method answers `Corrupt`, or as
///   if nothing were there. What has a format of a later release is left as it is, by every method
///   and by the sweep. (`an_unreadable_record_is_corrupt_or_absent`,
///   `a_record_of_another_session_is_corrupt_or_absent`,
///   `a_record_of_a_later_format_is_left_as_it_is`, `damage_harms_no_other_session`)
///
/// # Waiting
///
/// A call may be polled on a thread that serves other requests: what takes longer than some
/// microseconds, such as a disk or a lock, is waited for elsewhere, on a thread of a pool or by a
/// client that does not block. A future may be polled late or dropped, so nothing that others wait
/// for is held while a call waits to be polled again.
///
/// A call bounds its wait by itself, to a few seconds by default, and then fails as below: it knows
/// whether a write may have taken place, which a limit set from outside does not.
///
/// # Errors
///
/// Absence, expiry and conflicts are answers, not errors. Each method may fail with:
///
/// - [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable): the store as a whole could not be
///   asked or did not answer, is read-only, or is itself damaged. It is then unknown whether a
///   write took place, and the same call may be tried again: a repeated `put` of the same version
///   can only answer `Stored` once.
/// - [`ErrorKind::Contended`](crate::ErrorKind::Contended): a lock was not obtained in time.
///   Nothing was written; trying again helps.
/// - [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt): the bytes stored for this one session are
///   no record of it. Never for a store that cannot be read as a whole: the visitor of a corrupt
///   record is treated as unknown, and would be by all servers at once.
/// - [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported): the record has a format of a later
///   release. It was left as it is.
/// - [`ErrorKind::Full`](crate::ErrorKind::Full), of `put` and `touch`: no space is left, or a
///   quota is reached. What was stored before is unharmed. `remove` works on a full store wherever
///   the store allows it.
///
/// # Writing one
///
/// The example `directory` of this crate is a whole backend in about a hundred and fifty lines. In
/// short: implement the five verbs, each with its look and its write in one step
/// ([`Expect::check`] compares), return `None` from the accessors of abilities the backend does not
/// have, and add one line of tests. The guide, and what tests cannot ask, is `docs/BACKENDS.md` of
/// the repository.
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
    /// - The record is replaced whole: body, version, deadlines, principal tag. Nothing that a
    ///   touch left beside the old one counts for the new. (`put_replaces_the_whole_record`,
    ///   `a_put_after_a_touch_has_its_own_deadline`)
    /// - A record that is expired already is answered as if it were live until just now: nothing of
    ///   it is readable. (`putting_an_expired_record_leaves_nothing_live`)
    ///
    /// # Errors
    ///
    /// Those of every method, and:
    ///
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
    ///   deadline. (`touch_is_clamped_to_the_absolute_deadline`, `touch_can_shorten`,
    ///   `a_touch_reaches_the_deadline_of_the_last_put`)
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
    /// - What is answered `Gone` because it is expired is removed all the same: it may be live by
    ///   the clock of another process. (`a_removal_by_a_clock_ahead_is_seen_by_all`)
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
