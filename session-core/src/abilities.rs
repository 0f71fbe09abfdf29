//! What not every backend can do, each a small trait of its own.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use crate::{PrincipalTag, Record, Result, SessionId, Version};

/// Clears expired records away.
///
/// Sweeping is housekeeping: an expired record is absent whether or not it was swept. So a sweep
/// removes nothing while its clock is not [settled](crate::Clock::is_settled).
#[async_trait]
pub trait SweepSessions: fmt::Debug + Send + Sync {
    /// Removes expired records, as many as one bounded step takes, and tells what it did.
    ///
    /// Call it again while [`Swept::more`] is true, and the whole every few minutes: a
    /// [`Sweeper`](crate::Sweeper) does, on a thread of its own, which the backend or the
    /// application starts. Works beside every other call and beside other
    /// sweeps, also of other processes.
    ///
    /// # Behaviour
    ///
    /// - Expired records are removed. (`sweep_removes_expired`)
    /// - A live record is never removed, also when it is touched, replaced or created meanwhile.
    ///   (`sweep_keeps_live`, `a_sweep_is_one_step`)
    /// - A sweep with nothing to do removes nothing. (`sweep_twice_is_ok`)
    /// - Once a sweep says that there is no more, whatever was expired when it began is gone.
    ///   (`sweeps_of_many_end_with_none_left`)
    /// - What cannot be read is left where it is and is no failure of the sweep.
    /// - While the clock is not [settled](crate::Clock::is_settled) nothing is removed.
    ///   (`a_sweep_by_a_clock_in_doubt_removes_nothing`)
    async fn sweep(&self) -> Result<Swept>;
}

/// What one step of a sweep did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Swept {
    /// Records looked at.
    pub scanned: u64,
    /// Records removed.
    pub removed: u64,
    /// Bytes of the removed records.
    pub bytes: u64,
    /// Whether the store was not seen to its end: call again.
    pub more: bool,
}

/// Where a listing goes on; opaque, made by the backend, of no meaning to another one.
///
/// Most hold the sid they go on from, so `Debug` does not show what is in them.
#[derive(Clone, Eq, PartialEq)]
pub struct Cursor(pub(crate) Vec<u8>);

impl Cursor {
    /// A cursor of the backend's own making.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// What the backend put in.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor(..)")
    }
}

/// One piece of a listing.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Page {
    /// Ids, in no order; an id may come twice across the pages of one listing.
    pub ids: Vec<SessionId>,
    /// Where to go on, or `None` at the end. A page may be empty and still not the last.
    pub next: Option<Cursor>,
}

impl Page {
    /// A page of a listing.
    pub fn new(ids: Vec<SessionId>, next: Option<Cursor>) -> Self {
        Self { ids, next }
    }
}

/// Finds sessions without knowing their ids.
///
/// # Behaviour
///
/// - A listing names every record that is live for its whole duration.
///   (`listing_finds_every_session_of_a_tag`, `a_record_moves_to_the_tag_it_was_last_put_with`,
///   `scan_finds_every_session`)
/// - It is a list of *candidates*: it may name records that are gone, expired or of another tag by
///   now; the caller gets each and looks. What it names beyond the live ones must vanish in time,
///   by the sweep or by itself.
/// - Records without a tag are in no listing by tag. (`a_record_without_a_tag_is_only_scanned`)
/// - A cursor of another store, or one that was made up, is an error or begins somewhere: it never
///   panics. (`a_foreign_cursor_does_not_panic`)
/// - Pages end: following `next` visits every record at most a bounded number of times.
///   (`listing_in_pages_ends`)
#[async_trait]
pub trait ListSessions: fmt::Debug + Send + Sync {
    /// Ids of records with this principal tag, at most `limit` (at least 1) a page, after `cursor`.
    async fn by_principal(
        &self,
        tag: &PrincipalTag,
        cursor: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page>;

    /// Ids of all records, at most `limit` (at least 1) a page, after `cursor`.
    async fn scan(&self, cursor: Option<&Cursor>, limit: usize) -> Result<Page>;
}

/// Tells a record's version without fetching the record.
#[async_trait]
pub trait ProbeVersions: fmt::Debug + Send + Sync {
    /// The version of the live record stored under `id` and its current idle deadline, or `None`.
    ///
    /// # Behaviour
    ///
    /// - Agrees with [`get`](crate::SessionManager::get) of the store itself, never with a copy
    ///   that may be stale: a cache passes the question on. (`probe_agrees_with_get`,
    ///   `probe_sees_a_removal`)
    async fn probe(&self, id: &SessionId) -> Result<Option<Probe>>;
}

/// The answer of a [probe](ProbeVersions::probe).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it is made by every backend and has just these two parts"
)]
pub struct Probe {
    /// The version of the live record.
    pub version: Version,
    /// Its idle deadline, as the last touch left it.
    pub expires_at: crate::Timestamp,
}

/// Hands out records that are in memory, without waiting for anybody.
///
/// A session that is recalled is opened without a future: [`get`](crate::SessionManager::get) of
/// such a record would answer at once too, but its caller cannot know that before it has boxed the
/// call and polled it.
pub trait RecallSessions: fmt::Debug + Send + Sync {
    /// The live record stored under `id`, if it is at hand.
    ///
    /// `None` says nothing about the store: ask [`get`](crate::SessionManager::get). Never fails,
    /// and waits for no I/O and for no other task.
    ///
    /// # Behaviour
    ///
    /// - What is recalled is what [`get`](crate::SessionManager::get), called now, might answer: it
    ///   is as current, and never expired. (`recall_agrees_with_get`, `expired_is_not_recalled`;
    ///   shared: `recall_is_as_current_as_get`)
    /// - What was removed or replaced through this manager is not recalled once that call has
    ///   answered. (`recall_sees_what_this_manager_wrote`)
    /// - What was got a moment ago is usually recalled. (`what_was_got_is_recalled`)
    fn recall(&self, id: &SessionId) -> Option<Arc<Record>>;
}

/// Drops cached copies, so that a caller who needs the newest record can look past them.
///
/// A copy may be behind the store by what the cache allows, an age or the delay of a feed. That is
/// too old to revoke by, to list by, or to refuse a token by.
///
/// # Behaviour
///
/// - A [`get`](crate::SessionManager::get) of the id that begins after [`forget`](Self::forget)
///   returned answers from the store, and so does a [recall](RecallSessions). It does not join a
///   read that began before, and what such a read brings is not kept.
///   (`a_get_after_forget_sees_the_store`, `a_read_under_way_does_not_outlive_forget`)
/// - The store is not changed, and no other id is affected. (`forget_changes_nothing`)
pub trait ForgetSessions: fmt::Debug + Send + Sync {
    /// Drops the cached copy of the record stored under `id`, if there is one.
    ///
    /// Never fails, and waits for no I/O and for no other task. The next `get` of the id costs a
    /// read of the store.
    fn forget(&self, id: &SessionId);
}

/// Tells of changes as they happen.
///
/// # Behaviour
///
/// - After [`watch`](Self::watch) returned, every put, touch and remove through any manager of the
///   same store is told to the watcher with [`changed`](WatchChanges::changed), in this process
///   also before the write is answered or soon after. (`watch_tells_of_put_touch_and_remove`)
/// - While the feed is whole, [`alive`](WatchChanges::alive) is called at least every
///   [`heartbeat`](Self::heartbeat). In a longer silence changes may be on their way: copies are
///   not used until the next `alive`, and are as good as before then.
/// - When something may have been missed, [`broken`](WatchChanges::broken) is called before
///   anything else, and `alive` only once the feed is whole again.
///   (`watch_tells_when_the_feed_broke`)
pub trait WatchSessions: fmt::Debug + Send + Sync {
    /// Tells `watcher` of changes from now on, for as long as the returned guard is kept.
    fn watch(&self, watcher: Arc<dyn WatchChanges>) -> Result<Watch>;

    /// The longest silence of a whole feed.
    fn heartbeat(&self) -> std::time::Duration;
}

/// Keeps a watcher subscribed; dropping it ends the subscription.
#[must_use = "dropping the guard ends the subscription"]
pub struct Watch(#[expect(dead_code, reason = "kept for its drop")] Box<dyn Send + Sync>);

impl Watch {
    /// A guard that drops `subscription` when it is dropped.
    pub fn new(subscription: impl Send + Sync + 'static) -> Self {
        Self(Box::new(subscription))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch(..)")
    }
}

/// Is told of changes by a [`WatchSessions`]. The methods must return at once and never block.
pub trait WatchChanges: fmt::Debug + Send + Sync + 'static {
    /// The record under `id` was put, touched or removed, or may have been.
    fn changed(&self, id: &SessionId);

    /// The feed is whole, and was since the last call of any of these methods.
    fn alive(&self);

    /// The feed broke: changes may have been missed, and may be until the next
    /// [`alive`](Self::alive).
    fn broken(&self);
}
