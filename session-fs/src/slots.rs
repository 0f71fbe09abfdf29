//! The format of a session's file: two slots and two cells. Bytes in, bytes out, no I/O.
//!
//! A write goes into the slot that is *not* current, so the current record is whole at every
//! moment, whatever becomes of the write. A touch goes into the cell that is not current, for the
//! same reason.
//!
//! Numbers are little-endian.
//!
//! | offset | bytes | |
//! | --- | --- | --- |
//! | 0 | 4 | magic, `SSNF` |
//! | 4 | 2 | format, 1 |
//! | 6 | 2 | zero |
//! | 8 | 4 | capacity of a slot, in bytes |
//! | 12 | 4 | CRC-32 of the 12 bytes before |
//! | 16 | 8 | sequence of the slot that is known to be on the disk, as is the name of the file; zero if none is |
//! | 32 | 28 | cell 0: sequence of the slot it speaks of (8), its own sequence (8), deadline (8), CRC-32 (4) |
//! | 64 | 28 | cell 1 |
//! | 128 | capacity | slot 0: sequence (8), length (4), CRC-32 (4), record |
//! | 128 + capacity | capacity | slot 1 |
//!
//! In a file whose slots do not fit into one block of 4 KiB, the slots begin at 4096.

/// The first read takes this much: all of a small file.
pub(crate) const BLOCK: usize = 4096;
/// Where the sequence of the record stands that is known to be on the disk.
pub(crate) const MARK_AT: u64 = 16;
/// The sequence of the first record of a file.
pub(crate) const FIRST: u64 = 1;

const MAGIC: [u8; 4] = *b"SSNF";
const FORMAT: u16 = 1;
const CELLS_AT: [usize; 2] = [32, 64];
const CELL_BYTES: usize = 28;
const SLOTS_AT: usize = 128;
pub(crate) const SLOT_HEAD: usize = 16;
const SMALL: usize = (BLOCK - SLOTS_AT) / 2;

/// How large the slots of a file are, and with that, where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Geometry {
    capacity: usize,
}

impl Geometry {
    /// Slots for a record of `len` bytes: within one block if it fits, else with a quarter of room
    /// to grow.
    pub(crate) fn for_record(len: usize) -> Self {
        let need = SLOT_HEAD + len;
        if need <= SMALL {
            return Self { capacity: SMALL };
        }
        Self { capacity: (need + need / 4).next_multiple_of(BLOCK) }
    }

    fn read(bytes: [u8; 4]) -> Option<Self> {
        let capacity = usize::try_from(u32::from_le_bytes(bytes)).ok()?;
        let largest = Self::for_record(session_core::Record::MAX_BYTES).capacity;
        let valid = capacity == SMALL || capacity.is_multiple_of(BLOCK);
        (valid && (SMALL..=largest).contains(&capacity)).then_some(Self { capacity })
    }

    /// The length of the longest file there is.
    pub(crate) fn longest_file() -> usize {
        Self::for_record(session_core::Record::MAX_BYTES).file_len()
    }

    /// Whether a record of `len` bytes fits into a slot.
    pub(crate) fn holds(self, len: usize) -> bool {
        SLOT_HEAD + len <= self.capacity
    }

    /// The length of a file whose slots are both full.
    pub(crate) fn file_len(self) -> usize {
        self.offset(Side::One) + self.capacity
    }

    fn offset(self, side: Side) -> usize {
        let first = if self.capacity == SMALL { SLOTS_AT } else { BLOCK };
        match side {
            Side::Zero => first,
            Side::One => first + self.capacity,
        }
    }
}

/// One of two slots, or of two cells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Zero,
    One,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Zero => Self::One,
            Self::One => Self::Zero,
        }
    }

    fn pick<T: Copy>(self, of: [T; 2]) -> T {
        match self {
            Self::Zero => of[0],
            Self::One => of[1],
        }
    }
}

/// What the bytes of a file are.
#[derive(Debug)]
pub(crate) enum Parsed<'a> {
    /// Nothing, or zeros: a creation that never got as far as its first byte.
    Blank,
    /// Not written by this crate.
    Foreign,
    /// Written by a later release.
    Future,
    /// Ours, but no slot is whole.
    Damaged,
    /// Ours; the slots lie beyond the bytes that were read, and this many are wanted.
    Larger(usize),
    /// Ours, with a record.
    Whole(View<'a>),
}

/// The current state of a whole file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) geometry: Geometry,
    /// The record as it was put.
    pub(crate) record: &'a [u8],
    /// The deadline of the last touch since, in milliseconds.
    pub(crate) touched: Option<u64>,
    /// Whether it is known to be on the disk.
    pub(crate) synced: bool,
    /// Whether a slot or a cell is half-written: by a writer that died, or by one that is at it
    /// while this was read.
    pub(crate) doubtful: bool,
    side: Side,
    sequence: u64,
    cell: Cell,
}

/// What identifies a state: two looks with the same stamp saw the same state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stamp(u64, u64);

/// A piece of a file to write.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) at: u64,
    pub(crate) bytes: Vec<u8>,
}

impl View<'_> {
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp(self.sequence, self.cell.sequence)
    }

    /// Whether there is a number for the next record: a file that was tampered with may have used
    /// them up.
    pub(crate) fn counts_on(&self) -> bool {
        counts(self.sequence.max(self.cell.of) + 1)
    }

    /// Makes `record` the current one, with this sequence. It must fit, and [be
    /// counted](Self::counts_on).
    pub(crate) fn put(&self, record: &[&[u8]]) -> (Piece, u64) {
        // Beyond whatever a cell speaks of: a put that was lost may have left one behind, which must
        // not count for this one.
        let sequence = self.sequence.max(self.cell.of) + 1;
        let mut bytes = Vec::new();
        push_slot(&mut bytes, sequence, record);
        (Piece { at: self.geometry.offset(self.side.other()) as u64, bytes }, sequence)
    }

    /// Makes `deadline` the one of the current record.
    pub(crate) fn touch(&self, deadline: u64) -> Piece {
        let mut bytes = Vec::with_capacity(CELL_BYTES);
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&(self.cell.sequence + 1).to_le_bytes());
        bytes.extend_from_slice(&deadline.to_le_bytes());
        let sum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        Piece { at: self.cell.side.other().pick(CELLS_AT) as u64, bytes }
    }
}

/// The first bytes of a new file that holds `record`.
pub(crate) fn create(geometry: Geometry, record: &[&[u8]]) -> Piece {
    let slot = geometry.offset(Side::Zero);
    let len: usize = record.iter().map(|part| part.len()).sum();
    let mut bytes = Vec::with_capacity(slot + SLOT_HEAD + len);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    bytes.extend_from_slice(&u32::try_from(geometry.capacity).unwrap_or(u32::MAX).to_le_bytes());
    let sum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes.resize(slot, 0);
    push_slot(&mut bytes, FIRST, record);
    Piece { at: 0, bytes }
}

/// Tells what a file is by its first [`BLOCK`] bytes, or all of them if it has fewer.
pub(crate) fn parse_block(bytes: &[u8]) -> Parsed<'_> {
    match header(bytes) {
        Ok(geometry) if geometry.capacity != SMALL => Parsed::Larger(geometry.file_len()),
        Ok(geometry) => parse_slots(bytes, geometry),
        Err(parsed) => parsed,
    }
}

/// Tells what a file is by as many bytes as [`Parsed::Larger`] asked for, or all of them if it has
/// fewer.
pub(crate) fn parse_file(bytes: &[u8]) -> Parsed<'_> {
    match header(bytes) {
        Ok(geometry) => parse_slots(bytes, geometry),
        Err(parsed) => parsed,
    }
}

fn header(bytes: &[u8]) -> Result<Geometry, Parsed<'static>> {
    if !bytes.starts_with(&MAGIC) {
        return Err(match bytes {
            _ if bytes.iter().all(|byte| *byte == 0) => Parsed::Blank,
            _ if MAGIC.starts_with(bytes) => Parsed::Damaged,
            _ => Parsed::Foreign,
        });
    }
    match field(bytes, 4).map(u16::from_le_bytes) {
        None | Some(0) => return Err(Parsed::Damaged),
        Some(FORMAT) => {}
        Some(_) => return Err(Parsed::Future),
    }
    let sound = field(bytes, 12).map(u32::from_le_bytes) == bytes.get(..12).map(crc32fast::hash);
    field(bytes, 8).and_then(Geometry::read).filter(|_| sound).ok_or(Parsed::Damaged)
}

fn parse_slots(bytes: &[u8], geometry: Geometry) -> Parsed<'_> {
    let slots = [slot(bytes, geometry, Side::Zero), slot(bytes, geometry, Side::One)];
    let (side, sequence, record) = match slots {
        [Slot::Whole(a, _), Slot::Whole(b, record)] if b > a => (Side::One, b, record),
        [Slot::Whole(a, record), _] => (Side::Zero, a, record),
        [_, Slot::Whole(b, record)] => (Side::One, b, record),
        _ => return Parsed::Damaged,
    };
    let (cell, torn) = Cell::current(bytes, sequence);
    Parsed::Whole(View {
        geometry,
        record,
        touched: cell.deadline,
        synced: field(bytes, 16).map(u64::from_le_bytes) == Some(sequence),
        doubtful: torn || slots.iter().any(|slot| matches!(slot, Slot::Torn)),
        side,
        sequence,
        cell,
    })
}

#[derive(Clone, Copy)]
enum Slot<'a> {
    Unused,
    Torn,
    Whole(u64, &'a [u8]),
}

fn slot(bytes: &[u8], geometry: Geometry, side: Side) -> Slot<'_> {
    let at = geometry.offset(side);
    let bytes = bytes.get(at..).unwrap_or_default();
    let bytes = bytes.get(..geometry.capacity).unwrap_or(bytes);
    let Some(head) = bytes.first_chunk::<SLOT_HEAD>() else {
        return if bytes.iter().all(|byte| *byte == 0) { Slot::Unused } else { Slot::Torn };
    };
    if *head == [0; SLOT_HEAD] {
        return Slot::Unused;
    }
    whole(bytes).map_or(Slot::Torn, |(sequence, record)| Slot::Whole(sequence, record))
}

fn whole(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let sequence = u64::from_le_bytes(field(bytes, 0)?);
    let len = usize::try_from(u32::from_le_bytes(field(bytes, 8)?)).ok()?;
    let sum = u32::from_le_bytes(field(bytes, 12)?);
    let record = bytes.get(SLOT_HEAD..)?.get(..len)?;
    let sound = counts(sequence) && sum == slot_sum(&bytes[..12], &[record]);
    sound.then_some((sequence, record))
}

fn push_slot(bytes: &mut Vec<u8>, sequence: u64, record: &[&[u8]]) {
    let len: usize = record.iter().map(|part| part.len()).sum();
    bytes.reserve(SLOT_HEAD + len);
    let start = bytes.len();
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
    let sum = slot_sum(&bytes[start..], record);
    bytes.extend_from_slice(&sum.to_le_bytes());
    for part in record {
        bytes.extend_from_slice(part);
    }
}

fn slot_sum(head: &[u8], record: &[&[u8]]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(head);
    for part in record {
        sum.update(part);
    }
    sum.finalize()
}

/// What touches say of the slot that is current.
#[derive(Clone, Copy, Debug)]
struct Cell {
    /// Where the newest cell stands, whichever slot it speaks of.
    side: Side,
    sequence: u64,
    /// The slot it speaks of, by its sequence.
    of: u64,
    deadline: Option<u64>,
}

impl Cell {
    /// The newest cell, and whether one of them is torn.
    fn current(bytes: &[u8], slot: u64) -> (Self, bool) {
        let mut newest = Self { side: Side::One, sequence: 0, of: 0, deadline: None };
        let mut torn = false;
        for side in [Side::Zero, Side::One] {
            let at = side.pick(CELLS_AT);
            let Some(cell) = field::<CELL_BYTES>(bytes, at).filter(|cell| *cell != [0; CELL_BYTES])
            else {
                continue;
            };
            match Self::read(&cell) {
                None => torn = true,
                Some((of, sequence, deadline)) if sequence > newest.sequence => {
                    let deadline = (of == slot).then_some(deadline);
                    newest = Self { side, sequence, of, deadline };
                }
                Some(_) => {}
            }
        }
        (newest, torn)
    }

    fn read(cell: &[u8; CELL_BYTES]) -> Option<(u64, u64, u64)> {
        let sum = u32::from_le_bytes(field(cell, 24)?);
        let part = |at| Some(u64::from_le_bytes(field(cell, at)?));
        let (of, sequence, deadline) = (part(0)?, part(8)?, part(16)?);
        let sound = counts(of) && counts(sequence) && sum == crc32fast::hash(&cell[..24]);
        sound.then_some((of, sequence, deadline))
    }
}

/// Whether a sequence is one that counting by one leads to, and on from.
fn counts(sequence: u64) -> bool {
    sequence != 0 && sequence != u64::MAX
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current(bytes: &[u8]) -> Option<(Vec<u8>, Option<u64>, Stamp)> {
        match parse_file(bytes) {
            Parsed::Whole(view) => Some((view.record.to_vec(), view.touched, view.stamp())),
            _ => None,
        }
    }

    fn apply(file: &mut Vec<u8>, at: u64, bytes: &[u8]) {
        let at = usize::try_from(at).unwrap();
        file.resize(file.len().max(at + bytes.len()), 0);
        file[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// A file, and what a put and a touch of its current state would write.
    fn written(file: &[u8], record: &[u8]) -> [Piece; 2] {
        let Parsed::Whole(view) = parse_file(file) else { panic!("a whole file") };
        [view.put(&[record]).0, view.touch(77)]
    }

    #[test]
    fn after_every_byte_count_of_every_write_the_old_or_the_new_state_is_current() {
        for len in [1, 300, 3_000] {
            let mut file = create(Geometry::for_record(len), &[&vec![1; len]]).bytes;
            for round in 2..7_u8 {
                let before = current(&file).unwrap();
                let [put, touch] = written(&file, &vec![round; len]);
                for piece in [&put, &touch] {
                    let mut after = file.clone();
                    apply(&mut after, piece.at, &piece.bytes);
                    let after = current(&after).unwrap();
                    assert_ne!(after, before);
                    for count in 0..=piece.bytes.len() {
                        let mut short = file.clone();
                        apply(&mut short, piece.at, &piece.bytes[..count]);
                        let found = current(&short).unwrap();
                        assert!(found == before || found == after, "{count} of {len}");
                        assert!(count < piece.bytes.len() || found == after);
                    }
                }
                apply(&mut file, touch.at, &touch.bytes);
                assert_eq!(current(&file).unwrap().1, Some(77));
                apply(&mut file, put.at, &put.bytes);
                assert_eq!(current(&file).unwrap().1, None, "a touch ends with its version");
            }
        }
    }

    #[test]
    fn a_touch_of_a_put_that_was_lost_says_nothing_of_the_next_one() {
        for len in [300, 3_000] {
            let mut file = create(Geometry::for_record(len), &[&vec![1; len]]).bytes;
            let [lost, _] = written(&file, &vec![2; len]);
            let mut torn = file.clone();
            apply(&mut torn, lost.at, &lost.bytes);
            let [_, touch] = written(&torn, &[]);
            // The cell reached the disk, and the slot it speaks of did not.
            apply(&mut file, touch.at, &touch.bytes);
            assert_eq!(current(&file).unwrap().1, None);
            let [next, _] = written(&file, &vec![3; len]);
            apply(&mut file, next.at, &next.bytes);
            let (record, touched, _) = current(&file).unwrap();
            assert_eq!((record, touched), (vec![3; len], None));
        }
    }

    #[test]
    fn numbers_that_nobody_counted_up_to_are_not_counted_on() {
        let new = |sequence| {
            let mut file = create(Geometry::for_record(300), &[&[1; 300]]).bytes;
            file.truncate(SLOTS_AT);
            push_slot(&mut file, sequence, &[&[1; 300]]);
            file
        };
        let counts_on = |sequence| match parse_file(&new(sequence)) {
            Parsed::Whole(view) => Some(view.counts_on()),
            _ => None,
        };
        assert_eq!(counts_on(1), Some(true));
        assert_eq!(counts_on(u64::MAX - 1), Some(false));
        assert_eq!(counts_on(u64::MAX), None);
    }

    #[test]
    fn no_beginning_of_a_new_file_holds_a_record() {
        for len in [1, 300, 3_000] {
            let whole = create(Geometry::for_record(len), &[&vec![1; len]]).bytes;
            assert!(current(&whole).is_some());
            for count in 0..whole.len() {
                assert!(current(&whole[..count]).is_none(), "{count} of {len}");
            }
        }
    }

    #[test]
    fn slots_lie_apart_and_hold_what_they_were_made_for() {
        for len in [0, 1, 1_967, 1_968, 1_969, 4_096, 65_536, session_core::Record::MAX_BYTES] {
            let geometry = Geometry::for_record(len);
            assert!(geometry.holds(len));
            assert!(geometry.offset(Side::Zero) >= SLOTS_AT);
            assert_eq!(geometry.offset(Side::One), geometry.offset(Side::Zero) + geometry.capacity);
            assert_eq!(geometry.file_len() <= BLOCK, len <= 1_968, "one block for {len}");
        }
    }
}
