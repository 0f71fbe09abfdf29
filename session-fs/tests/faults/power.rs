//! A loss of power: what was written since the last sync may be on the disk or not, each sector for
//! itself and in any order.
//!
//! The calls of a run are written down. For every moment of it, disks are made that the file system
//! could have left behind: all that was synced, and of the rest whatever a generator chooses, by
//! sectors of 512 bytes for data and by names for folders. On each of them a store is opened and
//! read.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
    sync::Arc,
};

use session_core::{
    Clock, ErrorKind, Expect, ManualClock, Outcome, Record, Removal, SessionId, Version,
};
use tempfile::TempDir;

use super::{
    ALICE, bytes,
    records::{new_id, tagged},
    shim::{Effect, Fate, Made, Shim},
};
use crate::{
    Durability, FsConfig, error::TryError, native::NativeSyscalls, store::Store, syscalls::WaitMode,
};

type Inode = (u64, u64);

const SECTOR: usize = 512;
/// Disks made for each moment, beside the one with nothing and the one with all that was not
/// synced.
const DISKS: u64 = 12;

/// A disk, and what is on its way there.
#[derive(Clone, Default)]
pub(super) struct Disk {
    files: HashMap<Inode, Vec<u8>>,
    folders: HashMap<Inode, BTreeMap<String, Inode>>,
    data: Vec<(Inode, usize, Vec<u8>)>,
    names: Vec<Effect>,
}

impl Disk {
    pub(super) fn make_all(&mut self, made: &[Made]) {
        for made in made {
            self.make(&made.effect);
        }
    }

    pub(super) fn make(&mut self, effect: &Effect) {
        match effect {
            Effect::None => {}
            Effect::Write { file, at, bytes } => {
                // Each sector goes its own way.
                let mut start = 0;
                while start < bytes.len() {
                    let room = SECTOR - (at + start) % SECTOR;
                    let end = bytes.len().min(start + room);
                    self.data.push((*file, at + start, bytes[start..end].to_vec()));
                    start = end;
                }
            }
            Effect::SyncData { file } => {
                let (now, later) =
                    std::mem::take(&mut self.data).into_iter().partition(|(of, ..)| of == file);
                self.data = later;
                self.write(now);
            }
            Effect::SyncRefused { file } => self.data.retain(|(of, ..)| of != file),
            Effect::SyncFolder { folder } => {
                let (now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.names)
                    .into_iter()
                    .partition(|effect| touches(effect, *folder));
                self.names = later;
                for effect in &now {
                    self.name(effect);
                }
            }
            effect => {
                if let Effect::Link { to, is_folder: true, .. } = effect {
                    self.folders.entry(*to).or_default();
                }
                self.names.push(effect.clone());
            }
        }
    }

    fn write(&mut self, pieces: Vec<(Inode, usize, Vec<u8>)>) {
        for (file, at, bytes) in pieces {
            let content = self.files.entry(file).or_default();
            content.resize(content.len().max(at + bytes.len()), 0);
            content[at..at + bytes.len()].copy_from_slice(&bytes);
        }
    }

    fn name(&mut self, effect: &Effect) {
        match effect {
            Effect::Link { folder, name, to, .. } => {
                self.folders.entry(*folder).or_default().insert(name.clone(), *to);
            }
            Effect::Unlink { folder, name } => {
                self.folders.entry(*folder).or_default().remove(name);
            }
            Effect::Rename { folder, from, to_folder, to } => {
                if let Some(inode) = self.folders.entry(*folder).or_default().remove(from) {
                    self.folders.entry(*to_folder).or_default().insert(to.clone(), inode);
                }
            }
            _ => {}
        }
    }

    /// The disk after the power was lost: of what was on its way, the part that `keep` chooses
    /// arrived.
    pub(super) fn lose_power(&self, mut keep: impl FnMut() -> bool) -> Self {
        let mut disk = self.clone();
        let data = std::mem::take(&mut disk.data).into_iter().filter(|_| keep()).collect();
        disk.write(data);
        for effect in std::mem::take(&mut disk.names) {
            if keep() {
                disk.name(&effect);
            }
        }
        disk
    }

    /// Writes the disk out, from the folder `inode` on.
    fn restore(&self, inode: Inode, to: &Path) {
        for (name, inode) in self.folders.get(&inode).into_iter().flatten() {
            let path = to.join(name);
            if let Some(names) = self.folders.get(inode) {
                // Of thousands of folders, those with something in them.
                if !names.is_empty() || name == "sessions" {
                    fs::create_dir_all(&path).expect("a folder");
                    self.restore(*inode, &path);
                }
            } else {
                let content = self.files.get(inode).map_or(&[][..], Vec::as_slice);
                fs::write(&path, content).expect("a file");
            }
        }
    }
}

fn touches(effect: &Effect, of: Inode) -> bool {
    match effect {
        Effect::Link { folder, .. } | Effect::Unlink { folder, .. } => *folder == of,
        Effect::Rename { folder, to_folder, .. } => *folder == of || *to_folder == of,
        _ => false,
    }
}

/// A store whose calls are written down from its opening on, in a folder that it makes itself.
pub(super) struct Recorded {
    pub(super) shim: Shim,
    pub(super) store: Store<Shim>,
    pub(super) clock: Arc<ManualClock>,
    path: std::path::PathBuf,
    _parent: TempDir,
}

impl Recorded {
    pub(super) fn new(durability: Durability) -> Self {
        let parent = super::folder();
        let path = parent.path().join("sessions");
        let clock = Arc::new(ManualClock::default());
        let config = FsConfig::new(&path).clock(clock.clone()).durability(durability);
        let shim = Shim::default();
        shim.begin(Fate::Whole);
        let store = Store::open(&config, shim.clone()).expect("a store");
        Self { shim, store, clock, path, _parent: parent }
    }

    /// The parent of the folder.
    fn root(&self) -> Inode {
        inode(self.path.parent().expect("a parent"))
    }

    /// A disk on which the parent of the folder is, and the folder's own name is on its way.
    pub(super) fn disk(&self) -> Disk {
        let mut disk = Disk::default();
        disk.folders.entry(self.root()).or_default();
        let name = "sessions".to_owned();
        let to = inode(&self.path);
        disk.make(&Effect::Link { folder: self.root(), name, to, is_folder: true });
        disk
    }
}

/// One acknowledged change: after so many calls the session was answered to be so.
struct Acknowledged {
    calls: usize,
    state: Option<Arc<Record>>,
}

/// Runs the life of a session on a bench and writes it down.
fn live(recorded: &Recorded, id: SessionId) -> (Vec<Made>, Vec<Acknowledged>) {
    let Recorded { store, shim, .. } = recorded;
    let later = recorded.clock.now().saturating_add(std::time::Duration::from_secs(600));
    let mut acknowledged = Vec::new();
    // Large records among small ones, so that the file grows; and a principal that comes and goes.
    for (version, len, tag) in [
        (1, 40, None),
        (2, 60, None),
        (3, 50, Some(ALICE)),
        (4, 2_500, Some(ALICE)),
        (5, 2_600, None),
        (6, 9_000, Some(ALICE)),
        (7, 100, Some(ALICE)),
    ] {
        let record =
            tagged(id, version, later, tag, &vec![u8::try_from(version).unwrap_or(0); len]);
        let expect = match version {
            1 => Expect::Absent,
            version => Expect::Version(Version::new(version - 1)),
        };
        let put = store.put(&record, expect, WaitMode::Blocking).map_err(TryError::into_error);
        assert_eq!(put.expect("put"), Outcome::Stored);
        acknowledged.push(Acknowledged { calls: shim.made().len(), state: Some(record) });
    }
    store.remove(&id, None).expect("remove");
    acknowledged.push(Acknowledged { calls: shim.made().len(), state: None });
    (shim.end(), acknowledged)
}

fn inode(path: &Path) -> Inode {
    use std::os::unix::fs::MetadataExt;

    let metadata = fs::metadata(path).expect("there");
    (metadata.dev(), metadata.ino())
}

/// What the disks of one moment may show: from the last change that was acknowledged to the one
/// that was under way.
fn allowed(acknowledged: &[Acknowledged], calls: usize) -> Vec<Option<Vec<u8>>> {
    let done = acknowledged.iter().filter(|change| change.calls <= calls).count();
    let mut states: Vec<_> = acknowledged
        .iter()
        .skip(done.saturating_sub(1))
        .take(if done == 0 { 1 } else { 2 })
        .map(|change| change.state.as_deref().map(bytes))
        .collect();
    if done == 0 {
        states.push(None);
    }
    states
}

/// Opens a store on what is left and looks for the session.
pub(super) fn look(
    recorded: &Recorded,
    disk: &Disk,
    id: &SessionId,
) -> Result<Option<Vec<u8>>, ErrorKind> {
    let left = super::folder();
    disk.restore(recorded.root(), left.path());
    let config = FsConfig::new(left.path().join("sessions")).clock(recorded.clock.clone());
    let store =
        Store::open(&config, NativeSyscalls::NATIVE).expect("a store opens on what is left");
    let found = store.get(id, WaitMode::Blocking).map_err(|stop| stop.into_error().kind())?;
    if let Some(tag) = found.as_ref().and_then(Record::principal_tag) {
        let listed = store.by_principal(&tag, None, usize::MAX).expect("a listing").ids;
        // A session that its principal's listing misses is as good as lost to whoever revokes.
        if !listed.contains(id) {
            return Err(ErrorKind::Gone);
        }
    }
    Ok(found.map(|record| bytes(&record)))
}

/// What every disk of every moment shows, against what was acknowledged; how many disks broke the
/// promise.
fn lost(durability: Durability) -> (u64, u64) {
    let recorded = Recorded::new(durability);
    let id = new_id();
    let mut disk = recorded.disk();
    let (made, acknowledged) = live(&recorded, id);
    let mut random = 1_u64;
    let (mut disks, mut broken) = (0, 0);
    for calls in 0..=made.len() {
        if calls > 0 {
            let effect = &made[calls - 1].effect;
            disk.make(effect);
            // That a folder for sessions to come is there makes no difference.
            let is_shard =
                matches!(effect, Effect::Link { name, is_folder: true, .. } if name.len() == 3);
            if *effect == Effect::None || is_shard {
                continue;
            }
        }
        let allowed = allowed(&acknowledged, calls);
        for choice in 0..DISKS + 2 {
            let left = disk.lose_power(|| match choice {
                0 => false,
                1 => true,
                _ => {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    random.is_multiple_of(2)
                }
            });
            disks += 1;
            let kept = match look(&recorded, &left, &id) {
                Ok(found) => allowed.contains(&found),
                // Half of a creation that nobody was told of.
                Err(ErrorKind::Corrupt) => calls < acknowledged[0].calls,
                Err(_) => false,
            };
            broken += u64::from(!kept);
        }
    }
    (disks, broken)
}

#[test]
fn a_loss_of_power_at_any_moment_loses_no_synced_change() {
    let (disks, broken) = lost(Durability::Synced);
    assert!(disks > 500, "{disks} disks");
    assert_eq!(broken, 0, "of {disks} disks");
}

/// One process dies between removing a file and syncing its folder; another is asked to remove the
/// session too, finds nothing, and says so.
#[test]
fn a_loss_of_power_brings_nothing_back_that_was_answered_to_be_gone() {
    let recorded = Recorded::new(Durability::Synced);
    let Recorded { store, shim, clock, .. } = &recorded;
    let [id, other] = [new_id(), new_id()];
    let later = clock.now().saturating_add(std::time::Duration::from_secs(600));
    for id in [id, other] {
        let record = tagged(id, 1, later, None, b"value");
        let put =
            store.put(&record, Expect::Absent, WaitMode::Blocking).map_err(TryError::into_error);
        assert_eq!(put.expect("put"), Outcome::Stored);
    }
    let mut disk = recorded.disk();
    disk.make_all(&shim.end());
    shim.begin(Fate::Whole);
    assert_eq!(store.remove(&other, None).expect("remove"), Removal::Removed);
    let made = shim.end();
    let sync = made.iter().position(|made| made.name == "sync folder").expect("a sync");
    shim.begin(Fate::Before(sync));
    assert!(store.remove(&id, None).is_err());
    disk.make_all(&shim.end());
    assert!(look(&recorded, &disk.lose_power(|| false), &id).is_ok_and(|found| found.is_some()));
    shim.begin(Fate::Whole);
    assert_eq!(store.remove(&id, None).expect("remove"), Removal::Gone);
    disk.make_all(&shim.end());
    assert_eq!(look(&recorded, &disk.lose_power(|| false), &id), Ok(None));
}

/// The simulation can tell: without syncs it finds what is lost.
#[test]
fn a_loss_of_power_may_lose_a_buffered_change() {
    let (disks, broken) = lost(Durability::Buffered);
    assert!(broken > disks / 10, "{broken} of {disks}");
}
