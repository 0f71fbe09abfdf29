//! Backups, and what is restored from them. The commands are those of `docs/PLATFORMS.md`.

use std::path::Path;

use session_core::{Expect, ListSessions, PrincipalTag, SessionId, SessionManager, Version};
use session_fs::{Durability, FileBackedSessionManager};

use crate::{
    Done, Scenario,
    mounts::Mounted,
    records,
    visit::{block_on, expect, made, open, shell, stored, version},
};

const ALICE: PrincipalTag = PrincipalTag::from_bytes([0xa1; 16]);

fn put(manager: &FileBackedSessionManager, id: SessionId, version: u64) -> Done {
    let expect = match version {
        1 => Expect::Absent,
        version => Expect::Version(Version::new(version - 1)),
    };
    stored(block_on(manager.put(&made(id, version, Some(ALICE), 200), expect)))
}

/// Each of three versions is backed up, and then restored: by these commands, in which `$S` is the
/// folder of sessions and `$B` that of backups.
fn comes_back(folder: &Path, backup: &str, restore: &str) -> Done {
    let (sessions, backups) = (folder.join("sessions"), folder.join("backups"));
    std::fs::create_dir(&backups)?;
    let names = format!("S={} B={}; ", sessions.display(), backups.display());
    let manager = open(&sessions, Durability::Buffered)?;
    let id = records::new_id();
    for number in 1..4 {
        put(&manager, id, number)?;
        shell(&format!("{names}{backup}"))?;
    }
    drop(manager);
    shell(&format!("rm -r {}", sessions.display()))?;
    shell(&format!("{names}{restore}"))?;
    let manager = open(&sessions, Durability::Buffered)?;
    let found = version(&manager, &id)?;
    expect(found == Some(Version::new(3)), &format!("version 3 was backed up, and is {found:?}"))?;
    block_on(manager.sweep_now(|_| {}))?;
    let listed = block_on(manager.by_principal(&ALICE, None, 10))?.ids;
    expect(listed == [id], "its owner's list has it")?;
    put(&manager, id, 4)
}

pub(crate) const BACKUP: &[Scenario] = &[
    ("rsync copies every version, and restores the last", |folder| {
        comes_back(folder, "rsync -a --delete \"$S/\" \"$B/\"", "rsync -a \"$B/\" \"$S/\"")
    }),
    ("tar keeps every version, and restores the last", |folder| {
        comes_back(
            folder,
            "tar -C \"$S\" -cf \"$B/sessions.tar\" .",
            "install -d -m 700 \"$S\" && tar -C \"$S\" -xpf \"$B/sessions.tar\"",
        )
    }),
    ("a copy of hard links is not changed by later writes", |folder| {
        comes_back(
            folder,
            "rm -rf \"$B/copy\" && cp -al \"$S\" \"$B/copy\"",
            "cp -a \"$B/copy\" \"$S\"",
        )
    }),
    ("a snapshot of Btrfs has every session", |folder| {
        let mounted = Mounted::in_file(folder, 128, "mkfs.btrfs -q")?;
        let volume = mounted.0.join("volume");
        shell(&format!("btrfs subvolume create {}", volume.display()))?;
        let manager = open(&volume.join("sessions"), Durability::Buffered)?;
        let id = records::new_id();
        put(&manager, id, 1)?;
        put(&manager, id, 2)?;
        let snapshot = mounted.0.join("snapshot");
        shell(&format!("btrfs subvolume snapshot -r {} {}", volume.display(), snapshot.display()))?;
        put(&manager, id, 3)?;
        let copy = mounted.0.join("copy");
        shell(&format!("rsync -a {}/sessions/ {}/", snapshot.display(), copy.display()))?;
        let old = open(&copy, Durability::Buffered)?;
        expect(version(&old, &id)? == Some(Version::new(2)), "it is as it was then")?;
        put(&old, id, 3)
    }),
];
