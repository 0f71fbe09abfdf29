//! Who left not long ago.

#![expect(clippy::cast_possible_truncation, reason = "times wrap, and prints are cut, on purpose")]

/// Remembers the hashes of the last entries that left, in four bytes each.
///
/// A hash may be forgotten early, when its bucket fills up, and a stranger may be taken for one who
/// left, once in some thousand times: either only puts an entry into the other queue.
#[derive(Debug)]
pub(super) struct Ghosts {
    /// In each cell 16 bits of a print and 16 bits of the time it came in; 0: empty.
    cells: Box<[u32]>,
    /// How many came in.
    now: u64,
    /// How many of the last ones are remembered.
    span: u64,
    /// How many come in for the time to move on by one, as a power of two.
    tick: u32,
}

const WAYS: usize = 4;

impl Ghosts {
    pub(super) fn new(span: usize) -> Self {
        let cells = if span == 0 { 0 } else { span.next_power_of_two().max(WAYS) };
        let span = span as u64;
        let tick = (span >> 14).next_power_of_two().trailing_zeros();
        Self { cells: vec![0; cells].into(), now: 0, span, tick }
    }

    pub(super) fn insert(&mut self, print: u32) {
        if self.cells.is_empty() {
            return;
        }
        self.now += 1;
        let time = self.time();
        let bucket = self.bucket(print);
        let oldest = bucket.iter_mut().max_by_key(|cell| {
            if **cell == 0 { u16::MAX } else { time.wrapping_sub(time_of(**cell)) }
        });
        if let Some(cell) = oldest {
            *cell = u32::from(tag_of(print)) << 16 | u32::from(time);
        }
    }

    /// Whether `hash` came in lately; it is forgotten then.
    pub(super) fn take(&mut self, print: u32) -> bool {
        if self.cells.is_empty() {
            return false;
        }
        let time = self.time();
        let span = (self.span >> self.tick) as u16;
        let found = self.bucket(print).iter_mut().find(|cell| {
            (**cell >> 16) as u16 == tag_of(print) && time.wrapping_sub(time_of(**cell)) <= span
        });
        found.map(|cell| *cell = 0).is_some()
    }

    fn time(&self) -> u16 {
        (self.now >> self.tick) as u16
    }

    fn bucket(&mut self, print: u32) -> &mut [u32] {
        let at = (print as usize & (self.cells.len() - 1)) & !(WAYS - 1);
        &mut self.cells[at..at + WAYS]
    }
}

/// Never 0, so that a cell with one is not empty.
fn tag_of(print: u32) -> u16 {
    (print >> 16) as u16 | 1
}

fn time_of(cell: u32) -> u16 {
    cell as u16
}
