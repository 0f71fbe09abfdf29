//! The order in which the entries of a shard came.

use std::collections::VecDeque;

/// A first-in first-out queue: the hashes of entries, numbered in the order they came.
///
/// An entry keeps its number, and not the queue its entry: one that leaves before its turn leaves a
/// hole, which is met when its turn comes, or filled when there are more holes than entries.
#[derive(Debug)]
pub(super) struct Queue {
    hashes: VecDeque<u32>,
    /// The number of the first hash. The numbers wrap; those in a queue differ, since it is shorter
    /// than they go round.
    first: u32,
    /// How many of the hashes are of entries that are still there.
    live: usize,
}

/// More entries than this do not go into one queue, so that with as many holes it stays shorter
/// than its numbers go round.
pub(super) const LONGEST: usize = 1 << 30;

/// A queue of fewer holes than this is not worth the work.
const FEW: usize = 64;

impl Queue {
    pub(super) const fn new() -> Self {
        Self { hashes: VecDeque::new(), first: 0, live: 0 }
    }

    /// How many entries are in the queue.
    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// Adds an entry, which is to keep the number.
    pub(super) fn push(&mut self, hash: u32) -> u32 {
        let number = self.number(self.hashes.len());
        self.hashes.push_back(hash);
        self.live += 1;
        number
    }

    /// Takes out the number and the hash of what came first, be it an entry or a hole. An entry has
    /// [`left`](Self::left).
    pub(super) fn pop(&mut self) -> Option<(u32, u32)> {
        let hash = self.hashes.pop_front()?;
        let number = self.first;
        self.first = number.wrapping_add(1);
        Some((number, hash))
    }

    /// Counts an entry out.
    pub(super) fn left(&mut self) {
        self.live -= 1;
    }

    /// Closes the holes if there are more of them than entries, and so takes a step or two for each
    /// entry that has left.
    ///
    /// `renumber` is told the hash, the number and the new number, and tells whether there is such
    /// an entry.
    pub(super) fn close_holes(&mut self, mut renumber: impl FnMut(u32, u32, u32) -> bool) {
        if self.hashes.len() <= 2 * self.live + FEW {
            return;
        }
        let (mut from, mut to) = (self.first, self.first);
        self.hashes.retain(|hash| {
            let is_there = renumber(*hash, from, to);
            from = from.wrapping_add(1);
            to = to.wrapping_add(u32::from(is_there));
            is_there
        });
        self.hashes.shrink_to(2 * self.live);
    }

    #[expect(clippy::cast_possible_truncation, reason = "a queue is shorter than its numbers go")]
    fn number(&self, at: usize) -> u32 {
        self.first.wrapping_add(at as u32)
    }
}
