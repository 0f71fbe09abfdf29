//! Queues that run through the entries of a shard.

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// Where an entry stands in its queue: the positions of its neighbours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links {
    pub(super) before: u32,
    pub(super) after: u32,
}

/// The links of all entries, by position.
pub(super) trait Linked {
    fn links(&mut self, at: u32) -> &mut Links;
}

/// A first-in first-out queue, linked through the entries, so that any of them leaves it in one
/// step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    oldest: u32,
    newest: u32,
    len: usize,
}

impl Queue {
    pub(super) const fn new() -> Self {
        Self { oldest: NONE, newest: NONE, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The entry that came first.
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    pub(super) fn push(&mut self, entries: &mut impl Linked, at: u32) {
        *entries.links(at) = Links { before: self.newest, after: NONE };
        match self.newest {
            NONE => self.oldest = at,
            newest => entries.links(newest).after = at,
        }
        self.newest = at;
        self.len += 1;
    }

    pub(super) fn unlink(&mut self, entries: &mut impl Linked, at: u32) {
        let Links { before, after } = *entries.links(at);
        self.join(entries, before, after, after, before);
        self.len -= 1;
    }

    /// The entry whose links are at `at` now stood at another position before.
    pub(super) fn moved(&mut self, entries: &mut impl Linked, at: u32) {
        let Links { before, after } = *entries.links(at);
        self.join(entries, before, at, after, at);
    }

    /// Makes `to_after` follow `before`, and `to_before` precede `after`.
    fn join(
        &mut self,
        entries: &mut impl Linked,
        before: u32,
        to_after: u32,
        after: u32,
        to_before: u32,
    ) {
        match before {
            NONE => self.oldest = to_after,
            before => entries.links(before).after = to_after,
        }
        match after {
            NONE => self.newest = to_before,
            after => entries.links(after).before = to_before,
        }
    }
}
