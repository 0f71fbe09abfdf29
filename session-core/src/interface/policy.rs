//! How long sessions last, and how much they hold.

use std::time::Duration;

use crate::{Error, Record, Result, Timestamp, record::Contents};

/// What happens at the login that would be one session too many for its principal.
///
/// Soft under races: two logins at the same moment may both be counted before either is stored.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum MaxSessions {
    /// There is no limit.
    #[default]
    Unlimited,
    /// The login is refused with [`ErrorKind::TooManySessions`](crate::ErrorKind::TooManySessions).
    Refuse(usize),
    /// The oldest sessions are ended, by the times of their logins. None is ended by an older one:
    /// of logins at the same moment more may stay than are allowed, until the next. One login looks
    /// at a hundred sessions beyond the limit at most: a principal who has more, since there was
    /// no limit before, loses the others by the next logins.
    EndOldest(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) idle: Duration,
    pub(crate) lifetime: Duration,
    pub(crate) permanent_idle: Option<Duration>,
    pub(crate) permanent_lifetime: Duration,
    pub(crate) rotate_every: Option<Duration>,
    pub(crate) max_sessions: MaxSessions,
    pub(crate) max_bytes: usize,
    /// Whether opening a session is a use of it.
    pub(crate) touch_on_open: bool,
}

impl Policy {
    /// How long the old token lives after the new one was first presented.
    pub(crate) const GRACE: Duration = Duration::from_secs(30);
    /// How long after a change of privilege a login with the token from before is recognised as
    /// another try: the answer with the new one may be lost.
    pub(crate) const RETRY: Duration = Duration::from_secs(60);
    /// A request that arrived before this long after a change of its token was overtaken by it: the
    /// newer cookie is on its way to the browser, and no other may take its place.
    pub(crate) const OVERTAKEN: Duration = Duration::from_secs(5);
    /// How far ahead of the clock a stored time may be: clocks of servers differ.
    pub(crate) const SKEW: Duration = Duration::from_secs(60);
    /// How long a session without values and principal lives on, for requests under way.
    const EMPTY: Duration = Duration::from_secs(60);
    /// How long a save goes on against other writers.
    pub(crate) const CONTENTION: Duration = Duration::from_secs(5);
    /// Activity is written back when this part of the idle timeout has passed since it last was.
    const TOUCH_PART: u32 = 10;

    pub(crate) fn check(&self) -> Result<()> {
        let hour = Duration::from_secs(3600);
        let named = [
            ("idle timeout", self.idle),
            ("lifetime", self.lifetime),
            ("idle timeout of permanent sessions", self.permanent_idle.unwrap_or(hour)),
            ("lifetime of permanent sessions", self.permanent_lifetime),
            ("rotation interval", self.rotate_every.unwrap_or(hour)),
        ];
        for (name, duration) in named {
            if duration < Duration::from_secs(1) {
                return Err(Error::config(format!(
                    "the {name} is less than a second: give it at least one"
                )));
            }
        }
        let pairs = [
            ("idle timeout", self.idle, "lifetime", self.lifetime),
            (
                "idle timeout of permanent sessions",
                self.idle_of(true),
                "lifetime of permanent sessions",
                self.permanent_lifetime,
            ),
            ("lifetime", self.lifetime, "lifetime of permanent sessions", self.permanent_lifetime),
        ];
        for (shorter, short, longer, long) in pairs {
            if short > long {
                return Err(Error::config(format!(
                    "the {shorter} is longer than the {longer}: shorten the first or lengthen the second"
                )));
            }
        }
        if self.max_bytes == 0 || self.max_bytes > Self::LARGEST {
            return Err(Error::config(format!(
                "the size limit of a session is outside 1 to {} bytes",
                Self::LARGEST
            )));
        }
        if matches!(self.max_sessions, MaxSessions::Refuse(0) | MaxSessions::EndOldest(0)) {
            return Err(Error::config(
                "a limit of zero sessions lets nobody log in: give at least 1",
            ));
        }
        Ok(())
    }

    /// Leaves room for the header, the seal, and what is kept beside the values.
    const LARGEST: usize = Record::MAX_BYTES - 16 * 1024;

    pub(crate) fn idle_of(&self, permanent: bool) -> Duration {
        if permanent { self.permanent_idle.unwrap_or(self.permanent_lifetime) } else { self.idle }
    }

    pub(crate) fn lifetime_of(&self, permanent: bool) -> Duration {
        if permanent { self.permanent_lifetime } else { self.lifetime }
    }

    /// When a session of these contents ends at the latest: the lifetime runs from the last login,
    /// else from creation.
    ///
    /// On a clock that was set back since, it ends no later than a session that began now.
    pub(crate) fn deadline(&self, contents: &Contents, now: Timestamp) -> Timestamp {
        let began = contents.authenticated_at.unwrap_or(contents.created_at).min(now);
        let deadline = began.saturating_add(self.lifetime_of(contents.data.permanent));
        contents.data.ends_at.map_or(deadline, |ends_at| deadline.min(ends_at))
    }

    /// Whether a clock wrote these contents that was ahead of this one.
    pub(crate) fn is_skewed(contents: &Contents, now: Timestamp) -> bool {
        let latest = now.saturating_add(Self::SKEW);
        let times = [Some(contents.created_at), contents.authenticated_at, Some(contents.token_at)];
        times.into_iter().flatten().any(|at| at > latest)
    }

    /// Whether `now` is less than `duration` after `at`, which may be ahead of the clock a little.
    pub(crate) fn is_within(at: Timestamp, duration: Duration, now: Timestamp) -> bool {
        at <= now.saturating_add(Self::SKEW) && now < at.saturating_add(duration)
    }

    /// Whether the session is over, by what the record says and by what the policy says today.
    pub(crate) fn is_over(&self, record: &Record, contents: &Contents, now: Timestamp) -> bool {
        record.is_expired(now) || now >= self.deadline(contents, now)
    }

    /// The idle deadline a session gets when it is used now.
    pub(crate) fn expires_at(
        &self,
        contents: &Contents,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Timestamp {
        let idle =
            if contents.is_empty() { Self::EMPTY } else { self.idle_of(contents.data.permanent) };
        now.saturating_add(idle).min(deadline)
    }

    /// The idle deadline to write back, if enough of the old one has passed, or if the old one lies
    /// that much further ahead than the clock and the policy allow. An empty session is not kept
    /// alive.
    pub(crate) fn touch_due(
        &self,
        record: &Record,
        contents: &Contents,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let fresh = self.expires_at(contents, record.deadline(), now);
        let step = self.idle_of(contents.data.permanent) / Self::TOUCH_PART;
        let stored = record.expires_at();
        let moved = fresh.saturating_since(stored).max(stored.saturating_since(fresh));
        (fresh != stored && moved >= step && !contents.is_empty()).then_some(fresh)
    }

    /// When the session was last used, as exactly as activity is written back.
    pub(crate) fn last_seen(
        &self,
        record: &Record,
        contents: &Contents,
        now: Timestamp,
    ) -> Timestamp {
        // A deadline cut short by the absolute one says less; creation and login are uses too.
        let derived = record.expires_at().saturating_sub(self.idle_of(contents.data.permanent));
        derived.max(contents.authenticated_at.unwrap_or(contents.created_at)).min(now)
    }
}

impl Default for Policy {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self {
            idle: day,
            lifetime: 7 * day,
            permanent_idle: None,
            permanent_lifetime: 31 * day,
            rotate_every: None,
            max_sessions: MaxSessions::default(),
            max_bytes: 64 * 1024,
            touch_on_open: true,
        }
    }
}
