//! `SweepProgress`: what a sweep did.

/// What a sweep of the folder did so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SweepProgress {
    /// Files of sessions looked at.
    pub scanned: u64,
    /// Expired sessions removed.
    pub removed: u64,
    /// Bytes of their records.
    pub bytes: u64,
    /// Sessions left: live ones, and those somebody was just writing.
    pub left: u64,
    /// Damaged files moved to the folder `aside`.
    pub damaged: u64,
    /// Files passed over: unreadable, of a later release, or not ours.
    pub unreadable: u64,
    /// Folders passed over, with all the files in them: unreadable, or in truth no folders.
    pub unreadable_folders: u64,
    /// Whether nothing was looked at: the clock is not [settled](session_core::Clock::is_settled),
    /// or more than a day ahead of the last sweep, which a sweep an hour later believes.
    pub held_back: bool,
}
