//! How a cache stays true to its parent.

use std::time::Duration;

/// How a cache learns of changes made elsewhere.
///
/// There is no default: the wrong choice is a logout that is not honoured.
///
/// | | for | a hit costs | a change elsewhere is honoured |
/// | --- | --- | --- | --- |
/// | [`Exclusive`](Self::Exclusive) | one process | nothing | never |
/// | [`Checked`](Self::Checked) | several processes on one store that can be asked cheaply | one [probe](session_core::ProbeVersions) | at the next request |
/// | [`Watching`](Self::Watching) | several processes on a store with a feed of changes | nothing | when the feed reports it, or within a heartbeat |
/// | [`MaxAge`](Self::MaxAge) | several processes on a store that can do neither | nothing | within the age |
///
/// Changes made through the cache itself are honoured at once in every mode.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Coherence {
    /// Every hit asks the parent for version and deadline, and is used only if both are still those
    /// of the record.
    ///
    /// Always current: what another process wrote or removed before a request began is seen by it.
    Checked,
    /// This process is the only writer of the store, and does so only through this cache.
    ///
    /// A session of which a write failed, and may therefore still take place, is checked at every
    /// hit until the store holds a later version.
    ///
    /// Also not used by a second manager in this process, nor by a tool that removes records while
    /// the process runs.
    Exclusive,
    /// A record is used for so long after it was asked for at the parent.
    MaxAge(Duration),
    /// The parent reports changes.
    ///
    /// A record is kept only if no change of its id was told since its load began. While the feed
    /// is broken, or silent for longer than its
    /// [heartbeat](session_core::WatchSessions::heartbeat), the cache is empty and every request
    /// goes to the parent. So a change elsewhere is honoured as soon as it is reported, and if the
    /// feed dies before, at most a heartbeat after the feed last said that it was whole:
    /// never later than delivery time plus heartbeat.
    Watching,
}
