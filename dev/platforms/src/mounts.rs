//! File systems, and what is needed to make them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use session_core::{Expect, ListSessions, SessionManager};
use session_fs::Durability;

use crate::{
    Done, Scenario, records,
    visit::{block_on, change, expect, made, open, shell, start, stored},
};

/// Programs, and the packages of Debian they are in.
const PROGRAMS: [(&str, &str); 13] = [
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
    ("mount", "mount"),
    ("losetup", "mount"),
    ("fsfreeze", "util-linux"),
    ("mkfs.ext4", "e2fsprogs"),
    ("e2fsck", "e2fsprogs"),
    ("mkfs.xfs", "xfsprogs"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("fuse2fs", "fuse2fs"),
    ("rsync", "rsync"),
    ("tar", "tar"),
    ("systemd-tmpfiles", "systemd"),
];

/// Refuses to run without all that is needed.
pub(crate) fn check_needs() -> Done {
    if !rustix::process::geteuid().is_root() {
        return Err("run it as root: it mounts, and starts programs as other users".into());
    }
    let is_missing = |program: &str| shell(&format!("command -v {program}")).is_err();
    let missing: Vec<_> = PROGRAMS.iter().filter(|(program, _)| is_missing(program)).collect();
    if !missing.is_empty() {
        let (names, packages): (Vec<_>, Vec<_>) = missing.into_iter().copied().unzip();
        return Err(format!(
            "missing: {}; on Debian they come with `apt-get install {}`",
            names.join(", "),
            packages.join(" ")
        )
        .into());
    }
    for path in ["/dev/fuse", "/dev/loop-control"] {
        expect(Path::new(path).exists(), &format!("there is no {path}"))?;
    }
    Ok(())
}

/// A mounted file system, unmounted when it is dropped.
pub(crate) struct Mounted(pub(crate) PathBuf);

impl Mounted {
    /// In memory.
    pub(crate) fn tmpfs(folder: &Path, options: &str) -> Done<Self> {
        let at = folder.join("mnt");
        fs::create_dir_all(&at)?;
        shell(&format!("mount -t tmpfs -o {options} tmpfs {}", at.display()))?;
        Ok(Self(at))
    }

    /// In a file, made by this command.
    pub(crate) fn in_file(folder: &Path, megabytes: u64, mkfs: &str) -> Done<Self> {
        let (image, at) = (folder.join("image"), folder.join("mnt"));
        fs::create_dir_all(&at)?;
        fs::File::create(&image)?.set_len(megabytes << 20)?;
        shell(&format!("{mkfs} {}", image.display()))?;
        Self::mount(&image, at)
    }

    pub(crate) fn mount(image: &Path, at: PathBuf) -> Done<Self> {
        shell(&format!("mount -o loop {} {}", image.display(), at.display()))?;
        Ok(Self(at))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = shell(&format!("umount {0} || umount -l {0}", self.0.display()));
    }
}

pub(crate) const EXT4: &str = "mkfs.ext4 -q -F";

pub(crate) const FILE_SYSTEMS: &[Scenario] = &[
    ("ext4 keeps sessions", |folder| works_on(&Mounted::in_file(folder, 64, EXT4)?.0)),
    ("ext4 with dates of whole seconds keeps sessions", |folder| {
        works_on(&Mounted::in_file(folder, 64, &format!("{EXT4} -I 128"))?.0)
    }),
    ("XFS keeps sessions", |folder| works_on(&Mounted::in_file(folder, 320, "mkfs.xfs -q")?.0)),
    ("Btrfs keeps sessions", |folder| works_on(&Mounted::in_file(folder, 128, "mkfs.btrfs -q")?.0)),
    ("tmpfs keeps sessions", |folder| works_on(&Mounted::tmpfs(folder, "size=64m")?.0)),
    ("overlayfs keeps sessions", |folder| {
        let mounted = Mounted::tmpfs(folder, "size=64m")?;
        let at = mounted.0.display();
        shell(&format!(
            "cd {at} && mkdir lower upper work merged && \
             mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay merged"
        ))?;
        let merged = Mounted(mounted.0.join("merged"));
        works_on(&merged.0)
    }),
    ("a file system in a program (FUSE) keeps sessions", |folder| {
        let (image, at) = (folder.join("image"), folder.join("mnt"));
        fs::create_dir(&at)?;
        fs::File::create(&image)?.set_len(64 << 20)?;
        let (image, at) = (image.display(), at.display());
        shell(&format!("{EXT4} {image} && fuse2fs -o fakeroot,rw {image} {at}"))?;
        works_on(&Mounted(folder.join("mnt")).0)
    }),
    ("without inodes the error names them, and the sweep gives back those of folders", |folder| {
        let mounted = Mounted::in_file(folder, 64, &format!("{EXT4} -N 512"))?;
        let sessions = mounted.0.join("sessions");
        let manager = open(&sessions, Durability::Buffered)?;
        let mut ids = Vec::new();
        let error = loop {
            let record = made(records::new_id(), 1, None, 200);
            match block_on(manager.put(&record, Expect::Absent)) {
                Ok(_) => ids.push(*record.id()),
                Err(error) => break error.to_string(),
            }
        };
        expect(error.contains("inodes"), &error)?;
        for id in &ids {
            let _ = block_on(manager.remove(id, None))?;
        }
        block_on(manager.sweep_now(|_| {}))?;
        let left = fs::read_dir(sessions.join("records"))?.count();
        expect(left == 0, &format!("{left} empty folders are left"))?;
        start(&manager).map(drop)
    }),
    ("a scan on Btrfs names every session while others move into new files", |folder| {
        scan_beside_moves(&Mounted::in_file(folder, 128, "mkfs.btrfs -q")?.0)
    }),
    ("a scan on tmpfs names every session while others move into new files", |folder| {
        scan_beside_moves(&Mounted::tmpfs(folder, "size=64m")?.0)
    }),
];

fn works_on(mount: &Path) -> Done {
    for durability in [Durability::Buffered, Durability::Synced] {
        let folder = mount.join(format!("{durability:?}"));
        let ids = start(&open(&folder, durability)?)?;
        let again = open(&folder, durability)?;
        for id in ids {
            change(&again, &id)?;
        }
    }
    Ok(())
}

fn scan_beside_moves(mount: &Path) -> Done {
    let folder = mount.join("sessions");
    let manager = open(&folder, Durability::Buffered)?;
    let ids: Vec<_> = (0..1_000)
        .map(|_| {
            let mut bytes = *records::new_id().as_bytes();
            (bytes[0], bytes[1]) = (0xab, 0xc0 | bytes[1] & 15);
            session_core::SessionId::from_bytes(bytes)
        })
        .collect::<Result<_, _>>()?;
    for id in &ids {
        stored(block_on(manager.put(&made(*id, 1, None, 200), Expect::Absent)))?;
    }
    let done = std::sync::atomic::AtomicBool::new(false);
    let is_done = || done.load(std::sync::atomic::Ordering::Relaxed);
    let link = folder.join("link");
    std::thread::scope(|scope| {
        let moves = scope.spawn(|| -> Result<(), String> {
            for id in ids.iter().cycle().take_while(|_| !is_done()) {
                let mut text = [0; session_core::SessionId::TEXT_BYTES];
                let file = folder.join("records/abc").join(id.encode(&mut text));
                fs::hard_link(file, &link).map_err(|error| error.to_string())?;
                let end = session_core::Timestamp::from_millis(4_000_000_000_000);
                let touched = manager.touch(id, session_core::Version::FIRST, end);
                stored(block_on(touched)).map_err(|error| error.to_string())?;
                fs::remove_file(&link).map_err(|error| error.to_string())?;
            }
            Ok(())
        });
        let mut missed = 0;
        for _ in 0..150 {
            let named = block_on(manager.scan(None, 100_000)).map_or(Vec::new(), |page| page.ids);
            let named: std::collections::HashSet<_> = named.into_iter().collect();
            missed += ids.iter().filter(|id| !named.contains(id)).count();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        moves.join().map_err(|_| "a writer panicked")??;
        expect(missed == 0, &format!("{missed} sessions were missed"))
    })
}
