//! The bytes of a session's file, as a disk, another program or an attacker left them.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use session_core::{ErrorKind, Expect, Outcome, Record, Removal, SessionManager, Version};
use session_fs::{FileBackedSessionManager, FsConfig};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::world::{Stored, of_version, tampered};

thread_local! {
    static FOLDER: Folder = Folder::new();
}

/// Whatever a file holds, every verb answers, what is answered is a record of the session or none,
/// and after a removal nothing is there and a new session can be kept.
///
/// The input is bytes, or changes to those of a genuine file: see `tampered`.
pub fn session_file(input: &[u8]) {
    FOLDER.with(|folder| folder.runtime.block_on(folder.hold(input)));
}

struct Folder {
    manager: FileBackedSessionManager,
    runtime: Runtime,
    record: Arc<Record>,
    /// Where the file of the record is.
    path: PathBuf,
    genuine: Vec<u8>,
    root: PathBuf,
    _parent: TempDir,
}

impl Folder {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().build().expect("a runtime starts");
        let parent = tempfile::tempdir().expect("there is a folder for temporary files");
        let root = parent.path().join("sessions");
        let config = FsConfig::new(&root).single_process().without_background_sweep();
        let manager = FileBackedSessionManager::with_config(&config).expect("the folder is new");
        let record = of_version(&Stored::new().record(), Version::FIRST);
        let later = of_version(&record, Version::FIRST.next());
        runtime.block_on(async {
            // Twice, so that both slots are filled, and a touch.
            let first = manager.put(&record, Expect::Absent).await;
            let second = manager.put(&later, Expect::Version(Version::FIRST)).await;
            let stored = [first, second].map(|put| put.expect("there is space"));
            assert_eq!(stored, [Outcome::Stored; 2]);
            let touched = manager.touch(later.id(), later.version(), later.deadline()).await;
            assert_eq!(touched.expect("there is space"), Outcome::Stored);
        });
        let path = file_below(&root.join("records")).expect("a session has a file");
        let genuine = fs::read(&path).expect("it can be read");
        Self { manager, runtime, record, path, genuine, root, _parent: parent }
    }

    async fn hold(&self, input: &[u8]) {
        let id = self.record.id();
        fs::write(&self.path, tampered(&self.genuine, input)).expect("there is space");
        let found = self.manager.get(id).await;
        if let Ok(Some(record)) = &found {
            assert_eq!(record.id(), id, "a record of the session, or none");
        }
        if let Err(error) = &found {
            let known = [ErrorKind::Corrupt, ErrorKind::Unsupported].contains(&error.kind());
            assert!(known, "{error}");
        }
        // Whatever they answer.
        let _ = self.manager.exists(id).await;
        let version = found.as_ref().ok().and_then(Option::as_ref).map(|found| found.version());
        let version = version.unwrap_or(Version::FIRST);
        let _ = self.manager.touch(id, version, self.record.deadline()).await;
        let _ = self
            .manager
            .put(&of_version(&self.record, version.next()), Expect::Version(version))
            .await;
        let removed = self.manager.remove(id, None).await;
        if matches!(removed, Ok(Removal::Removed | Removal::Gone)) {
            assert!(self.manager.get(id).await.is_ok_and(|found| found.is_none()), "it is gone");
        }
        let _ = fs::remove_file(&self.path);
        // Damaged files are kept there.
        while let Some(aside) = file_below(&self.root.join("aside")) {
            fs::remove_file(aside).expect("it can be removed");
        }
    }
}

/// The first file in a folder or in one below it.
fn file_below(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.into_iter().find_map(|path| if path.is_dir() { file_below(&path) } else { Some(path) })
}
