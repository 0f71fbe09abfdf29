//! Reading one session's file, beside writers.

use std::os::fd::{AsFd, BorrowedFd};

use bytes::Bytes;
use session_core::{ErrorKind, Record, SessionId, Timestamp};

use super::Store;
use crate::{
    Durability,
    error::{Cause, During, Try, TryError, foreign, future},
    folder::Folder,
    names::Name,
    slots::{self, BLOCK, Geometry, Parsed, View},
    syscalls::{Errno, Open, Stat, Syscalls, WaitMode},
};

/// How often a file that looks torn is read again before its lock is asked for.
const LOOKS: usize = 4;

/// The longest file that is read where a verb is polled: copying and checking one takes as long as
/// a few hops.
const INLINE: usize = 256 * 1024;

/// Room for the bytes of a file.
pub(super) struct Buffer {
    block: [u8; BLOCK],
    /// Used instead of `block` by files whose slots do not fit into it.
    large: Vec<u8>,
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self { block: [0; BLOCK], large: Vec::new() }
    }
}

/// A record, and the state of its file in which it was read, where that is known.
pub(super) type Found = (Record, Option<Stat>);

impl<C: Syscalls> Store<C> {
    /// The live record of `id`.
    pub(crate) fn get(&self, id: &SessionId, wait: WaitMode) -> Try<Option<Record>> {
        Ok(self.find(id, wait, |_| Ok(None))?.map(|(record, _)| record))
    }

    /// The live record of `id`, and what `look` sees of its file after it was read.
    pub(super) fn find(
        &self,
        id: &SessionId,
        wait: WaitMode,
        look: impl Fn(BorrowedFd<'_>) -> Result<Option<Stat>, Errno>,
    ) -> Try<Option<Found>> {
        const STEP: &str = "opening a session's file";
        let name = Name::record(id);
        let file = match self.folder.open(name.as_str(), Open::Read, wait) {
            Ok(file) => file,
            Err(Errno::NOENT) => {
                self.folder.absent()?;
                return Ok(None);
            }
            Err(errno) => return Err(self.folder.not_opened(&name, Cause { step: STEP, errno })),
        };
        let mut buffer = Buffer::new();
        let mut before = None;
        for _ in 0..LOOKS {
            match read(&self.folder, file.as_fd(), &mut buffer, wait)? {
                Parsed::Blank => return Ok(None),
                Parsed::Foreign => return Err(foreign().into()),
                Parsed::Future => return Err(future().into()),
                // With a torn slot beside it, a whole slot may be one that was replaced while this
                // was read. It was not if it is still there at the second look: a writer goes from
                // one slot to the other in turn.
                Parsed::Whole(view) if !view.doubtful || before == Some(view.stamp()) => {
                    match record(id, &view) {
                        Err(TryError::Damaged) => break,
                        Err(error) => return Err(error),
                        Ok(record) if record.is_expired(self.clock.now()) => return Ok(None),
                        Ok(_) if !self.folder.answers(&view) => break,
                        Ok(record) => {
                            let seen = look(file.as_fd()).during(STEP)?;
                            return Ok(Some((record, seen)));
                        }
                    }
                }
                Parsed::Whole(view) => before = Some(view.stamp()),
                Parsed::Damaged | Parsed::Larger(_) => before = None,
            }
        }
        match wait {
            WaitMode::Inline => Err(TryError::WouldBlock),
            WaitMode::Blocking => Ok(self.judge(id)?.map(|record| (record, None))),
        }
    }

    /// Reads the record under the lock, where nothing can be half-written by someone who is still
    /// at it. What may not be answered to be stored yet is stored.
    fn judge(&self, id: &SessionId) -> Try<Option<Record>> {
        let how = match self.folder.durability() {
            Durability::Buffered => Open::Read,
            Durability::Synced => Open::Write,
        };
        let wait = WaitMode::Blocking;
        let Some(locked) = self.lock(id, how, wait)? else { return Ok(None) };
        let mut buffer = Buffer::new();
        let (record, view) = match locked.held(id, &mut buffer, wait) {
            Ok(Some((record, view))) if !record.is_expired(self.clock.now()) => (record, view),
            Ok(_) => return Ok(None),
            Err(TryError::Damaged) => {
                // A file that cannot be moved is as damaged as one that can.
                if let Err(error) = self.set_aside(id, &locked) {
                    tracing::warn!(%error, "the file of a session is damaged and stays where it is");
                }
                return Err(TryError::Damaged);
            }
            Err(error) => return Err(error),
        };
        if !self.folder.answers(&view) {
            locked.exchange(&record, wait)?;
        }
        Ok(Some(record))
    }
}

/// Reads a file and tells what it is.
pub(super) fn read<'a, C: Syscalls>(
    folder: &Folder<C>,
    file: BorrowedFd<'_>,
    buffer: &'a mut Buffer,
    wait: WaitMode,
) -> Try<Parsed<'a>> {
    const STEP: &str = "reading a session's file";
    let not_read = |errno| match errno {
        // A FIFO, a socket or a folder.
        Errno::SPIPE | Errno::ISDIR | Errno::INVAL | Errno::NXIO => foreign().into(),
        errno => TryError::from(Cause { step: STEP, errno }),
    };
    let len = folder.read(file, &mut buffer.block, wait).map_err(not_read)?;
    if len == BLOCK && buffer.block.iter().all(|byte| *byte == 0) {
        return read_zeros(folder, file, buffer, wait);
    }
    let wanted = match slots::parse_block(&buffer.block[..len]) {
        Parsed::Larger(wanted) => wanted,
        parsed => return Ok(parsed),
    };
    if wait == WaitMode::Inline && wanted > INLINE {
        return Err(TryError::WouldBlock);
    }
    buffer.large.resize(wanted, 0);
    let len = folder.read(file, &mut buffer.large, wait).map_err(not_read)?;
    if wait == WaitMode::Inline {
        // Of a large file the page cache may have a part.
        let stat = folder.stat(file).during(STEP)?;
        if stat.len.min(wanted as u64) > len as u64 {
            return Err(TryError::WouldBlock);
        }
    }
    Ok(slots::parse_file(&buffer.large[..len]))
}

/// Tells what a file is whose first block is zeros. A loss of power may leave the length of a
/// file of ours and none of its blocks, or others than the first.
fn read_zeros<'a, C: Syscalls>(
    folder: &Folder<C>,
    file: BorrowedFd<'_>,
    buffer: &'a mut Buffer,
    wait: WaitMode,
) -> Try<Parsed<'a>> {
    let step = "reading a session's file";
    let len = usize::try_from(folder.stat(file).during(step)?.len).unwrap_or(usize::MAX);
    if len <= BLOCK {
        return Ok(Parsed::Blank);
    }
    if len > Geometry::longest_file() {
        return Ok(Parsed::Foreign);
    }
    if wait == WaitMode::Inline {
        return Err(TryError::WouldBlock);
    }
    buffer.large.resize(len, 0);
    let len = folder.read(file, &mut buffer.large, wait).during(step)?;
    let blank = buffer.large[..len].iter().all(|byte| *byte == 0);
    Ok(if blank { Parsed::Blank } else { Parsed::Damaged })
}

/// The record a file holds, with the deadline of its last touch.
pub(super) fn record(id: &SessionId, view: &View<'_>) -> Try<Record> {
    let mut bytes = view.record.to_vec();
    let deadline = bytes.get_mut(Record::EXPIRES_AT_OFFSET..).and_then(<[u8]>::first_chunk_mut);
    if let (Some(deadline), Some(touched)) = (deadline, view.touched) {
        *deadline = Timestamp::from_millis(touched).as_millis().to_le_bytes();
    }
    Record::from_bytes(id, Bytes::from(bytes)).map_err(|error| match error.kind() {
        ErrorKind::Unsupported => future().into(),
        _ => TryError::Damaged,
    })
}
