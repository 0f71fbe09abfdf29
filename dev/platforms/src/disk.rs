//! A disk that refuses writes: a loop device on a file of a program (FUSE).

use std::{
    ffi::OsStr,
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use fuser::{
    FileAttr, FileType, Filesystem, MountOption, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry,
    ReplyOpen, ReplyWrite, Request,
};
use rustix::fs::{Advice, fadvise};
use session_core::{Expect, Outcome, Record, Removal, SessionId, SessionManager, Version};
use session_fs::{Durability, FileBackedSessionManager};

use crate::{
    Done, Scenario,
    mounts::{EXT4, Mounted},
    records,
    visit::{block_on, expect, made, open, shell, stored, version},
};

const ROOT: u64 = 1;
const IMAGE: u64 = 2;
const BLOCK: usize = 4_096;
const IO_ERROR: i32 = 5;

/// What the disk refuses.
#[derive(Default)]
struct Switch {
    /// Blocks of sessions' files.
    sessions: AtomicBool,
    /// Every block.
    all: AtomicBool,
    refused: AtomicU64,
}

/// One file, `image`, whose writes are refused on demand.
struct Disk {
    backing: File,
    len: u64,
    switch: Arc<Switch>,
}

impl Disk {
    fn attr(&self, ino: u64) -> FileAttr {
        let (kind, perm, size) = match ino {
            ROOT => (FileType::Directory, 0o755, 0),
            _ => (FileType::RegularFile, 0o600, self.len),
        };
        let time = SystemTime::UNIX_EPOCH;
        FileAttr {
            ino,
            size,
            blocks: size / 512,
            atime: time,
            mtime: time,
            ctime: time,
            crtime: time,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4_096,
            flags: 0,
        }
    }

    fn refuses(&self, data: &[u8]) -> bool {
        let of_a_session = || data.chunks(BLOCK).any(|block| block.starts_with(b"SSNF"));
        self.switch.all.load(Ordering::SeqCst)
            || self.switch.sessions.load(Ordering::SeqCst) && of_a_session()
    }
}

impl Filesystem for Disk {
    fn lookup(&mut self, _: &Request<'_>, _: u64, name: &OsStr, reply: ReplyEntry) {
        if name == "image" {
            reply.entry(&Duration::from_secs(60), &self.attr(IMAGE), 0);
        } else {
            reply.error(2);
        }
    }

    fn getattr(&mut self, _: &Request<'_>, ino: u64, _: Option<u64>, reply: ReplyAttr) {
        reply.attr(&Duration::from_secs(60), &self.attr(ino));
    }

    fn open(&mut self, _: &Request<'_>, _: u64, _: i32, reply: ReplyOpen) {
        // Past the cache of pages, so that each write is seen as it is made.
        reply.opened(0, 1);
    }

    fn read(
        &mut self,
        _: &Request<'_>,
        _: u64,
        _: u64,
        offset: i64,
        size: u32,
        _: i32,
        _: Option<u64>,
        reply: ReplyData,
    ) {
        let mut buffer = vec![0; size as usize];
        match self.backing.read_at(&mut buffer, offset.unsigned_abs()) {
            Ok(read) => reply.data(&buffer[..read]),
            Err(_) => reply.error(IO_ERROR),
        }
    }

    fn write(
        &mut self,
        _: &Request<'_>,
        _: u64,
        _: u64,
        offset: i64,
        data: &[u8],
        _: u32,
        _: i32,
        _: Option<u64>,
        reply: ReplyWrite,
    ) {
        if self.refuses(data) {
            self.switch.refused.fetch_add(1, Ordering::SeqCst);
            return reply.error(IO_ERROR);
        }
        match self.backing.write_all_at(data, offset.unsigned_abs()) {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or_default()),
            Err(_) => reply.error(IO_ERROR),
        }
    }

    fn fsync(&mut self, _: &Request<'_>, _: u64, _: u64, _: bool, reply: ReplyEmpty) {
        reply.ok();
    }
}

/// A file system on such a disk.
struct Failing {
    mounted: Option<Mounted>,
    switch: Arc<Switch>,
    _session: fuser::BackgroundSession,
    image: std::path::PathBuf,
}

impl Failing {
    fn new(folder: &Path) -> Done<Self> {
        let (backing, at) = (folder.join("backing"), folder.join("disk"));
        for path in [&at, &folder.join("mnt")] {
            std::fs::create_dir_all(path)?;
        }
        let len = 64 << 20;
        let file = File::options().read(true).write(true).create_new(true).open(&backing)?;
        file.set_len(len)?;
        let switch = Arc::new(Switch::default());
        let disk = Disk { backing: file, len, switch: Arc::clone(&switch) };
        let options = [MountOption::FSName("refusing".to_owned())];
        let session = fuser::spawn_mount2(disk, &at, &options)?;
        let image = at.join("image");
        shell(&format!("{EXT4} {}", backing.display()))?;
        let mounted = Some(Mounted::mount(&image, folder.join("mnt"))?);
        Ok(Self { mounted, switch, _session: session, image })
    }

    fn folder(&self) -> Done<std::path::PathBuf> {
        Ok(self.mounted.as_ref().ok_or("not mounted")?.0.join("sessions"))
    }

    /// As after a failure of the whole disk: what was not written is lost.
    fn mount_again(&mut self) -> Done {
        let at = self.mounted.take().ok_or("not mounted")?.0.clone();
        // The old one is unmounted by now; its journal was left as it was.
        shell(&format!("e2fsck -fp {} || [ $? -le 1 ]", self.image.display()))?;
        self.mounted = Some(Mounted::mount(&self.image, at)?);
        Ok(())
    }

    /// Lets the system forget what it has of a session's file in memory and has not to write.
    fn drop_pages(&self, id: &SessionId) -> Done {
        let mut text = [0; SessionId::TEXT_BYTES];
        let name = id.encode(&mut text);
        let path = self.folder()?.join("records").join(&name[..3]).join(name);
        if let Ok(file) = File::open(path) {
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Change {
    Create,
    Put,
    /// A put whose record is the one of another token.
    Renew,
    Growth,
    Remove,
}

const CHANGES: [Change; 5] =
    [Change::Create, Change::Put, Change::Renew, Change::Growth, Change::Remove];

/// What the caller was told: the version that is live, or none.
type Known = Option<Version>;

/// Makes a change of a session of version 2; what is known afterwards, if it was answered.
fn make(manager: &FileBackedSessionManager, id: SessionId, change: Change) -> Done<Option<Known>> {
    let put = |record: &Arc<Record>, expect| -> Done<Option<Known>> {
        match block_on(manager.put(record, expect)) {
            Ok(Outcome::Stored) => Ok(Some(Some(record.version()))),
            // A put of before may have taken place after all.
            Ok(_) => Ok(version(manager, &id).ok()),
            Err(_) => Ok(None),
        }
    };
    let over = Expect::Version(Version::new(2));
    match change {
        Change::Create => put(&made(id, 1, None, 200), Expect::Absent),
        Change::Put => put(&made(id, 3, None, 200), over),
        Change::Renew => put(&made(id, 3, None, 350), over),
        Change::Growth => put(&made(id, 3, None, 20_000), over),
        Change::Remove => Ok(match block_on(manager.remove(&id, None)) {
            Ok(Removal::Removed | Removal::Gone) => Some(None),
            _ => None,
        }),
    }
}

fn prepared(manager: &FileBackedSessionManager, change: Change) -> Done<SessionId> {
    let id = records::new_id();
    if change != Change::Create {
        stored(block_on(manager.put(&made(id, 1, None, 200), Expect::Absent)))?;
        let over = Expect::Version(Version::FIRST);
        stored(block_on(manager.put(&made(id, 2, None, 200), over)))?;
    }
    Ok(id)
}

pub(crate) const DISK: &[Scenario] = &[
    ("a sync that is refused loses nothing that is answered afterwards", |folder| {
        let failing = Failing::new(folder)?;
        let manager = open(&failing.folder()?, Durability::Synced)?;
        for change in CHANGES {
            for asks_again in [false, true] {
                let id = prepared(&manager, change)?;
                failing.switch.sessions.store(true, Ordering::SeqCst);
                let first = make(&manager, id, change)?;
                failing.switch.sessions.store(false, Ordering::SeqCst);
                let unanswered = first.is_none() || change == Change::Remove;
                expect(unanswered, &format!("{change:?} was answered by a disk that refuses"))?;
                let known = if asks_again {
                    make(&manager, id, change)?
                } else {
                    Some(version(&manager, &id)?)
                };
                let known = known.ok_or("it was not answered by a disk that is well")?;
                failing.drop_pages(&id)?;
                let found = version(&manager, &id)?;
                let told = format!("{change:?}, again {asks_again}: {found:?}, not {known:?}");
                expect(found == known, &told)?;
            }
        }
        expect(failing.switch.refused.load(Ordering::SeqCst) > 4, "the disk refused something")
    }),
    (
        "a disk that fails altogether, and is checked and mounted again, has all that was answered",
        |folder| {
            let mut failing = Failing::new(folder)?;
            for change in CHANGES {
                let manager = open(&failing.folder()?, Durability::Synced)?;
                let id = prepared(&manager, change)?;
                let kept = prepared(&manager, Change::Put)?;
                failing.switch.all.store(true, Ordering::SeqCst);
                let first = make(&manager, id, change)?;
                let second = make(&manager, id, change)?;
                drop(manager);
                failing.switch.all.store(false, Ordering::SeqCst);
                failing.mount_again()?;
                let manager = open(&failing.folder()?, Durability::Synced)?;
                let found = version(&manager, &id)?;
                for known in [first, second].into_iter().flatten() {
                    expect(found == known, &format!("{change:?}: {found:?}, not {known:?}"))?;
                }
                expect(
                    version(&manager, &kept)? == Some(Version::new(2)),
                    "another was untouched",
                )?;
                stored(block_on(
                    manager.put(&made(kept, 3, None, 200), Expect::Version(Version::new(2))),
                ))?;
            }
            expect(failing.switch.refused.load(Ordering::SeqCst) > 4, "the disk refused something")
        },
    ),
];
