//! System calls that do as they are told.

use std::{
    fmt,
    ops::ControlFlow,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard},
};

use crate::{
    native::NativeSyscalls,
    syscalls::{Errno, FileSystem, Moment, Open, Stat, Syscalls, WaitMode},
};

/// What becomes of the calls of one piece of work.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Fate {
    /// All take place.
    #[default]
    Whole,
    /// The process dies just before this one.
    Before(usize),
    /// The process dies just after this one.
    After(usize),
    /// The process dies when this one, a write, has written so many bytes.
    Short(usize, usize),
    /// This one fails, and the process goes on.
    Fails(usize, Errno),
    /// Every sync of a folder fails, and the process goes on.
    FolderSyncsFail(Errno),
    /// Every write writes one byte at a time.
    Trickle,
    /// No call answers from memory: an old system, or a cold cache.
    Cold,
    /// Every call answers from memory.
    Warm,
}

/// A call that was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Made {
    pub(super) name: &'static str,
    pub(super) effect: Effect,
}

type Inode = (u64, u64);

/// What a call did to the disk, if it did anything.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Effect {
    None,
    Write {
        file: Inode,
        at: usize,
        bytes: Vec<u8>,
    },
    Link {
        folder: Inode,
        name: String,
        to: Inode,
        is_folder: bool,
    },
    Unlink {
        folder: Inode,
        name: String,
    },
    Rename {
        folder: Inode,
        from: String,
        to_folder: Inode,
        to: String,
    },
    SyncData {
        file: Inode,
    },
    /// The system told of it this once, and takes what was to be written for written from now on.
    SyncRefused {
        file: Inode,
    },
    SyncFolder {
        folder: Inode,
    },
}

type Observer = Box<dyn Fn() + Send>;
type Gate = Arc<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct State {
    fate: Fate,
    dead: bool,
    made: Vec<Made>,
    observer: Option<Observer>,
    gate: Option<Gate>,
    write_gate: Option<Gate>,
    now: Option<Moment>,
    kind: Option<FileSystem>,
    files_left: Option<u64>,
}

#[derive(Clone, Default)]
pub(super) struct Shim(Arc<Mutex<State>>);

impl Shim {
    pub(super) fn begin(&self, fate: Fate) {
        *self.state() = State { fate, ..State::default() };
    }

    /// Calls `observer` before and after each of the calls to come.
    pub(super) fn observe(&self, observer: impl Fn() + Send + 'static) {
        self.state().observer = Some(Box::new(observer));
    }

    /// Lets all that was changed so far be long ago.
    pub(super) fn long_after(&self) {
        self.state().now = Some(Moment { seconds: i64::MAX, nanos: 0 });
    }

    /// Lets folders be on a file system of this kind.
    pub(super) fn on(&self, kind: FileSystem) {
        self.state().kind = Some(kind);
    }

    /// Lets a file system have room for so many files.
    pub(super) fn files_left(&self, count: u64) {
        self.state().files_left = Some(count);
    }

    /// Calls `gate` within each write to come, as a file system that is frozen.
    pub(super) fn slow_writes(&self, gate: impl Fn() + Send + Sync + 'static) {
        self.state().write_gate = Some(Arc::new(gate));
    }

    /// Calls `gate` within each sync of a folder to come, as a disk that takes its time.
    pub(super) fn slow_folder_syncs(&self, gate: impl Fn() + Send + Sync + 'static) {
        self.state().gate = Some(Arc::new(gate));
    }

    /// What was called since the beginning; from here on everything takes place.
    pub(super) fn end(&self) -> Vec<Made> {
        let mut state = self.state();
        state.fate = Fate::Whole;
        state.dead = false;
        state.observer = None;
        state.gate = None;
        std::mem::take(&mut state.made)
    }

    /// What was called so far.
    pub(super) fn made(&self) -> Vec<Made> {
        self.state().made.clone()
    }

    fn warm(&self, wait: WaitMode) -> WaitMode {
        if self.state().fate == Fate::Warm { WaitMode::Blocking } else { wait }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic while locked")
    }

    fn look(&self) {
        let observer = self.state().observer.take();
        if let Some(observer) = observer {
            observer();
            self.state().observer = Some(observer);
        }
    }

    fn call<T>(
        &self,
        name: &'static str,
        run: impl FnOnce() -> Result<(T, Effect), Errno>,
    ) -> Result<T, Errno> {
        self.look();
        let (fate, number) = {
            let state = self.state();
            (state.fate, state.made.len())
        };
        if self.state().dead {
            return Err(Errno::IO);
        }
        let done = match fate {
            Fate::Before(at) if at == number => {
                self.state().dead = true;
                return Err(Errno::IO);
            }
            Fate::Fails(at, errno) if at == number => Err(errno),
            _ => run(),
        };
        let effect = done.as_ref().map_or(Effect::None, |(_, effect)| effect.clone());
        self.state().made.push(Made { name, effect });
        if fate == Fate::After(number) || matches!(fate, Fate::Short(at, _) if at == number) {
            self.state().dead = true;
            return Err(Errno::IO);
        }
        self.look();
        done.map(|(done, _)| done)
    }
}

impl fmt::Debug for Shim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shim(..)")
    }
}

fn quiet<T>(done: Result<T, Errno>) -> Result<(T, Effect), Errno> {
    done.map(|done| (done, Effect::None))
}

fn inode(file: BorrowedFd<'_>) -> Inode {
    NativeSyscalls::NATIVE.stat(file).expect("an opened file").inode
}

/// The folder that the last part of `path` is in, and that part.
fn place(folder: BorrowedFd<'_>, path: &str) -> Option<(Inode, String)> {
    match path.rsplit_once('/') {
        None => Some((inode(folder), path.to_owned())),
        Some((parent, name)) => {
            let stat = NativeSyscalls::NATIVE.stat_name(folder, parent).ok()?;
            Some((stat.inode, name.to_owned()))
        }
    }
}

impl Syscalls for Shim {
    fn now(&self) -> Option<Moment> {
        self.state().now
    }

    fn try_optional(&mut self, _: BorrowedFd<'_>, _: &str) {}

    fn kind(&self, folder: BorrowedFd<'_>) -> FileSystem {
        self.state().kind.unwrap_or_else(|| NativeSyscalls::NATIVE.kind(folder))
    }

    fn is_mount(&self, folder: BorrowedFd<'_>) -> bool {
        NativeSyscalls::NATIVE.is_mount(folder)
    }

    fn files_left(&self, folder: BorrowedFd<'_>) -> Option<u64> {
        self.state().files_left.or_else(|| NativeSyscalls::NATIVE.files_left(folder))
    }

    fn open(
        &self,
        folder: BorrowedFd<'_>,
        path: &str,
        how: Open,
        wait: WaitMode,
    ) -> Result<OwnedFd, Errno> {
        let name = match how {
            Open::Read => "open to read",
            Open::Write => "open to write",
            Open::Create | Open::CreateNew => "open or create",
            Open::Folder => "open folder",
        };
        let cold = self.state().fate == Fate::Cold && wait == WaitMode::Inline;
        let wait = self.warm(wait);
        self.call(name, || {
            if cold {
                return Err(Errno::AGAIN);
            }
            let missing = NativeSyscalls::NATIVE.stat_name(folder, path).is_err();
            let file = NativeSyscalls::NATIVE.open(folder, path, how, wait)?;
            let effect = match place(folder, path) {
                Some((folder, name)) if missing => {
                    Effect::Link { folder, name, to: inode(file.as_fd()), is_folder: false }
                }
                _ => Effect::None,
            };
            Ok((file, effect))
        })
    }

    fn read(
        &self,
        file: BorrowedFd<'_>,
        buffer: &mut [u8],
        at: u64,
        wait: WaitMode,
    ) -> Result<usize, Errno> {
        let wait = self.warm(wait);
        self.call("read", || quiet(NativeSyscalls::NATIVE.read(file, buffer, at, wait)))
    }

    fn write(&self, file: BorrowedFd<'_>, bytes: &[u8], at: u64) -> Result<usize, Errno> {
        let number = self.state().made.len();
        let bytes = match self.state().fate {
            Fate::Short(of, count) if of == number => &bytes[..count.min(bytes.len())],
            Fate::Trickle => &bytes[..1],
            _ => bytes,
        };
        let gate = self.state().write_gate.clone();
        self.call("write", || {
            if let Some(gate) = gate {
                gate();
            }
            let mut done = 0;
            while done < bytes.len() {
                done += NativeSyscalls::NATIVE.write(file, &bytes[done..], at + done as u64)?;
            }
            let at = usize::try_from(at).expect("a small file");
            Ok((done, Effect::Write { file: inode(file), at, bytes: bytes.to_vec() }))
        })
    }

    fn stat(&self, file: BorrowedFd<'_>) -> Result<Stat, Errno> {
        self.call("stat", || quiet(NativeSyscalls::NATIVE.stat(file)))
    }

    fn stat_name(&self, folder: BorrowedFd<'_>, path: &str) -> Result<Stat, Errno> {
        self.call("stat name", || quiet(NativeSyscalls::NATIVE.stat_name(folder, path)))
    }

    fn lock(&self, file: BorrowedFd<'_>) -> Result<(), Errno> {
        self.call("lock", || quiet(NativeSyscalls::NATIVE.lock(file)))
    }

    fn rename(
        &self,
        from: (BorrowedFd<'_>, &str),
        to: (BorrowedFd<'_>, &str),
    ) -> Result<(), Errno> {
        self.call("rename", || {
            NativeSyscalls::NATIVE.rename(from, to)?;
            let (folder, from) = place(from.0, from.1).expect("a folder");
            let (to_folder, to) = place(to.0, to.1).expect("a folder");
            Ok(((), Effect::Rename { folder, from, to_folder, to }))
        })
    }

    fn unlink(&self, folder: BorrowedFd<'_>, path: &str) -> Result<(), Errno> {
        self.call("unlink", || {
            NativeSyscalls::NATIVE.unlink(folder, path)?;
            let (folder, name) = place(folder, path).expect("a folder");
            Ok(((), Effect::Unlink { folder, name }))
        })
    }

    fn make_folder(&self, folder: BorrowedFd<'_>, path: &str) -> Result<(), Errno> {
        self.call("make folder", || {
            NativeSyscalls::NATIVE.make_folder(folder, path)?;
            let to = NativeSyscalls::NATIVE.stat_name(folder, path)?.inode;
            let (folder, name) = place(folder, path).expect("a folder");
            Ok(((), Effect::Link { folder, name, to, is_folder: true }))
        })
    }

    fn remove_folder(&self, folder: BorrowedFd<'_>, path: &str) -> Result<(), Errno> {
        self.call("remove folder", || {
            NativeSyscalls::NATIVE.remove_folder(folder, path)?;
            let (folder, name) = place(folder, path).expect("a folder");
            Ok(((), Effect::Unlink { folder, name }))
        })
    }

    fn set_mode(&self, file: BorrowedFd<'_>, mode: u32) -> Result<(), Errno> {
        self.call("set mode", || quiet(NativeSyscalls::NATIVE.set_mode(file, mode)))
    }

    fn set_owner(&self, file: BorrowedFd<'_>, owner: u32, group: u32) -> Result<(), Errno> {
        self.call("set owner", || quiet(NativeSyscalls::NATIVE.set_owner(file, owner, group)))
    }

    fn sync_data(&self, file: BorrowedFd<'_>) -> Result<(), Errno> {
        // What is written down takes the place of what the disk would have to do.
        let synced = self.call("sync data", || Ok(((), Effect::SyncData { file: inode(file) })));
        if let (Err(_), Some(made)) = (synced, self.state().made.last_mut()) {
            made.effect = Effect::SyncRefused { file: inode(file) };
        }
        synced
    }

    fn sync_folder(&self, folder: BorrowedFd<'_>) -> Result<(), Errno> {
        let gate = self.state().gate.clone();
        let synced = || Ok(((), Effect::SyncFolder { folder: inode(folder) }));
        self.call("sync folder", || {
            if let Some(gate) = gate {
                gate();
            }
            match self.state().fate {
                Fate::FolderSyncsFail(errno) => Err(errno),
                _ => synced(),
            }
        })
    }

    fn set_modified(&self, file: BorrowedFd<'_>, modified: Moment) -> Result<(), Errno> {
        self.call("set modified", || quiet(NativeSyscalls::NATIVE.set_modified(file, modified)))
    }

    fn list(
        &self,
        folder: BorrowedFd<'_>,
        each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), Errno> {
        self.call("list", || quiet(Ok(())))?;
        NativeSyscalls::NATIVE.list(folder, each)
    }
}
